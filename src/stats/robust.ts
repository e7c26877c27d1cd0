/** Robust level and spread. */
import { quickselect } from 'simple-statistics';

/** Makes the median absolute deviation of a normal distribution its standard deviation: 1 / Φ⁻¹(3/4). */
export const MAD_SCALE = 1.482602218505602;

/** So few values are sorted, more are only partitioned. */
const SORTED_BELOW = 32;

/** Median of buffer[0..n), reordering it; NaN for n = 0. Expected cost O(n). */
export function medianInPlace(buffer: Float64Array, n: number): number {
  if (n === 0) return Number.NaN;
  if (n <= SORTED_BELOW) return medianSmall(buffer, n);
  const half = n >> 1;
  quickselect(buffer as unknown as number[], half, 0, n - 1);
  const upper = buffer[half]!;
  if (n % 2 === 1) return upper;
  let lower = buffer[0]!;
  for (let i = 1; i < half; i++) if (buffer[i]! > lower) lower = buffer[i]!;
  return (lower + upper) / 2;
}

/**
 * Median and scaled median absolute deviation of buffer[0..n), overwriting it; NaN for n = 0. Sorted values are two
 * ascending runs of deviations, left and right of the median, which are merged as far as the middle.
 * Expected cost O(n).
 */
export function medianAndMadInPlace(buffer: Float64Array, n: number, out: { median: number; spread: number }): void {
  const center = medianInPlace(buffer, n);
  out.median = center;
  if (n === 0 || n > SORTED_BELOW) {
    for (let i = 0; i < n; i++) buffer[i] = Math.abs(buffer[i]! - center);
    out.spread = MAD_SCALE * medianInPlace(buffer, n);
    return;
  }
  const half = n >> 1;
  let right = half;
  let left = half - 1;
  let before = 0;
  let deviation = 0;
  for (let k = 0; k <= half; k++) {
    const below = left >= 0 ? Math.abs(buffer[left]! - center) : Number.POSITIVE_INFINITY;
    const above = right < n ? Math.abs(buffer[right]! - center) : Number.POSITIVE_INFINITY;
    before = deviation;
    if (below < above) {
      deviation = below;
      left--;
    } else {
      deviation = above;
      right++;
    }
  }
  out.spread = MAD_SCALE * (n % 2 === 1 ? deviation : (before + deviation) / 2);
}

function medianSmall(buffer: Float64Array, n: number): number {
  sortInPlace(buffer, n);
  return medianOfSorted(buffer, n);
}

/** Insertion sort of buffer[0..n), ascending: for a few dozen values, mostly in order. Cost: O(n²), O(n) in order. */
export function sortInPlace(buffer: Float64Array, n: number): void {
  for (let i = 1; i < n; i++) {
    const value = buffer[i]!;
    let j = i - 1;
    while (j >= 0 && buffer[j]! > value) {
      buffer[j + 1] = buffer[j]!;
      j--;
    }
    buffer[j + 1] = value;
  }
}

/** Median of sorted[0..n), n > 0. */
export function medianOfSorted(sorted: Float64Array, n: number): number {
  const half = n >> 1;
  return n % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Median of the finite values; NaN when there are none. */
export function median(values: ArrayLike<number>): number {
  const { buffer, n } = finite(values);
  return medianInPlace(buffer, n);
}

/** Median and scaled median absolute deviation of the finite values; NaN when there are none. */
export function medianAndMad(values: ArrayLike<number>): { readonly median: number; readonly spread: number } {
  const { buffer, n } = finite(values);
  const center = medianInPlace(buffer, n);
  for (let i = 0; i < n; i++) buffer[i] = Math.abs(buffer[i]! - center);
  return { median: center, spread: MAD_SCALE * medianInPlace(buffer, n) };
}

function finite(values: ArrayLike<number>): { buffer: Float64Array; n: number } {
  const buffer = new Float64Array(values.length);
  let n = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Number.isFinite(value)) buffer[n++] = value;
  }
  return { buffer, n };
}
