import { describe, expect, it } from 'vitest';
import { DEFAULT_DETECT_CONFIG } from '../../src/detect/config.ts';
import { GaugeFamily } from '../../src/detect/judge-gauge.ts';
import { LimitDrift } from '../../src/detect/judge-limit.ts';
import { createRandom, normal } from '../../src/stats/index.ts';

const WINDOW_MS = 5_000;
const MINUTE = 12;
const HOUR = 60 * MINUTE;
const START_MS = 1_780_272_000_000;
const about = { entity: 'instance', metric: 'memory_limit_ratio', symptoms: ['memory_pressure'] } as const;

interface Said {
  readonly minute: number;
  readonly used: number;
  readonly fullInMinutes: number;
}

/** Every minute in which it says that the gauge runs full. @param used  by the minute */
function run(minutes: number, used: (minute: number) => number, from = 0, family = make()): Said[] {
  const random = createRandom(1);
  const said: Said[] = [];
  for (let w = from * MINUTE; w < minutes * MINUTE; w++) {
    const value = Math.min(1, used(w / MINUTE)) * (1 + 0.002 * normal(random));
    family.step(0, { atMs: START_MS + w * WINDOW_MS, windowMs: WINDOW_MS, turn: w + 1 }, value, 1);
    if (!family.tracks.isActive(0) || (w + 1) % MINUTE !== 0) continue;
    const endMs = START_MS + (w + 1) * WINDOW_MS;
    const fullInMinutes = (family.limitAtMs(0) - endMs) / 60_000;
    said.push({ minute: (w + 1) / MINUTE, used: value, fullInMinutes });
  }
  return said;
}

function make(): LimitDrift {
  const limits = { floor: 0.01, floorRatio: 0, minRise: 0.05, minRiseRatio: 0, minValue: 0.9 };
  const family = new LimitDrift(about, DEFAULT_DETECT_CONFIG, new GaugeFamily(about, DEFAULT_DETECT_CONFIG, limits));
  family.ensure(1);
  return family;
}

describe('what runs full little by little', () => {
  it('is said from half of it on, within an hour of its limit, with when', () => {
    // Full after 150 minutes.
    const said = run(140, (minute) => 0.1 + (0.9 * minute) / 150);
    expect(said[0]!.minute).toBeGreaterThanOrEqual(90);
    expect(said[0]!.minute).toBeLessThanOrEqual(95);
    for (const { minute, fullInMinutes } of said) expect(Math.abs(minute + fullInMinutes - 150)).toBeLessThan(6);
    expect(said.at(-1)!.minute).toBe(140);
  });

  it.each([
    ['what is full all along', () => 0.97],
    ['what will be full tomorrow', (minute: number) => 0.6 + (0.05 * minute) / 60],
    ['what is less than half full', (minute: number) => Math.min(0.45, 0.05 + (0.4 * minute) / 180)],
    ['a cache that warms up', (minute: number) => 0.9 * (1 - Math.exp(-minute / 15))],
    ['a heap that is collected every twenty minutes', (minute: number) => 0.5 + 0.02 * (minute % 20)],
    ['memory that comes and goes with the day', (minute: number) => 0.6 + 0.3 * Math.sin(minute / 120)],
  ] as const)('nothing of %s', (_, used) => {
    // Of what moves with the day an hour before the turn may look like it.
    const said = run(600, used).filter(({ fullInMinutes }) => fullInMinutes < 30);
    expect(said).toEqual([]);
  });

  it('ends when what was taken is given back', () => {
    const said = run(160, (minute) => (minute < 110 ? 0.1 + (0.9 * minute) / 130 : 0.3));
    expect(said.length).toBeGreaterThan(10);
    expect(said.at(-1)!.minute).toBeLessThanOrEqual(118);
  });

  it('a restored family says the same', () => {
    const used = (minute: number): number => 0.1 + (0.9 * minute) / 150;
    const random = createRandom(2);
    const values = Array.from({ length: 2 * HOUR }, (_, w) => used(w / MINUTE) + 0.002 * normal(random));
    let one = make();
    const whole = make();
    values.forEach((value, w) => {
      if (w === 100 * MINUTE + 5) {
        const copy = make();
        copy.restore(JSON.parse(JSON.stringify(one.save())));
        one = copy;
      }
      for (const family of [one, whole])
        family.step(0, { atMs: START_MS + w * WINDOW_MS, windowMs: WINDOW_MS, turn: w + 1 }, value, 1);
      expect(one.tracks.isActive(0)).toBe(whole.tracks.isActive(0));
      expect(one.limitAtMs(0)).toBe(whole.limitAtMs(0));
    });
    expect(whole.tracks.isActive(0)).toBe(true);
  });
});
