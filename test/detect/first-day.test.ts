import { describe, expect, it } from 'vitest';
import { FirstDay } from '../../src/detect/first-day.ts';
import { createRandom, normal } from '../../src/stats/random.ts';

const MINUTE = 60;

/** Alarms on a day of noise around 100 with a spike of 10 now and then; `change` may alter a point. */
function alarms(change: (i: number, value: number) => number, seed = 1): number[] {
  const random = createRandom(seed);
  const day = new FirstDay(MINUTE);
  const out: number[] = [];
  for (let i = 0; i < 1440; i++) {
    const spike = i % 200 === 100 ? 10 : 0;
    if (day.push(change(i, 100 + spike + normal(random))) >= 1) out.push(i);
  }
  return out;
}

describe('first day', () => {
  it('is quiet on noise, spikes, and a wave of the day', () => {
    for (const seed of [1, 2, 3]) {
      expect(alarms((_, value) => value, seed)).toEqual([]);
      expect(alarms((i, value) => value + 60 * Math.sin(i / 230), seed)).toEqual([]);
    }
  });

  it('names a step three times beyond the largest spike at its second point, and not the way back', () => {
    expect(alarms((i, value) => (i >= 720 && i < 780 ? value - 60 : value))).toEqual([721]);
    expect(alarms((i, value) => (i >= 720 && i < 780 ? value - 25 : value))).toEqual([]);
  });

  it('wants two points to the same side', () => {
    expect(alarms((i, value) => (i === 720 ? value + 200 : value))).toEqual([]);
    const toAndFro = (i: number) => (i === 720 ? 200 : i === 721 ? -200 : 0);
    expect(alarms((i, value) => value + toAndFro(i))).toEqual([]);
  });

  it('says nothing in its first four hours, and nothing of a curve that never moved', () => {
    const step = (from: number) => (i: number, value: number) => (i >= from ? value + 500 : value);
    expect(alarms(step(200))).toEqual([]);
    expect(alarms(step(300))).toEqual([301]);
    expect(alarms((i) => (i >= 720 ? 50 : 0))).toEqual([]);
  });
});
