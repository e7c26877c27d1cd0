/** The k-th smallest by quickselect is the one that sorting gives. */
import { expect, it } from 'vitest';
import { select } from '../../src/attribute/select.ts';
import { createRandom } from '../../src/stats/random.ts';

it.each([
  ['random', (random: () => number) => random()],
  ['few values', (random: () => number) => Math.floor(random() * 4)],
  ['all equal', () => 7],
])('%s', (_, draw) => {
  const random = createRandom(1);
  for (let size = 1; size <= 60; size++) {
    const values = Float64Array.from({ length: size + 4 }, () => draw(random));
    const sorted = values.slice(2, size + 2).sort();
    for (let rank = 0; rank < size; rank++) {
      const copy = values.slice();
      expect(select(copy, 2, size + 2, rank)).toBe(sorted[rank]);
      // Nothing outside the range was touched.
      expect([copy[0], copy[1], copy[size + 2], copy[size + 3]]).toEqual([
        values[0],
        values[1],
        values[size + 2],
        values[size + 3],
      ]);
    }
  }
});

it('ascending and descending', () => {
  for (const sign of [1, -1]) {
    const values = Float64Array.from({ length: 1000 }, (_, k) => sign * k);
    const sorted = values.slice().sort();
    for (const rank of [0, 1, 499, 500, 998, 999]) expect(select(values.slice(), 0, 1000, rank)).toBe(sorted[rank]);
  }
});
