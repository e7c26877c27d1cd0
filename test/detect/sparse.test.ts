/** Services with a handful of requests a window: what too few of them cannot say, several windows together can. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_DETECT_CONFIG } from '../../src/detect/config.ts';
import { DurationFamily } from '../../src/detect/judge-duration.ts';
import { createRandom } from '../../src/stats/random.ts';

const WINDOW_MS = 5_000;
const USUAL_US = 8_000;

interface Seen {
  /** Window in which it opened; undefined: never. */
  readonly opened: number | undefined;
  readonly onset: number | undefined;
}

/** Poisson arrivals with exponential durations; from window `from` on `factor` times as long. */
function run(seed: number, perWindow: number, windows: number, from: number, factor: number, blocks = true): Seen {
  const random = createRandom(seed);
  const family = new DurationFamily(
    { entity: 'edge', metric: 'duration_mean_us', symptoms: ['latency_rise'] },
    DEFAULT_DETECT_CONFIG,
    { blocks, warmup: 6 },
  );
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

  it('sees nothing window by window', () => {
    expect(SEEDS.filter((seed) => run(seed, 3, 448, 400, 4, false).opened !== undefined)).toEqual([]);
  });
});
