import { describe, expect, it } from 'vitest';
import { OperationMix } from '../../src/detect/operation-mix.ts';

/** One service with operations of so many µs each; a window is how often each is asked for. */
class Shop {
  readonly mix: OperationMix;
  usUs: readonly number[];

  constructor(timesUs: readonly number[], mix = new OperationMix()) {
    this.mix = mix;
    this.usUs = timesUs;
  }

  /** @returns the factor of this window; what it shows is learned unless it is not usual */
  window(counts: readonly number[], isUsual = true): number {
    const { mix } = this;
    mix.begin();
    let expected = 0;
    counts.forEach((n, k) => {
      const number = mix.operation(0, 1, `op${k}`);
      expected += n * mix.expected[number]!;
      mix.count[number] = n;
      mix.durationUs[number] = n * this.usUs[k]!;
    });
    const n = counts.reduce((sum, count) => sum + count, 0);
    const factor = mix.factor('service', 0, expected, n);
    if (isUsual) mix.learn('service', 0, expected, n);
    mix.end(() => isUsual);
    return factor;
  }

  windows(n: number, counts: readonly number[]): void {
    for (let w = 0; w < n; w++) this.window(counts);
  }
}

describe('the mix of operations', () => {
  it('explains a mean that rises because more heavy ones are asked for', () => {
    const shop = new Shop([1_000, 20_000]);
    shop.windows(200, [95, 5]);
    expect(shop.window([95, 5])).toBeCloseTo(1, 1);
    // (75 × 1 + 25 × 20) / (95 × 1 + 5 × 20)
    expect(shop.window([75, 25], false)).toBeCloseTo(575 / 195, 1);
    expect(shop.window([100, 0], false)).toBeCloseTo(100 / 195, 1);
  });

  it('explains nothing of an operation, or a service, that is slower', () => {
    const shop = new Shop([1_000, 20_000]);
    shop.windows(200, [95, 5]);
    shop.usUs = [1_000, 100_000];
    for (let w = 0; w < 50; w++) expect(shop.window([95, 5], false)).toBeCloseTo(1, 1);
    shop.usUs = [5_000, 100_000];
    for (let w = 0; w < 50; w++) expect(shop.window([95, 5])).toBeCloseTo(1, 1);
  });

  it('does not change while a service that got slower as a whole is learned', () => {
    const shop = new Shop([1_000, 20_000, 3_000]);
    shop.windows(300, [80, 5, 15]);
    shop.usUs = [3_000, 60_000, 9_000];
    for (let w = 0; w < 300; w++) expect(Math.abs(Math.log(shop.window([80, 5, 15])))).toBeLessThan(0.02);
  });

  it('is 1 before a minute is known, with one operation, and for what was never seen', () => {
    const shop = new Shop([1_000, 20_000]);
    for (let w = 0; w < 12; w++) expect(shop.window([90 - w, 10 + w])).toBe(1);
    const plain = new Shop([1_000]);
    plain.windows(100, [50]);
    expect(plain.window([500], false)).toBeCloseTo(1, 4);
    expect(plain.mix.factor('service', 7, 1_000, 10)).toBe(1);
    expect(plain.mix.factor('service', 0, 0, 0)).toBe(1);
  });

  it('takes a new operation for a usual one: whether it is slow is not known', () => {
    const shop = new Shop([1_000, 1_000_000]);
    shop.windows(100, [100]);
    expect(shop.window([80, 20], false)).toBeCloseTo(1, 1);
  });

  it('one request that took a minute does not make its operation an excuse', () => {
    const shop = new Shop([1_000, 2_000]);
    shop.windows(200, [90, 10]);
    shop.usUs = [1_000, 60_000_000];
    shop.window([90, 1]);
    shop.usUs = [1_000, 2_000];
    expect(shop.window([50, 50], false)).toBeLessThan(2);
  });

  it('remembers an operation that nobody asked for in a while', () => {
    const shop = new Shop([1_000, 20_000]);
    shop.windows(100, [90, 10]);
    shop.windows(2_000, [100, 0]);
    expect(shop.window([90, 10], false) / shop.window([100, 0], false)).toBeCloseTo(2.9, 0);
  });

  it('is another one for as long as it lasts, so that what takes longer by it is no rise', () => {
    const shop = new Shop([1_000, 20_000]);
    shop.windows(1_440, [95, 5]);
    const first = shop.window([75, 25]);
    expect(first).toBeCloseTo(575 / 195, 1);
    for (let w = 0; w < 720; w++) expect(Math.abs(Math.log(shop.window([75, 25]) / first))).toBeLessThan(0.15);
    expect(Math.abs(Math.log(shop.window([95, 5])))).toBeLessThan(0.15);
  });

  it('of two hours follows, for what cannot be put down to operations', () => {
    const shop = new Shop([1_000, 20_000]);
    shop.windows(1_440, [95, 5]);
    shop.windows(2_880, [75, 25]);
    const { mix } = shop;
    const expected = 75 * mix.expected[mix.operation(0, 1, 'op0')]! + 25 * mix.expected[mix.operation(0, 1, 'op1')]!;
    expect(mix.factor('service', 0, expected, 100)).toBeGreaterThan(2);
    expect(mix.factor('service', 0, expected, 100, 'slow')).toBeLessThan(1.25);
  });

  it('is what it was after a night in which nobody asked for anything', () => {
    const shop = new Shop(Array.from({ length: 10 }, () => 50_000));
    const counts = Array.from({ length: 10 }, (_, k) => 20 + k);
    shop.windows(300, counts);
    const usual = shop.mix.usualCount(4);
    const idle = counts.map(() => 0);
    shop.windows(3_000, idle);
    expect(shop.mix.usualCount(4)).toBe(usual);
    expect(shop.window(counts, false)).toBeCloseTo(1, 1);
  });

  it('forgets operations that no leaf names, of services that have very many', () => {
    const mix = new OperationMix();
    for (let k = 0; k < 1_200; k++) mix.operation(3, 1, `op${k}`);
    for (let k = 0; k < 900; k++) mix.operation(4, 1, `op${k}`);
    expect(mix.hasMany).toBe(true);
    const gone = mix.forget((service, side, name) => service === 3 && side === 1 && Number(name.slice(2)) >= 500);
    expect(gone).toEqual(Array.from({ length: 500 }, (_, k) => k));
    expect(mix.hasMany).toBe(false);
    expect([mix.nameOf(7), mix.nameOf(700), mix.nameOf(1_207)]).toEqual(['', 'op700', 'op7']);
    const restored = new OperationMix();
    restored.restore(JSON.parse(JSON.stringify(mix.save())));
    for (const each of [mix, restored]) {
      expect([each.operation(3, 1, 'op700'), each.operation(4, 1, 'op7')]).toEqual([700, 1_207]);
      expect([each.operation(5, 0, 'new'), each.operation(5, 0, 'newer')]).toEqual([0, 1]);
      expect([each.nameOf(0), each.serviceOf(0), each.isOneOfSeveral(0, 0), each.size]).toEqual([
        'new',
        5,
        true,
        2_100,
      ]);
    }
    expect(restored.save()).toEqual(mix.save());
  });

  it('is the same after a restart', () => {
    const shop = new Shop([1_000, 20_000, 500]);
    shop.windows(100, [80, 5, 15]);
    const mix = new OperationMix();
    mix.restore(JSON.parse(JSON.stringify(shop.mix.save())));
    const restarted = new Shop(shop.usUs, mix);
    for (let w = 0; w < 50; w++) {
      const counts = [80 - w, 5 + w, 15];
      expect(restarted.window(counts)).toBe(shop.window(counts));
    }
    expect(restarted.mix.save()).toEqual(shop.mix.save());
  });
});
