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
  readonly #skipped: number;
  readonly #cut: number;

  /**
   * @param before   number of baseline windows
   * @param skipped  number of windows after them that only tell when something began
   * @param starts   start of each skipped and each current window
   * @param isCut    single windows before the first of `starts` are no longer known: what it shows may have begun earlier
   */
  constructor(before: number, skipped: number, starts: readonly number[], isCut: boolean) {
    this.#before = before;
    this.#skipped = skipped;
    this.#starts = starts;
    this.#cut = isCut ? CUT_WINDOWS : 0;
    this.#baseline = new Float64Array(before);
  }

  /**
   * @param values  baseline windows first, then skipped and current ones; NaN: unknown. Undefined when nothing is known.
   * @param silent  baseline windows in which nobody told of it who would have: it begins where somebody does
   */
  build(metric: string, values: ArrayLike<number>, extra: Extra = NO_EXTRA, silent = 0): MetricPair | undefined {
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
    for (let i = this.#skipped; i < this.#starts.length; i++) {
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
    const onsetMs = this.#onset(values, n === 0 ? 0 : center, Number.isNaN(spread) ? 0 : spread, Math.max(n, silent));
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

  #onset(values: ArrayLike<number>, center: number, spread: number, before: number): number | undefined {
    if (before < MIN_BAND_WINDOWS) return undefined;
    const band = Math.max(BAND_SPREADS * spread, BAND_RATIO * Math.abs(center));
    for (let i = 0; i < this.#starts.length; i++) {
      if (Math.abs(values[this.#before + i]! - center) > band) return i < this.#cut ? undefined : this.#starts[i];
    }
    return undefined;
  }
}

const NO_EXTRA: Extra = { sum: 0, windows: 0 };
