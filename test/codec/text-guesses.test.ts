import { describe, expect, it } from 'vitest';
import { guess, lastToken, textOf, tokenEpoch } from '../../src/codec/text-cache.ts';
import { guessesFor, remember, sourceOf } from '../../src/codec/text-guesses.ts';
import { createRandom } from '../../src/stats/random.ts';

function read(text: string): string {
  const bytes = Buffer.from(text);
  return textOf(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.length);
}

describe('guessed texts', () => {
  it('are only guesses: the text is that of the bytes, right, shifted or wild as they may be', () => {
    const random = createRandom(11);
    const names = ['', ...Array.from({ length: 40 }, (_, i) => `service-${i}`), 'x'.repeat(200)];
    const tokens = names.map((name) => {
      read(name);
      return lastToken();
    });
    for (let round = 0; round < 2_000; round++) {
      const sent = names.filter(() => random() < 0.8);
      guess(Int32Array.from(tokens, (token) => (random() < 0.1 ? Math.floor(random() * 1e6) - 1 : token)));
      expect(sent.map(read)).toEqual(sent);
    }
    guess(new Int32Array(0));
  });

  it('give the same numbers as looking up', () => {
    const names = ['a1', 'b2', 'c3', 'd4', 'e5'];
    const numbers = (): number[] =>
      names.map((name) => {
        read(name);
        return lastToken();
      });
    const looked = numbers();
    guess(Int32Array.from(looked));
    expect(numbers()).toEqual(looked);
    guess(new Int32Array(0));
  });

  it('are those of the message at the same place before, of this epoch, and are bounded', () => {
    const epoch = tokenEpoch();
    const source = sourceOf(7, true, 3);
    expect(source).not.toBe(sourceOf(7, false, 3));
    remember(source, [1, 2, 3], epoch);
    expect([...guessesFor(source)]).toEqual([1, 2, 3]);
    remember(source, [4, 5], epoch);
    expect([...guessesFor(source)]).toEqual([4, 5]);
    remember(sourceOf(8, true, 3), [9], epoch + 1);
    expect([...guessesFor(source)]).toEqual([]);
    const many = Array.from({ length: 10_000 }, (_, i) => i);
    const sources = Array.from({ length: 2_000 }, (_, collector) => sourceOf(collector, true, 0));
    for (const each of sources) remember(each, many, epoch + 1);
    expect(guessesFor(sources.at(-1)!)).toHaveLength(many.length);
    const kept = sources.reduce((sum, each) => sum + guessesFor(each).length, 0);
    expect(kept).toBeLessThanOrEqual(4_194_304);
    expect(guessesFor(sourceOf(-1, true, 0))).toHaveLength(0);
    remember(sourceOf(0, true, 0), [], epoch);
  });
});
