import { describe, expect, it } from 'vitest';
import { DEFAULT_DETECT_CONFIG } from '../../src/detect/config.ts';
import { DurationFamily } from '../../src/detect/judge-duration.ts';
import { OperationFamily } from '../../src/detect/judge-operation.ts';
import { OperationMix } from '../../src/detect/operation-mix.ts';
import { createRandom, normal, poisson } from '../../src/stats/random.ts';

const NAMES = ['GET /', 'POST /orders', 'GET /reports'];

/** A service with three operations: so many requests of so many µs a window. */
class Shop {
  readonly mix = new OperationMix();
  readonly whole = new DurationFamily(
    { entity: 'service', side: 'server', metric: 'duration_mean_us', symptoms: ['latency_rise'], opens: [0] },
    DEFAULT_DETECT_CONFIG,
  );
  readonly family = new OperationFamily(DEFAULT_DETECT_CONFIG, this.mix, this.whole);
  readonly random = createRandom(5);
  turn = 0;

  /** @returns names of the operations that are active */
  window(counts: readonly number[], timesUs: readonly number[], { load = 1, muted = false } = {}): string[] {
    const { mix, family, random } = this;
    mix.begin();
    counts.forEach((mean, k) => {
      const i = mix.operation(3, 1, NAMES[k]!);
      const n = poisson(random, mean);
      mix.count[i] = n;
      // cv² = 1 of single requests.
      mix.durationUs[i] = n * timesUs[k]! * Math.max(0.1, 1 + normal(random) / Math.sqrt(Math.max(1, n)));
    });
    family.ensure(mix.size);
    this.turn++;
    const moment = { atMs: this.turn * 5_000, windowMs: 5_000, turn: this.turn };
    for (let i = 0; i < mix.size; i++) family.step(i, moment, load, muted);
    mix.end((_service) => !this.whole.tracks.isActive(3));
    return NAMES.filter((_, i) => family.tracks.isActive(i));
  }

  windows(n: number, counts: readonly number[], timesUs: readonly number[], more = {}): string[] {
    let active: string[] = [];
    for (let w = 0; w < n; w++) active = this.window(counts, timesUs, more);
    return active;
  }
}

describe('one operation of a service', () => {
  const counts = [300, 40, 15];
  const usual = [2_000, 10_000, 50_000];

  it('that takes three times as long is an anomaly of its service, and its name is known', () => {
    const shop = new Shop();
    expect(shop.windows(200, counts, usual)).toEqual([]);
    expect(shop.windows(4, counts, [2_000, 30_000, 50_000])).toEqual(['POST /orders']);
    const i = shop.mix.operation(3, 1, 'POST /orders');
    expect(shop.family.ownerOf(i)).toBe(3);
    expect(shop.family.operationOf(i)).toBe('POST /orders');
    expect(shop.family.isToldByCoarser(i)).toBe(false);
    const { baseline, current, direction } = shop.family.tracks.read(i);
    expect(baseline).toBeGreaterThan(8_000);
    expect(current).toBeGreaterThan(2.2 * baseline);
    expect(shop.family.spec.symptoms[direction]).toBe('latency_rise');
    expect(shop.windows(8, counts, usual)).toEqual([]);
  });

  it('is silent in four healthy hours, with few requests too', () => {
    const shop = new Shop();
    for (let w = 0; w < 2_880; w++) expect(shop.window(counts, usual)).toEqual([]);
  });

  it('with fewer requests than usual is judged by what these know', () => {
    const shop = new Shop();
    shop.windows(200, [300, 400, 15], usual);
    // 12 of 400 requests: their mean is known to a third.
    expect(shop.windows(6, [300, 12, 15], [2_000, 25_000, 50_000])).toEqual([]);
    expect(shop.windows(6, [300, 400, 15], [2_000, 25_000, 50_000])).toEqual(['POST /orders']);
  });

  it('says nothing of less than twice, of less than minLatencyUs, or while its service just started', () => {
    const shop = new Shop();
    shop.windows(200, counts, usual);
    expect(shop.windows(10, counts, [2_000, 16_000, 50_000])).toEqual([]);
    expect(shop.windows(10, counts, [4_300, 10_000, 50_000])).toEqual([]);
    expect(shop.windows(10, counts, [2_000, 90_000, 50_000], { muted: true })).toEqual([]);
  });

  it('is allowed what more traffic brings', () => {
    const shop = new Shop();
    shop.windows(200, counts, usual);
    expect(shop.windows(10, counts, [2_000, 33_000, 50_000], { load: 3 })).toEqual([]);
    expect(shop.windows(10, counts, [2_000, 80_000, 50_000], { load: 3 })).toEqual(['POST /orders']);
  });

  it('goes after its service', () => {
    const shop = new Shop();
    shop.windows(200, counts, usual);
    shop.windows(5, counts, [2_000, 40_000, 50_000]);
    shop.whole.ensure(4);
    for (let w = 1; w < 60; w++)
      shop.whole.step(3, { atMs: w * 5_000, windowMs: 5_000, turn: w }, w < 50 ? 5_000 : 60_000, 400, 1, 1, false);
    expect(shop.family.isToldByCoarser(shop.mix.operation(3, 1, 'POST /orders'))).toBe(true);
  });
});
