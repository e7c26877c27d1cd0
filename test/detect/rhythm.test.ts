import { describe, expect, it } from 'vitest';
import { DEFAULT_DETECT_CONFIG } from '../../src/detect/config.ts';
import { DurationFamily } from '../../src/detect/judge-duration.ts';
import { RateFamily } from '../../src/detect/judge-rate.ts';
import { Rhythm } from '../../src/detect/rhythm.ts';
import { createRandom, normal, poisson } from '../../src/stats/index.ts';

const WINDOW_MS = 5_000;
const DAY = 17_280;
/** A Monday, 00:00 UTC. */
const START_MS = 1_780_272_000_000;

const moment = (w: number) => ({ atMs: START_MS + w * WINDOW_MS, windowMs: WINDOW_MS, turn: w });
const spec = (symptom: 'latency_rise' | 'traffic_rise', fall?: 'traffic_drop') => ({
  metric: 'test',
  entity: 'service' as const,
  symptoms: fall === undefined ? ([symptom] as const) : ([symptom, fall] as const),
});

/** Days (from 0) on which a family was alarmed at all. */
function alarmedDays(days: number, step: (w: number) => boolean): number[] {
  const found = new Set<number>();
  for (let w = 0; w < days * DAY; w++) if (step(w)) found.add(Math.floor(w / DAY));
  return [...found];
}

/** Slow every night from 02:00 for six minutes; `extra` windows are slow on the last day alone. */
function nightly(days: number, factor: (day: number) => number, extra = new Set<number>()) {
  const random = createRandom(3);
  const family = new DurationFamily(spec('latency_rise'), DEFAULT_DETECT_CONFIG);
  family.ensure(1);
  return alarmedDays(days, (w) => {
    const inJob = w % DAY >= 1440 && w % DAY < 1512;
    const slow = inJob ? factor(Math.floor(w / DAY)) : extra.has(w) ? 4 : 1;
    family.step(0, moment(w), 20_000 * slow * Math.exp(0.05 * normal(random)), 200, 1, 1, false);
    return family.tracks.isActive(0);
  });
}

describe('what recurs at the same time of day', () => {
  it('a nightly slowdown alarms on two days and never again', () => {
    expect(nightly(5, () => 4)).toEqual([0, 1]);
  });

  it('the same slowdown twice as strong, or at another time, still alarms', () => {
    expect(nightly(4, (day) => (day === 3 ? 9 : 4))).toEqual([0, 1, 3]);
    const noon = new Set(Array.from({ length: 60 }, (_, k) => 3 * DAY + DAY / 2 + k));
    expect(nightly(4, () => 4, noon)).toEqual([0, 1, 3]);
  });

  it('what happened at this time on one day alone is no rhythm', () => {
    expect(nightly(5, (day) => (day === 2 || day === 4 ? 4 : 1))).toEqual([2, 4]);
  });

  it('traffic that leaves every evening at once is no loss after two days; losing more is', () => {
    const falls = (last: number): number[] => {
      const random = createRandom(4);
      const family = new RateFamily(spec('traffic_rise', 'traffic_drop'), DEFAULT_DETECT_CONFIG);
      family.ensure(1);
      return alarmedDays(5, (w) => {
        const off = w % DAY >= 12_960;
        const level = off ? (w >= 4 * DAY ? last : 160) : 500;
        family.step(0, moment(w), poisson(random, level));
        return family.tracks.isActive(0) && w % DAY > 12_000;
      });
    };
    expect(falls(160)).toEqual([0, 1]);
    expect(falls(20)).toEqual([0, 1, 4]);
  });

  it('what comes on Mondays alone alarms on two of them and never again; the same on a Thursday alarms', () => {
    const random = createRandom(6);
    const family = new DurationFamily(spec('latency_rise'), DEFAULT_DETECT_CONFIG);
    family.ensure(1);
    // One window in four, so that five weeks are soon over; the job runs for an hour.
    const [minute, day] = [3, DAY / 4];
    const from = 9 * 60 * minute;
    const alarmed = new Set<number>();
    for (let w = 0; w < 30 * day; w++) {
      const today = Math.floor(w / day);
      const slow = (today % 7 === 0 || today === 24) && w % day >= from && w % day < from + 60 * minute;
      family.step(0, moment(4 * w), 20_000 * (slow ? 4 : 1) * Math.exp(0.05 * normal(random)), 200, 1, 1, false);
      if (family.tracks.isActive(0)) alarmed.add(today);
    }
    expect([...alarmed]).toEqual([0, 7, 24]);
  });

  it('a restored family decides the same', () => {
    const random = createRandom(5);
    const values = Array.from({ length: 3 * DAY }, (_, w) => {
      const slow = w % DAY >= 1440 && w % DAY < 1512 ? 4 : 1;
      return 20_000 * slow * Math.exp(0.05 * normal(random));
    });
    const make = () => {
      const family = new DurationFamily(spec('latency_rise'), DEFAULT_DETECT_CONFIG);
      family.ensure(1);
      return family;
    };
    let one = make();
    const whole = make();
    for (let w = 0; w < values.length; w++) {
      if (w === 2 * DAY + 1400) {
        const copy = make();
        copy.restore(JSON.parse(JSON.stringify(one.save())));
        one = copy;
      }
      for (const family of [one, whole]) family.step(0, moment(w), values[w]!, 200, 1, 1, false);
      expect(one.tracks.isActive(0)).toBe(whole.tracks.isActive(0));
    }
  });

  it('a restart with what was exported knows the rhythm, whatever numbers services get; a stale row fades', () => {
    const before = new Rhythm(true);
    before.ensure(2);
    const at = (day: number, hour: number): number => START_MS + day * 86_400_000 + hour * 3_600_000;
    for (const day of [0, 1]) {
      for (let k = 0; k < 3; k++) before.add(1, at(day, 2) + k * WINDOW_MS, 80);
      for (let k = 0; k < 3; k++) before.add(0, at(day, 5) + k * WINDOW_MS, 50);
    }
    const after = new Rhythm(true);
    after.import(JSON.parse(JSON.stringify(before.export(['web', 'db']))));
    after.ensure(1);
    after.adopt(0, 'db');
    expect(after.recurs(0, at(2, 2), 81)).toBe(true);
    expect(after.recurs(0, at(2, 5), 81)).toBe(false);
    expect(after.recurs(0, at(2, 2), 120)).toBe(false);
    // web was not seen again: its row is handed on, and leaves with its days.
    expect(Object.keys(after.export(['db'])[0]!.rows).sort()).toEqual(['db', 'web']);
    for (const day of [3, 4, 5]) for (let k = 0; k < 86_400_000; k += 900_000) after.add(0, at(day, 0) + k, 10);
    expect(Object.keys(after.export(['db'])[0]!.rows)).toEqual(['db']);
  });
});
