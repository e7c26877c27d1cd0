import { describe, expect, it } from 'vitest';
import type { Histogram } from '../../src/model/histogram.ts';
import {
  addToDense,
  denseQuantile,
  HISTOGRAM_BUCKETS,
  histogramMean,
  histogramQuantile,
  mergeHistograms,
} from '../../src/stats/histogram.ts';
import { createRandom, normal } from '../../src/stats/random.ts';

function sketch(values: readonly number[], scale: number): Histogram {
  const index = values.map((value) => Math.ceil(Math.log2(value) * 2 ** scale) - 1);
  const offset = Math.min(...index);
  const counts = new Array<number>(Math.max(...index) - offset + 1).fill(0);
  for (const i of index) counts[i - offset]!++;
  return { scale, offset, counts };
}

const random = createRandom(11);
const values = Array.from({ length: 5_000 }, () => Math.exp(8 + normal(random)));
const sorted = [...values].sort((a, b) => a - b);

describe('histograms', () => {
  it('gives quantiles within half a bucket of the sorted values', () => {
    for (const q of [0.1, 0.5, 0.9, 0.99]) {
      const exact = sorted[Math.ceil(q * sorted.length) - 1]!;
      expect(Math.abs(histogramQuantile(sketch(values, 3), q) / exact - 1)).toBeLessThan(0.09);
    }
    expect(histogramQuantile({ scale: 3, offset: 0, counts: [] }, 0.5)).toBeNaN();
    expect(histogramQuantile({ scale: 3, offset: 24, counts: [1], zeroCount: 9 }, 0.5)).toBe(0);
  });

  it('merges any split to the same sketch, across scales', () => {
    const whole = sketch(values, 3);
    const merged = mergeHistograms([sketch(values.slice(0, 1000), 3), sketch(values.slice(1000), 3)]);
    expect(merged).toEqual({ ...whole, zeroCount: 0 });
    const mixed = mergeHistograms([sketch(values.slice(0, 1000), 5), sketch(values.slice(1000), 3)]);
    expect(mixed).toEqual({ ...whole, zeroCount: 0 });
    expect(mergeHistograms([])).toBeUndefined();
  });

  it('keeps count and mean, and the dense form agrees with the sparse one', () => {
    const { count, mean } = histogramMean(sketch(values, 3));
    expect(count).toBe(5_000);
    expect(mean / (values.reduce((sum, x) => sum + x, 0) / 5_000)).toBeCloseTo(1, 1);
    const dense = new Float64Array(HISTOGRAM_BUCKETS);
    addToDense(dense, sketch(values, 3));
    for (const q of [0.5, 0.99]) {
      expect(denseQuantile(dense, 0, HISTOGRAM_BUCKETS, 0, q)).toBeCloseTo(histogramQuantile(sketch(values, 3), q), 6);
    }
  });
});
