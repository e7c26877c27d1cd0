/** Per-window values of a metric before and during -> MetricPair. */
import type { MetricPair } from '../model/comparison.ts';
import { MAD_SCALE, medianInPlace } from '../stats/robust.ts';

/** Windows a spread needs (comparison.ts says so). */
const MIN_SPREAD_WINDOWS = 5;
/** Windows a band needs before an onset can be told. */
const MIN_BAND_WINDOWS = 3;
/** Width of the baseline band in spreads, and its least relative half-width. */
const BAND_SPREADS = 4;
const BAND_RATIO = 0.2;

/** What shows within so many windows of a cut was there before it: what is rare need not show in the first. */
const CUT_WINDOWS = 6;

/** Sums from before the detail: no single windows any more. */
export interface Extra {
  readonly sum: number;
  readonly windows: number;
}

export class PairBuilder {
  readonly #baseline: Float64Array;
  readonly #starts: readonly number[];
  readonly #before: number;
  readonly #cut: number;

  /**
   * @param before  number of baseline windows
   * @param starts  start of each current window
   * @param isCut   single windows before the first of `starts` are no longer known: what it shows may have begun earlier
   */
  constructor(before: number, starts: readonly number[], isCut: boolean) {
    this.#before = before;
    this.#starts = starts;
    this.#cut = isCut ? CUT_WINDOWS : 0;
    this.#baseline = new Float64Array(before);
  }

  /** @param values baseline windows first, then current ones; NaN: unknown. Undefined when nothing is known. */
  build(metric: string, values: ArrayLike<number>, extra: Extra = NO_EXTRA): MetricPair | undefined {
    const scratch = this.#baseline;
    let n = 0;
    let sum = 0;
    let least = Infinity;
    let most = -Infinity;
    for (let i = 0; i < this.#before; i++) {
      const value = values[i]!;
      if (Number.isNaN(value)) continue;
      scratch[n++] = value;
      sum += value;
      if (value < least) least = value;
      if (value > most) most = value;
    }
    let currentSum = 0;
    let currentWindows = 0;
    let currentMax = -Infinity;
    for (let i = 0; i < this.#starts.length; i++) {
      const value = values[this.#before + i]!;
      if (Number.isNaN(value)) continue;
      currentSum += value;
      currentWindows++;
      if (value > currentMax) currentMax = value;
    }
    const known = Number.isNaN(extra.sum) ? NO_EXTRA : extra;
    const baselineWindows = n + known.windows;
    if (baselineWindows + currentWindows === 0) return undefined;
    const constant = least === most;
    const center = constant ? least : medianInPlace(scratch, n);
    for (let i = 0; i < n && !constant; i++) scratch[i] = Math.abs(scratch[i]! - center);
    const deviation = constant ? 0 : MAD_SCALE * medianInPlace(scratch, n);
    const spread = n < MIN_SPREAD_WINDOWS ? Number.NaN : deviation;
    const onsetMs = n < MIN_BAND_WINDOWS ? undefined : this.#onset(values, center, Number.isNaN(spread) ? 0 : spread);
    return {
      metric,
      baselineMean: baselineWindows === 0 ? Number.NaN : (sum + known.sum) / baselineWindows,
      baselineSpread: spread,
      currentMean: currentWindows === 0 ? Number.NaN : currentSum / currentWindows,
      currentMax: currentWindows === 0 ? Number.NaN : currentMax,
      baselineWindows,
      currentWindows,
      ...(onsetMs === undefined ? {} : { onsetMs }),
    };
  }

  #onset(values: ArrayLike<number>, center: number, spread: number): number | undefined {
    const band = Math.max(BAND_SPREADS * spread, BAND_RATIO * Math.abs(center));
    for (let i = 0; i < this.#starts.length; i++) {
      if (Math.abs(values[this.#before + i]! - center) > band) return i < this.#cut ? undefined : this.#starts[i];
    }
    return undefined;
  }
}

const NO_EXTRA: Extra = { sum: 0, windows: 0 };
