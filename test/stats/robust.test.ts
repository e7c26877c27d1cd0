import { describe, expect, it } from 'vitest';
import { changePoint } from '../../src/stats/change-point.ts';
import { createRandom, normal, poisson, shuffled } from '../../src/stats/random.ts';
import { median, medianAndMad, medianAndMadInPlace, medianInPlace } from '../../src/stats/robust.ts';

describe('robust statistics', () => {
  it('takes the median of odd, even and long inputs, skipping what is not finite', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([Number.NaN, 7])).toBe(7);
    expect(median([])).toBeNaN();
    const random = createRandom(3);
    for (const n of [31, 32, 33, 64, 101, 200]) {
      const values = Float64Array.from({ length: n }, () => random());
      const sorted = [...values].sort((a, b) => a - b);
      const expected = n % 2 ? sorted[n >> 1] : (sorted[n / 2 - 1]! + sorted[n / 2]!) / 2;
      expect(medianInPlace(values, n)).toBe(expected);
    }
  });

  it('scales the MAD (worked example of the R manual, stats::mad(c(1:9)) = 2.9652)', () => {
    expect(medianAndMad([1, 2, 3, 4, 5, 6, 7, 8, 9]).spread).toBeCloseTo(2.9652, 4);
    expect(medianAndMad([1, 1, 2, 2, 4, 6, 9]).spread).toBeCloseTo(1.4826, 4);
  });

  it('takes both in place, to the bit as by sorting all deviations, for every length up to the history', () => {
    const random = createRandom(5);
    const out = { median: 0, spread: 0 };
    for (let n = 0; n <= 60; n++) {
      for (let round = 0; round < 20; round++) {
        // Few distinct values every other round: ties.
        const values = Array.from({ length: n }, () => (round % 2 ? Math.floor(random() * 4) : random() * 100 - 50));
        const expected = medianAndMad(values);
        medianAndMadInPlace(Float64Array.from(values), n, out);
        expect([out.median, out.spread]).toEqual([expected.median, expected.spread]);
      }
    }
  });

  it('draws the same numbers for the same seed, with the right moments', () => {
    const a = createRandom(1);
    const b = createRandom(1);
    expect(Array.from({ length: 5 }, a)).toEqual(Array.from({ length: 5 }, b));
    const random = createRandom(2);
    const draws = Array.from({ length: 20_000 }, () => normal(random));
    expect(Math.abs(draws.reduce((sum, x) => sum + x, 0) / draws.length)).toBeLessThan(0.03);
    for (const mean of [3, 80]) {
      const counts = Array.from({ length: 20_000 }, () => poisson(random, mean));
      expect(counts.reduce((sum, x) => sum + x, 0) / counts.length / mean).toBeCloseTo(1, 1);
    }
    expect(shuffled([1, 2, 3, 4], random).sort()).toEqual([1, 2, 3, 4]);
  });

  it('finds the change point', () => {
    expect(changePoint([1, 1, 1, 5, 5, 5]).index).toBe(3);
    expect(changePoint([1, Number.NaN, 1, 9]).index).toBe(3);
    expect(changePoint([1]).index).toBe(-1);
  });
});
