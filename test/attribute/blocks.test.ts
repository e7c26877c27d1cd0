import { expect, it } from 'vitest';
import { firstInBlocks, forBlocks } from '../../src/attribute/blocks.ts';

it.each([0, 1, 4095, 4096, 4097, 10_000])('%i leaves are visited once each, in order', (size) => {
  const seen: number[] = [];
  forBlocks(size, (from, to) => {
    expect(to).toBeGreaterThan(from);
    for (let i = from; i < to; i++) seen.push(i);
  });
  expect(seen).toEqual([...Array(size).keys()]);
});

it('a search stops where it found something, and nothing behind is looked at', () => {
  const size = 10_000;
  for (const wanted of [0, 4095, 4096, 9999, size]) {
    let last = -1;
    const at = firstInBlocks(size, (from, to) => {
      let i = from;
      for (; i < to; i++) {
        last = i;
        if (i === wanted) break;
      }
      return i;
    });
    expect(at).toBe(wanted);
    expect(last).toBe(Math.min(wanted, size - 1));
  }
});
