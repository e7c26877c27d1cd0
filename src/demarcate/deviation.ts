/** How far a series' window lies from its own past, in log units that are comparable between series. */

import { DEFAULT_FALLBACK } from './fallback-settings.ts';

/** Values of the past, and of the window in question. */
export interface Samples {
  readonly baseline: Float64Array;
  readonly current: Float64Array;
}

/** Samples of the past that a comparison needs. */
export const MIN_PAST = 5;
/** Windows of so many samples are judged without their most extreme one. */
const BLIP_FROM = 3;

/** Robust standard deviations -> log units: 0 below the quiet range, capped. */
export function logExcess(z: number, { quietZ, maxZ } = DEFAULT_FALLBACK): number {
  return Math.log1p(Math.min(maxZ, Math.max(0, z - quietZ)));
}

/**
 * Robust standard deviations by which the window lies off, the way that is worse; 0: unknown.
 * @param floor least scatter, in the metric's unit; `spiky` a measure whose single spikes mean nothing
 */
export function standardised(
  baseline: Float64Array,
  current: Float64Array,
  worse: 1 | -1 | 0,
  floor = 0,
  spiky = false,
  settings = DEFAULT_FALLBACK,
): number {
  const past = finite(baseline);
  const now = finite(current);
  if (!isComparable(past, now)) return 0;
  const middle = quantile(past, 0.5);
  const spread = Math.max(
    (quantile(past, 0.75) - quantile(past, 0.25)) / 1.349,
    (quantile(past, 0.95) - quantile(past, 0.05)) / 3.29,
  );
  const sparse =
    spiky && quantile(past, 0.75) === quantile(past, 0.25)
      ? (quantile(past, 1) - quantile(past, 0)) / settings.spikeRange
      : 0;
  const scale = Math.max(spread, sparse, settings.minScatter * Math.abs(middle), floor, 1e-9);
  const typical = (quantile(now, 0.5) - middle) / scale;
  const high = (upper(now) - quantile(past, 0.9)) / scale;
  const low = (lower(now) - quantile(past, 0.1)) / scale;
  const up = Math.max(typical, high / 2);
  const down = Math.max(-typical, -low / 2);
  return worse === 1 ? up : worse === -1 ? down : Math.max(up, down);
}

/** The same as a logarithm above the quiet range; 0: as usual or unknown. */
export function deviation(
  baseline: Float64Array,
  current: Float64Array,
  worse: 1 | -1 | 0,
  floor = 0,
  spiky = false,
  settings = DEFAULT_FALLBACK,
): number {
  return logExcess(standardised(baseline, current, worse, floor, spiky, settings), settings);
}

/** The 0.9-quantile, but no more than the second largest: what one sample of several shows may be a blip. Sorted input. */
function upper(window: Float64Array): number {
  const most = quantile(window, 0.9);
  return window.length < BLIP_FROM ? most : Math.min(most, window[window.length - 2] ?? most);
}

function lower(window: Float64Array): number {
  const least = quantile(window, 0.1);
  return window.length < BLIP_FROM ? least : Math.max(least, window[1] ?? least);
}

/** From the past's median to the window's; 0: unknown. */
export function riseOf({ baseline, current }: Samples): number {
  const [past, now] = [finite(baseline), finite(current)];
  return past.length === 0 || now.length === 0 ? 0 : quantile(now, 0.5) - quantile(past, 0.5);
}

/** Rise of the high values (0.9-quantile, without a lone sample of several); 0: unknown. */
export function highRiseOf({ baseline, current }: Samples): number {
  const [past, now] = [finite(baseline), finite(current)];
  return past.length === 0 || now.length === 0 ? 0 : Math.max(0, upper(now) - quantile(past, 0.9));
}

/** Enough samples to compare. */
export function isComparable(baseline: Float64Array, current: Float64Array): boolean {
  const count = (values: Float64Array): number =>
    values.reduce((sum, value) => sum + (Number.isFinite(value) ? 1 : 0), 0);
  return count(baseline) >= MIN_PAST && count(current) > 0;
}

export function finite(values: Float64Array): Float64Array {
  return values.filter((value) => Number.isFinite(value)).sort();
}

/** Linear interpolation between order statistics (type 7); sorted input, length >= 1. */
export function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const a = sorted[below] ?? 0;
  return a + (at - below) * ((sorted[below + 1] ?? a) - a);
}

/** Quantile of the series' usual levels (medians, without sign); 0: none has any. */
export function usualLevel(series: readonly Samples[], q: number): number {
  const known = series.map(({ baseline }) => finite(baseline)).filter(({ length }) => length > 0);
  const medians = Float64Array.from(known, (past) => Math.abs(quantile(past, 0.5))).sort();
  return medians.length === 0 ? 0 : quantile(medians, q);
}
