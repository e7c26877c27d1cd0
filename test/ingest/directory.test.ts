import { describe, expect, it } from 'vitest';
import { Directory } from '../../src/ingest/directory.ts';
import { MANY_COLLECTORS } from '../../src/model/window.ts';
import { createRandom } from '../../src/stats/random.ts';

const NOBODY = new Uint8Array(100_000);
const key = (...numbers: number[]): Uint32Array => Uint32Array.from(numbers);

function keyOf({ keys, width }: Directory, id: number): number[] {
  return [...keys.subarray(id * width, (id + 1) * width)];
}

describe('Directory', () => {
  it('gives the id of a forgotten leaf to a new one, which has nothing of it', () => {
    const directory = new Directory(2);
    const old = directory.intern(key(1, 2));
    const stays = directory.intern(key(3, 4));
    for (const collector of [7, 0, 8]) directory.report(old, collector);
    directory.report(stays, 7);
    directory.touch(Uint32Array.of(old, stays), 2, 10_000);
    directory.touch(Uint32Array.of(stays), 1, 20_000);
    expect(directory.collector[old]).toBe(MANY_COLLECTORS);

    expect(directory.forget(20_000, NOBODY)).toMatchObject({ count: 1, again: [] });
    const { made } = directory;
    const fresh = directory.intern(key(5, 6));
    expect(fresh).toBe(old);
    expect(keyOf(directory, fresh)).toEqual([5, 6]);
    expect(directory.collector[fresh]).toBe(0);
    expect([...directory.since(made)]).toEqual([fresh]);
    expect([...directory.since(0)]).toEqual([stays, fresh]);
    expect(directory.size).toBe(2);

    expect(directory.intern(key(1, 2))).toBe(2);
    expect(directory.collector[2]).toBe(0);
    expect(directory.intern(key(3, 4))).toBe(stays);
  });

  it('a key of zeros is not a leaf that is gone', () => {
    const directory = new Directory(2);
    const [first, second] = [directory.intern(key(1, 1)), directory.intern(key(2, 2))];
    directory.intern(key(1, 1));
    directory.touch(Uint32Array.of(first), 1, 10_000);
    directory.forget(10_000, NOBODY);
    directory.intern(key(1, 1));
    const zeros = directory.intern(key(0, 0));
    expect(zeros).toBe(second);
    expect([...directory.since(0)]).toEqual([first, zeros]);
  });

  it('what an open window brought back is a new leaf under its old id', () => {
    const directory = new Directory(1);
    const ids = [1, 2, 3].map((n) => directory.intern(key(n)));
    directory.touch(Uint32Array.from(ids), 3, 10_000);
    const { made } = directory;
    const held = new Uint8Array(3);
    held[ids[0]!] = 1;
    expect(directory.forget(20_000, held)).toMatchObject({ count: 2, again: [ids[0]] });
    expect([...directory.since(made)]).toEqual([ids[0]]);
    expect(directory.intern(key(1))).toBe(ids[0]);
  });

  it('nothing changes where all were seen', () => {
    const directory = new Directory(1);
    directory.touch(Uint32Array.of(directory.intern(key(1))), 1, 10_000);
    expect(directory.forget(10_000, NOBODY)).toBeUndefined();
  });

  it.each([1, 2, 3])('is a map from keys to ids, whatever is forgotten (seed %i)', (seed) => {
    const random = createRandom(seed);
    const directory = new Directory(2, 16);
    const seen = new Map<string, number>();
    let most = 0;
    for (let turn = 1; turn <= 200; turn++) {
      const ids = new Map<string, number>();
      for (let k = 0; k < 60; k++) {
        const numbers = [turn + Math.floor(random() * 20), Math.floor(random() * 4)];
        const id = directory.intern(key(...numbers));
        expect(keyOf(directory, id)).toEqual(numbers);
        ids.set(numbers.join(), id);
        seen.set(numbers.join(), turn);
      }
      directory.touch(Uint32Array.from(ids.values()), ids.size, turn * 1000);
      if (turn % 5 !== 0) continue;
      directory.forget((turn - 10) * 1000, NOBODY);
      for (const [text, last] of seen) if (last < turn - 10) seen.delete(text);
      const known = [...directory.since(0)];
      expect(known.map((id) => keyOf(directory, id).join()).sort()).toEqual([...seen.keys()].sort());
      expect(new Set(known).size).toBe(known.length);
      most = Math.max(most, known.length);
    }
    expect(directory.size).toBeLessThan(most * 1.5);
  });
});
