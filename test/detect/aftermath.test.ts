/** What a long trouble leaves behind: levels learned in it, and what its end looks like. */
import { describe, expect, it } from 'vitest';
import { callFamilies } from '../../src/detect/call-families.ts';
import { DEFAULT_DETECT_CONFIG } from '../../src/detect/config.ts';
import type { Moment } from '../../src/detect/family.ts';
import { DurationFamily } from '../../src/detect/judge-duration.ts';
import { RateFamily } from '../../src/detect/judge-rate.ts';
import { OperationMix } from '../../src/detect/operation-mix.ts';
import { createRandom, poisson } from '../../src/stats/random.ts';

const HOUR = 720;
const moment = (turn: number): Moment => ({ atMs: turn * 5_000, windowMs: 5_000, turn });

/** Stretches of so many windows at a level; @returns those in which a fall was abnormal. */
function fallsIn(stretches: readonly (readonly [windows: number, level: number])[]): number[] {
  const random = createRandom(3);
  const family = new RateFamily(
    { entity: 'service', metric: 'request_rate_per_s', symptoms: ['traffic_rise', 'traffic_drop'] },
    DEFAULT_DETECT_CONFIG,
  );
  family.ensure(1);
  let turn = 0;
  return stretches.flatMap(([windows, level], k) => {
    let fell = false;
    for (let w = 0; w < windows; w++) {
      family.step(0, moment(turn++), level > 0 ? poisson(random, level) : 0);
      if (family.tracks.isActive(0) && family.tracks.read(0).direction === 1) fell = true;
    }
    return fell ? [k] : [];
  });
}

describe('traffic', () => {
  it('that comes back from a surge of an hour has not fallen; what falls below the level before it has', () => {
    const surge = [
      [HOUR, 200],
      [HOUR, 700],
    ] as const;
    expect(fallsIn([...surge, [HOUR, 200]])).toEqual([]);
    expect(fallsIn([...surge, [60, 20]])).toEqual([2]);
    expect(fallsIn([...surge, [HOUR, 200], [60, 20]])).toEqual([3]);
  });

  it('that was lost for an hour and came back may be lost again', () => {
    expect(
      fallsIn([
        [HOUR, 200],
        [HOUR, 0],
        [HOUR, 200],
        [60, 0],
      ]),
    ).toEqual([1, 3]);
  });
});

describe('errors', () => {
  it('of a third of the requests are no new normal after an hour', () => {
    const { errors } = callFamilies(DEFAULT_DETECT_CONFIG, new OperationMix()).views.service;
    errors.ensure(1);
    for (let turn = 0; turn < 2 * HOUR; turn++) errors.step(0, moment(turn), turn < HOUR ? 0 : 60, 200);
    expect(errors.tracks.isActive(0)).toBe(true);
    expect(errors.tracks.read(0).baseline).toBeLessThan(0.01);
  });
});

describe('durations', () => {
  const duration = (isTold: boolean): boolean => {
    const family = new DurationFamily(
      { entity: 'service', metric: 'duration_mean_us', symptoms: ['latency_rise'] },
      DEFAULT_DETECT_CONFIG,
    );
    family.ensure(1);
    for (let turn = 0; turn < HOUR; turn++) {
      const failing = turn >= 200 && turn < 500;
      family.step(0, moment(turn), failing ? 2_000 : 30_000, 200, 1, 1, false, 1, isTold && failing);
    }
    return family.tracks.isActive(0);
  };

  it('of requests that fail at once are no level: to be as slow as ever again is no slowness', () => {
    expect(duration(true)).toBe(false);
    expect(duration(false)).toBe(true);
  });
});
