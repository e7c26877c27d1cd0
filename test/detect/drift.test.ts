import { describe, expect, it } from 'vitest';
import { DEFAULT_DETECT_CONFIG } from '../../src/detect/config.ts';
import { DurationDrift, ErrorDrift, RateDrift } from '../../src/detect/judge-drift.ts';
import { DurationFamily } from '../../src/detect/judge-duration.ts';
import { GaugeFamily } from '../../src/detect/judge-gauge.ts';
import { GaugeDrift } from '../../src/detect/judge-gauge-drift.ts';
import { RateFamily } from '../../src/detect/judge-rate.ts';
import { RatioFamily } from '../../src/detect/judge-ratio.ts';
import { createRandom, normal, poisson } from '../../src/stats/index.ts';

const WINDOW_MS = 5_000;
const MINUTE = 12;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** A Monday, 00:00 UTC. */
const START_MS = 1_780_272_000_000;
const REQUESTS = 300;

const moment = (w: number) => ({ atMs: START_MS + w * WINDOW_MS, windowMs: WINDOW_MS, turn: w });
const spec = (
  metric: string,
  symptoms: readonly ['latency_rise' | 'error_rise'] | readonly ['traffic_rise', 'traffic_drop'],
) => ({
  metric,
  entity: 'service' as const,
  symptoms,
});

/** What the service does in a window: factors on its time and traffic, share of requests that fail. */
interface Doing {
  readonly slower?: number;
  readonly load?: number;
  readonly failing?: number;
}

/** The families of one service, fed as CallSeries does. */
class Watched {
  readonly #random;
  readonly duration = new DurationFamily(spec('duration_mean_us', ['latency_rise']), DEFAULT_DETECT_CONFIG);
  readonly errors = new RatioFamily(spec('error_ratio', ['error_rise']), DEFAULT_DETECT_CONFIG, {
    floor: 0.001,
    minRise: 0.01,
    minNumerator: 5,
    minFactor: 2,
    minVolume: 10,
  });
  readonly rate = new RateFamily(spec('request_rate_per_s', ['traffic_rise', 'traffic_drop']), DEFAULT_DETECT_CONFIG);
  readonly slow = {
    duration: new DurationDrift(this.duration.spec, DEFAULT_DETECT_CONFIG, [this.duration]),
    errors: new ErrorDrift(this.errors.spec, DEFAULT_DETECT_CONFIG, [this.errors]),
    rate: new RateDrift(this.rate.spec, DEFAULT_DETECT_CONFIG, [this.rate]),
  };
  readonly fast = [this.duration, this.errors, this.rate];

  constructor(seed = 1) {
    this.#random = createRandom(seed);
    for (const family of [...this.fast, ...this.drifts]) family.ensure(1);
  }

  get drifts() {
    return Object.values(this.slow);
  }

  /** Draws the window's requests. */
  draw({ slower = 1, load = 1, failing = 0.0005 }: Doing) {
    const count = poisson(this.#random, REQUESTS * load);
    return {
      count,
      failed: Math.min(count, poisson(this.#random, count * failing)),
      meanUs: 20_000 * slower * Math.exp(0.08 * normal(this.#random)),
    };
  }

  take(w: number, { count, failed, meanUs }: ReturnType<Watched['draw']>): void {
    const load = this.rate.load(0, count);
    this.rate.step(0, moment(w), count);
    this.slow.rate.step(0, moment(w), count, 1);
    this.errors.step(0, moment(w), failed, count);
    this.slow.errors.step(0, moment(w), failed, count);
    this.duration.step(0, moment(w), meanUs, count, 1, load, false);
    this.slow.duration.step(0, moment(w), meanUs * count, count);
  }

  alarmed(): string[] {
    return [...this.fast.map((family) => ['sudden', family] as const), ...this.drifts.map((f) => ['slow', f] as const)]
      .filter(([, family]) => family.tracks.isActive(0))
      .map(([how, family]) => `${how} ${family.spec.metric}`);
  }
}

/** First window of each alarm. */
function run(windows: number, doing: (w: number) => Doing, watched = new Watched(), from = 0): Map<string, number> {
  const seen = new Map<string, number>();
  for (let w = from; w < windows; w++) {
    watched.take(w, watched.draw(doing(w)));
    for (const name of watched.alarmed()) if (!seen.has(name)) seen.set(name, w);
  }
  return seen;
}

/** 0 before, 1 after `length` windows from `from` on. */
const grown = (w: number, from: number, length: number): number => Math.min(1, Math.max(0, (w - from) / length));

describe('what grows little by little', () => {
  const from = 2 * HOUR;

  it.each([30, 60, 90])('three times the time over %d minutes is told; a baseline of minutes learns it', (minutes) => {
    const watched = new Watched();
    const end = from + (minutes + 5) * MINUTE;
    const seen = run(end, (w) => ({ slower: 1 + 2 * grown(w, from, minutes * MINUTE) }), watched);
    expect([...seen.keys()]).toEqual(['slow duration_mean_us']);
    const grownAt = watched.slow.duration.grownSinceMs(0);
    // A quarter of what was there at the alarm shows by then, to a block of five minutes.
    expect((grownAt - START_MS) / WINDOW_MS).toBeGreaterThanOrEqual(from);
    expect((grownAt - START_MS) / WINDOW_MS).toBeLessThanOrEqual(from + (minutes / 3) * MINUTE);
    const { baseline, current } = watched.slow.duration.tracks.read(0);
    expect(baseline).toBeGreaterThan(18_000);
    expect(baseline).toBeLessThan(26_000);
    expect(current).toBeGreaterThan(2 * baseline);
  });

  it('a fifth of requests failing, over an hour, is told within minutes', () => {
    const seen = run(from + HOUR, (w) => ({ failing: 0.0005 + 0.2 * grown(w, from, HOUR) }));
    const told = Math.min(...seen.values());
    expect((told - from) / MINUTE).toBeLessThanOrEqual(12);
  });

  it('traffic that fades to a tenth over half an hour is told; sudden falls are left to others', () => {
    const fading = run(from + HOUR, (w) => ({ load: 1 - 0.9 * grown(w, from, HOUR / 2) }));
    expect([...fading.keys()]).toEqual(['slow request_rate_per_s']);
    const fallen = run(from + HOUR / 4, (w) => ({ load: w < from ? 1 : 0.1 }));
    expect([...fallen.keys()]).toEqual(['sudden request_rate_per_s']);
  });

  it('ends when it is over', () => {
    const watched = new Watched();
    const slower = (w: number): number => 1 + 2 * grown(w, from, HOUR) - 2 * grown(w, from + HOUR, MINUTE);
    const seen = run(from + HOUR + 10 * MINUTE, (w) => ({ slower: slower(w) }), watched);
    expect([...seen.keys()]).toEqual(['slow duration_mean_us']);
    expect(watched.alarmed()).toEqual([]);
  });
});

describe('a gauge of a machine that rises little by little', () => {
  const limits = { floor: 0.02, floorRatio: 0, minRise: 0.1, minRiseRatio: 0, minValue: -Infinity };
  const about = { entity: 'machine', metric: 'psi_io_some_ratio', symptoms: ['resource_rise'] } as const;
  const alarms = (value: (w: number) => number): string[] => {
    const random = createRandom(1);
    const fast = new GaugeFamily(about, DEFAULT_DETECT_CONFIG, limits);
    const slow = new GaugeDrift(about, DEFAULT_DETECT_CONFIG, limits, fast);
    for (const family of [fast, slow]) family.ensure(1);
    const seen = new Set<string>();
    for (let w = 0; w < 4 * HOUR; w++) {
      const read = value(w) * (1 + 0.05 * normal(random));
      fast.step(0, moment(w), read);
      slow.step(0, moment(w), read, 1);
      if (fast.tracks.isActive(0)) seen.add('sudden');
      if (slow.tracks.isActive(0)) seen.add('slow');
    }
    return [...seen];
  };

  it('is told by the blocks of two hours alone, what jumps by the windows, and a third more is nothing', () => {
    expect(alarms((w) => 0.02 + 0.4 * grown(w, 2 * HOUR, 90 * MINUTE))).toEqual(['slow']);
    expect(alarms((w) => (w >= 2 * HOUR && w < 2 * HOUR + 10 * MINUTE ? 0.4 : 0.02))).toEqual(['sudden']);
    expect(alarms((w) => 0.15 + 0.05 * grown(w, 2 * HOUR, HOUR))).toEqual([]);
  });
});

describe('what is no fault', () => {
  it.each([1, 2, 3])('two days with six times the traffic by day and queueing (seed %d)', (seed) => {
    const load = (w: number): number => 1 + 2.5 * (1 - Math.cos((2 * Math.PI * w) / DAY));
    expect([...run(2 * DAY, (w) => ({ load: load(w), slower: load(w) ** 0.4 }), new Watched(seed)).keys()]).toEqual([]);
  });

  it('a load test of an hour that ramps up and down', () => {
    const load = (w: number): number => 1 + 5 * (grown(w, 2 * HOUR, 20 * MINUTE) - grown(w, 3 * HOUR, 20 * MINUTE));
    expect([...run(5 * HOUR, (w) => ({ load: load(w), slower: load(w) ** 0.4 })).keys()]).not.toContainEqual(
      expect.stringMatching(/slow|drop/),
    );
  });

  it('an evening that takes nine tenths of the traffic in three hours', () => {
    expect([...run(8 * HOUR, (w) => ({ load: 0.1 ** grown(w, 3 * HOUR, 3 * HOUR) })).keys()]).toEqual([]);
  });

  it('a new level that the judge of windows has accepted: half an hour of alarm, no other after it', () => {
    const watched = new Watched();
    const seen = run(2 * HOUR, (w) => ({ slower: w < HOUR ? 1 : 3 }), watched);
    expect([...seen.keys()]).toEqual(['sudden duration_mean_us']);
    expect(watched.alarmed()).toEqual([]);
  });

  it('the minutes around a sudden fault that is over', () => {
    const seen = run(3 * HOUR, (w) => ({ slower: w >= 2 * HOUR && w < 2 * HOUR + 4 * MINUTE ? 10 : 1 }));
    expect([...seen.keys()]).toEqual(['sudden duration_mean_us']);
  });

  it('what both of the last two days showed at this time', () => {
    const seen = new Set<number>();
    const watched = new Watched();
    for (let w = 0; w < 3.5 * DAY; w++) {
      const time = w % DAY;
      const slower = 1 + 2 * (grown(time, 3 * HOUR, HOUR) - grown(time, 4 * HOUR, HOUR));
      watched.take(w, watched.draw({ slower: w >= 3 * DAY ? 1 + (slower - 1) * 2.5 : slower }));
      if (watched.alarmed().length > 0) seen.add(Math.floor(w / DAY));
    }
    // The fourth day is much slower than all before.
    expect([...seen]).toEqual([0, 1, 3]);
  });
});

describe('an engine that starts again', () => {
  const fault = 3 * HOUR;
  const doing = (w: number): Doing => ({ slower: 1 + 2 * grown(w, fault, HOUR) });
  const end = fault + 90 * MINUTE;

  /** The windows as they were drawn, for all to take. */
  const drawn = (() => {
    const watched = new Watched(7);
    return Array.from({ length: end }, (_, w) => watched.draw(doing(w)));
  })();
  const whole = (() => {
    const watched = new Watched();
    return drawn.map((window, w) => {
      watched.take(w, window);
      return watched.alarmed().join();
    });
  })();

  it('decides as if it had not stopped, from a snapshot', () => {
    let watched = new Watched();
    drawn.forEach((window, w) => {
      if (w === fault + 31 * MINUTE + 3) {
        const next = new Watched();
        watched.drifts.forEach((family, k) => {
          next.drifts[k]!.restore(JSON.parse(JSON.stringify(family.save())));
        });
        watched.fast.forEach((family, k) => {
          next.fast[k]!.restore(JSON.parse(JSON.stringify(family.save())));
        });
        watched = next;
      }
      watched.take(w, window);
      expect(watched.alarmed().join()).toBe(whole[w]);
    });
    expect(new Set(whole)).toEqual(new Set(['', 'slow duration_mean_us']));
  });

  it('and from exported blocks with 45 minutes of the log read again, out of phase with the minutes', () => {
    const alarm = whole.findIndex((names) => names !== '');
    const exported = alarm - 10 * MINUTE;
    const before = new Watched();
    for (let w = 0; w < exported; w++) before.take(w, drawn[w]!);
    const after = new Watched();
    for (const [k, family] of after.drifts.entries()) {
      family.importBlocks(JSON.parse(JSON.stringify(before.drifts[k]!.exportBlocks(['web']))));
      family.adopt(0, 'web');
    }
    const readFrom = alarm - 45 * MINUTE - 5;
    for (let w = readFrom; w < end; w++) {
      after.take(w, drawn[w]!);
      if (w >= readFrom + 10 * MINUTE) expect(after.alarmed().join(), `window ${w}`).toBe(whole[w]);
    }
    expect(after.slow.duration.grownSinceMs(0)).toBeGreaterThan(START_MS + fault * WINDOW_MS);
  });

  it('hands on the blocks of who is not seen again yet', () => {
    const before = new Watched();
    for (let w = 0; w < HOUR; w++) before.take(w, drawn[w]!);
    const rows = before.slow.errors.exportBlocks(['web']);
    const after = new Watched();
    after.slow.errors.importBlocks(rows);
    expect(after.slow.errors.exportBlocks([])).toEqual(rows);
  });
});
