import { describe, expect, it } from 'vitest';
import { textOf } from '../../src/codec/text-cache.ts';
import { createRandom } from '../../src/stats/random.ts';

function read(bytes: Buffer, at = 0, length = bytes.length): string {
  return textOf(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), at, length);
}

describe('textOf', () => {
  it('gives the text of the bytes, whatever came before', () => {
    const random = createRandom(3);
    const alphabet = Buffer.from('ab\u00e4\u20ac\u{1f600}\0-9', 'utf8');
    const wrong: string[] = [];
    for (let round = 0; round < 30_000; round++) {
      const padding = Math.floor(random() * 4);
      const length = Math.floor(random() * (round % 10 === 0 ? 200 : 14));
      // Pieces of characters on purpose: broken UTF-8 reads as it always did.
      const bytes = Buffer.from(
        Array.from({ length: length + padding }, () => alphabet[Math.floor(random() * alphabet.length)]!),
      );
      if (read(bytes, padding, length) !== bytes.toString('utf8', padding)) wrong.push(bytes.toString('hex'));
    }
    expect(wrong).toEqual([]);
  });

  it('tells texts apart that share words, lengths and ends', () => {
    const texts = ['a', 'a\0', 'a\0\0', 'abcd', 'abcdd', 'abcdcd', 'abcdbcd', 'abcdabcd', 'abcdabcdabcd', 'bcd', ''];
    for (let round = 0; round < 3; round++) expect(texts.map((text) => read(Buffer.from(text)))).toEqual(texts);
  });

  it('starts anew when full, and goes on giving the right text', () => {
    const before = process.memoryUsage().arrayBuffers;
    let wrong = 0;
    for (let i = 0; i < 300_000; i++) if (read(Buffer.from(`instance-${i}`)) !== `instance-${i}`) wrong++;
    for (let i = 0; i < 1_000; i++) if (read(Buffer.from(`instance-${i}`)) !== `instance-${i}`) wrong++;
    expect(wrong).toBe(0);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64e6);
  });
});
