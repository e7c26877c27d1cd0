import { describe, expect, it } from 'vitest';
import { LatencyHistogram, quantileMs } from '../../lab/load/latency.ts';
import { arrivalTimes, rateAt } from '../../lab/load/schedule.ts';
import { seededRandom, seedFor } from '../../lab/random.ts';

const flat = [
  { atMs: 0, ratePerS: 100 },
  { atMs: 60_000, ratePerS: 100 },
];
const ramp = [
  { atMs: 0, ratePerS: 0 },
  { atMs: 60_000, ratePerS: 200 },
];

describe('arrival times', () => {
  it('rate is linear between points and 0 outside', () => {
    expect([0, 30_000, 60_000, 60_001].map((at) => rateAt(ramp, at))).toEqual([0, 100, 200, 0]);
  });

  it('fixed: one every 10 ms at 100/s', () => {
    const times = [...arrivalTimes(flat, 'fixed', seededRandom(1))];
    expect(times.length).toBe(6_000);
    expect(times.slice(1).every((at, i) => at - (times[i] ?? 0) === 10)).toBe(true);
  });

  it.each([1, 2, 3])('poisson: count, spread and ramp as the theory says, seed %d', (seed) => {
    const times = [...arrivalTimes(flat, 'poisson', seededRandom(seed))];
    // Mean 6000, standard deviation 77.5: four of them.
    expect(Math.abs(times.length - 6_000)).toBeLessThan(310);
    const gaps = times.slice(1).map((at, i) => at - (times[i] ?? 0));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
    // Exponential: standard deviation equals the mean; a fixed rate would give 0.
    expect(Math.sqrt(variance) / mean).toBeGreaterThan(0.93);
    expect(Math.sqrt(variance) / mean).toBeLessThan(1.07);
    const ramped = [...arrivalTimes(ramp, 'poisson', seededRandom(seed))];
    const early = ramped.filter((at) => at < 30_000).length;
    // A quarter of the requests in the first half of a linear ramp.
    expect(Math.abs(early / ramped.length - 0.25)).toBeLessThan(0.03);
  });

  it('the same seed gives the same requests, other parts of a run other seeds', () => {
    const take = (seed: number): number[] => [...arrivalTimes(flat, 'poisson', seededRandom(seed))].slice(0, 20);
    expect(take(7)).toEqual(take(7));
    expect(take(7)).not.toEqual(take(8));
    expect(seedFor(1, 'cart-1')).not.toBe(seedFor(1, 'cart-2'));
    expect(seedFor(1, 'cart-1')).not.toBe(seedFor(2, 'cart-1'));
  });

  it('no load at rate 0', () => {
    expect([
      ...arrivalTimes(
        [
          { atMs: 0, ratePerS: 0 },
          { atMs: 1_000, ratePerS: 0 },
        ],
        'poisson',
        seededRandom(1),
      ),
    ]).toEqual([]);
  });
});

describe('latency histogram', () => {
  it('quantiles are right to its 2.5 %, the maximum exact, empty is null', () => {
    const histogram = new LatencyHistogram();
    for (let us = 1; us <= 10_000; us++) histogram.add(us);
    for (const q of [0.5, 0.9, 0.99]) {
      const ms = histogram.quantileMs(q) ?? 0;
      expect(ms).toBeGreaterThanOrEqual(q * 10 - 0.001);
      expect(ms).toBeLessThanOrEqual(q * 10 * 1.026);
    }
    expect(histogram.maxMs()).toBe(10);
    expect(histogram.rows().reduce((sum, [, count]) => sum + count, 0)).toBe(10_000);
    expect(new LatencyHistogram().quantileMs(0.5)).toBeNull();
    expect(quantileMs([], 0.5)).toBeNull();
  });
});
