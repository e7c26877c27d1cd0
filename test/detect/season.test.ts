import { describe, expect, it } from 'vitest';
import { SeasonalGauge } from '../../src/detect/index.ts';
import { createRandom, normal } from '../../src/stats/random.ts';

const MINUTE = 60;
const DAY = 1440;

const isCron = (i: number) => i % DAY >= 180 && i % DAY < 185;

/** A day's wave with a cron peak at 03:00 and noise; `change` may alter a point. */
function alarms(days: number, change: (i: number, value: number) => number, seed = 1): number[] {
  const random = createRandom(seed);
  const gauge = new SeasonalGauge(MINUTE);
  const out: number[] = [];
  for (let i = 0; i < days * DAY; i++) {
    const cron = isCron(i) ? 80 : 0;
    const value = 100 + 40 * Math.sin((2 * Math.PI * i) / DAY) + cron + 2 * normal(random);
    if (gauge.push(i * MINUTE, change(i, value)).alarm) out.push(i);
  }
  return out;
}

describe('seasonal gauge', () => {
  it('is quiet on ten days of wave, noise and a nightly peak', () => {
    for (const seed of [1, 2, 3]) expect(alarms(10, (_, value) => value, seed).length).toBeLessThanOrEqual(2);
  });

  it('finds a spike, a dip that stays inside the daily range, and a new level, at their first points', () => {
    const at = 8 * DAY + 700;
    expect(alarms(9, (i, value) => (i === at ? value + 40 : value))).toContain(at);
    // At the peak of the wave the dip stays above the daily mean.
    const peak = 8 * DAY + 360;
    expect(alarms(9, (i, value) => (i >= peak && i < peak + 5 ? value - 30 : value))).toContain(peak);
    expect(alarms(9, (i, value) => (i >= at ? value + 60 : value)).some((i) => i >= at && i < at + 3)).toBe(true);
  });

  it('names a step within three points and not the way back', () => {
    const from = 8 * DAY + 700;
    const found = alarms(10, (i, value) => (i >= from && i < from + 20 ? value - 40 : value));
    expect(found.some((i) => i >= from && i < from + 3)).toBe(true);
    expect(found.filter((i) => i >= from + 20)).toEqual([]);
  });

  it('lets a series of zeros have its usual spikes', () => {
    const random = createRandom(7);
    const gauge = new SeasonalGauge(MINUTE);
    let usual = 0;
    for (let i = 0; i < 9 * DAY; i++) {
      const value = random() < 0.03 ? 5 + 10 * random() : 0;
      if (gauge.push(i * MINUTE, value).alarm) usual++;
    }
    expect(usual).toBeLessThanOrEqual(9);
    expect(gauge.push(9 * DAY * MINUTE, 500).alarm).toBe(true);
  });

  it('names silence at its third point, also after an outage that lasted a day', () => {
    const [first, again] = [2 * DAY + 300, 5 * DAY + 300];
    const silent = (i: number) => (i >= first && i < first + DAY) || (i >= again && i < again + 30);
    const found = alarms(6, (i, value) => (silent(i) ? 0 : value));
    for (const from of [first, again]) {
      expect(found.filter((i) => i < from + 3).at(-1)).toBeGreaterThanOrEqual(from);
      expect(found).toContain(from + 29);
    }
    expect(found).not.toContain(again + 30);
  });

  it('takes for usual what is silent every night, mostly, or for more than a day', () => {
    const night = (i: number) => i % DAY >= 60 && i % DAY < 120;
    expect(alarms(6, (i, value) => (night(i) ? 0 : value)).filter(night)).toEqual([]);
    const mostly = (i: number) => i % 7 > 0;
    expect(alarms(6, (i, value) => (mostly(i) ? 0 : value)).filter(mostly)).toEqual([]);
    const gone = 3 * DAY;
    const found = alarms(6, (i, value) => (i >= gone ? 0 : value));
    expect(found).toContain(gone + DAY - 1);
    // But for the nightly peak, which is missed.
    expect(found.filter((i) => i >= gone + DAY + 150 && !isCron(i))).toEqual([]);
  });

  it('names on the first day what dwarfs all before, not a spike as high as others', () => {
    expect(alarms(1, (i, value) => (i % 400 === 399 ? value * 5 : value))).toEqual([]);
    const at = 700;
    expect(alarms(1, (i, value) => (i >= at && i < at + 20 ? value + 300 : value))).toEqual([at + 1]);
  });

  it('asks for more where the daily swing is large, and in a restless hour', () => {
    const at = 8 * DAY + 720;
    const scoreAt = (swing: number, storm: number) => {
      const random = createRandom(3);
      const gauge = new SeasonalGauge(MINUTE);
      for (let i = 0; i < at; i++) {
        const isStorm = i >= at - 25 && i < at - 3;
        const noise = normal(random) * (isStorm ? storm : 1);
        gauge.push(i * MINUTE, 1000 + swing * Math.sin((2 * Math.PI * i) / DAY) + noise);
      }
      return gauge.push(at * MINUTE, 1020).score;
    };
    const calm = scoreAt(10, 1);
    expect(calm).toBeGreaterThan(1);
    // The range is some twelve times as large: 12 ** 0.3 is 2.1.
    expect(calm / scoreAt(200, 1)).toBeGreaterThan(1.6);
    expect(calm / scoreAt(200, 1)).toBeLessThan(3);
    expect(calm / scoreAt(10, 3)).toBeGreaterThan(1.1);
  });

  it('skips what is unknown', () => {
    const gauge = new SeasonalGauge(MINUTE);
    expect(gauge.push(0, Number.NaN)).toEqual({ score: 0, alarm: false });
  });
});
