/** Services with a handful of requests a window: what too few of them cannot say, several windows together can. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_DETECT_CONFIG } from '../../src/detect/config.ts';
import { createDetector } from '../../src/detect/index.ts';
import { DurationFamily } from '../../src/detect/judge-duration.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { Anomaly } from '../../src/model/incident.ts';
import type { ClosedWindow } from '../../src/model/window.ts';
import { createRandom } from '../../src/stats/random.ts';
import type { Effect } from '../ingest/shop.ts';
import { SHOP, shop, T0, WINDOW_MS } from '../ingest/shop.ts';

const USUAL_US = 8_000;

const SPEC = { entity: 'edge', metric: 'duration_mean_us', symptoms: ['latency_rise'] } as const;

interface Seen {
  /** Window in which it opened; undefined: never. */
  readonly opened: number | undefined;
  readonly onset: number | undefined;
}

/** Poisson arrivals with exponential durations; from window `from` on `factor` times as long. */
function run(seed: number, perWindow: number, windows: number, from: number, factor: number, blocks = true): Seen {
  const random = createRandom(seed);
  const finer = new DurationFamily(SPEC, DEFAULT_DETECT_CONFIG);
  const family = blocks ? new DurationFamily(SPEC, DEFAULT_DETECT_CONFIG, {}, {}, finer) : finer;
  family.ensure(1);
  for (let w = 0; w < windows; w++) {
    let n = 0;
    for (let left = Math.exp(-perWindow), p = random(); p > left; p *= random()) n++;
    let sum = 0;
    for (let k = 0; k < n; k++) sum -= Math.log(1 - random()) * USUAL_US * (w >= from ? factor : 1);
    family.step(0, { atMs: w * WINDOW_MS, windowMs: WINDOW_MS, turn: w }, sum / n, n, 1, 1, false);
    if (family.tracks.isActive(0)) return { opened: w, onset: family.tracks.read(0).onsetMs / WINDOW_MS };
  }
  return { opened: undefined, onset: undefined };
}

const SEEDS = Array.from({ length: 40 }, (_, k) => k + 1);

describe('durations of sparse windows', () => {
  it('finds a service four times as slow with three requests a window, within four minutes', () => {
    const found = SEEDS.map((seed) => run(seed, 3, 448, 400, 4));
    expect(found.filter(({ opened }) => opened !== undefined && opened >= 400).length).toBeGreaterThanOrEqual(38);
  });

  it('puts the onset where the change may have begun, not windows after it', () => {
    for (const seed of SEEDS) {
      const { onset } = run(seed, 3, 448, 400, 4);
      if (onset !== undefined) expect(onset).toBeLessThanOrEqual(412);
      if (onset !== undefined) expect(onset).toBeGreaterThanOrEqual(388);
    }
  });

  it('says nothing of a healthy one in three hours', () => {
    const false_ = SEEDS.filter((seed) => run(seed, 3, 2_160, Number.POSITIVE_INFINITY, 1).opened !== undefined);
    expect(false_).toEqual([]);
  });

  it('asks for a minute where the score is so high that no number of requests would do', () => {
    const config = { ...DEFAULT_DETECT_CONFIG, openScore: 9 };
    const family = new DurationFamily(SPEC, config, {}, {}, new DurationFamily(SPEC, config));
    family.ensure(1);
    for (let w = 0; w < 12 * 8; w++) {
      const slow = w >= 12 * 6;
      family.step(0, { atMs: w * WINDOW_MS, windowMs: WINDOW_MS, turn: w }, slow ? 900_000 : 8_000, 50, 0.5, 1, false);
      expect(family.tracks.isActive(0)).toBe(w === 12 * 8 - 1);
    }
  });

  it('sees nothing window by window', () => {
    expect(SEEDS.filter((seed) => run(seed, 3, 448, 400, 4, false).opened !== undefined)).toEqual([]);
  });
});

/** The shop with an eightieth of its traffic: the gateway has 9 requests a window, its callees 4 and 6. */
function sparseShop(seed: number, windows: number, effects: readonly Effect[]): ClosedWindow[] {
  const ingest = createIngest();
  const edges = SHOP.map((edge) => ({ ...edge, rps: edge.rps / 80 }));
  const batches = shop({ seed, windows, edges, effects, instances: {} });
  return [...batches.flatMap((batch) => ingest.push(batch).closed), ...ingest.flush()];
}

/** Every anomaly of a service, the first time it is seen. */
function seenIn(windows: readonly ClosedWindow[]): {
  readonly anomalies: Map<string, Anomaly>;
  readonly opened: number;
} {
  const detector = createDetector();
  const anomalies = new Map<string, Anomaly>();
  let opened = 0;
  for (const window of windows) {
    opened += detector.step(window).filter(({ kind }) => kind === 'opened').length;
    for (const anomaly of detector.anomalies()) {
      const key = `${anomaly.entity.name} ${anomaly.symptom}`;
      if (anomaly.entity.kind === 'service' && !anomalies.has(key)) anomalies.set(key, anomaly);
    }
  }
  return { anomalies, opened };
}

const FAULT = 240;
const always = { fromMs: T0 + FAULT * WINDOW_MS, toMs: Number.POSITIVE_INFINITY };

describe('a shop with nine requests a window', () => {
  it.each([1, 2, 3])('one request in six that fails opens one incident (seed %d)', (seed) => {
    const { anomalies, opened } = seenIn(
      sparseShop(seed, FAULT + 72, [{ ...always, callee: 'cart', errorRatio: 1 / 6 }]),
    );
    expect(anomalies.get('cart error_rise')).toMatchObject({ metric: 'error_ratio' });
    expect(opened).toBe(1);
  });

  it.each([1, 2, 3])('a seventh of the traffic opens one incident, in requests a second (seed %d)', (seed) => {
    const { anomalies, opened } = seenIn(sparseShop(seed, FAULT + 72, [{ ...always, load: 1 / 7 }]));
    const fall = anomalies.get('gateway traffic_drop')!;
    expect(fall.baseline).toBeGreaterThan(1.4);
    expect(fall.baseline).toBeLessThan(2.4);
    expect(fall.current).toBeLessThan(0.7);
    // Half-minute blocks: it began in the first of them, and that is all that is known.
    expect(fall.onsetBlurMs).toBe(5 * WINDOW_MS);
    expect(Math.abs(fall.onsetMs - always.fromMs)).toBeLessThanOrEqual(6 * WINDOW_MS);
    expect(opened).toBe(1);
  });

  it.each([1, 2, 3, 4])('three healthy hours open nothing (seed %d)', (seed) => {
    const { anomalies, opened } = seenIn(sparseShop(seed, 2_160, []));
    expect([...anomalies.keys()]).toEqual([]);
    expect(opened).toBe(0);
  });

  it('a restored detector goes on with half a block', () => {
    const windows = sparseShop(5, FAULT + 60, [{ ...always, callee: 'cart', slower: 5 }]);
    const said = (detector: ReturnType<typeof createDetector>, window: ClosedWindow): string =>
      JSON.stringify([detector.step(window), detector.anomalies()]);
    const whole = createDetector();
    const expected = windows.map((window) => said(whole, window));
    expect(expected.at(-1)).toContain('latency_rise');
    for (const cut of [FAULT - 3, FAULT + 4, FAULT + 8]) {
      const first = createDetector();
      const before = windows.slice(0, cut).map((window) => said(first, window));
      const second = createDetector();
      second.restore(first.snapshot());
      expect([...before, ...windows.slice(cut).map((window) => said(second, window))]).toEqual(expected);
    }
  });
});
