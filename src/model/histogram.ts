/**
 * A log-bucket sketch, the exponential histogram of OpenTelemetry: with `scale` s, bucket index i holds values in
 * (2^(i/2^s), 2^((i+1)/2^s)]. `counts[k]` belongs to index `offset + k`. Durations are in microseconds.
 * The collector uses scale 3 (relative error <= 4.4 %).
 */
export interface Histogram {
  readonly scale: number;
  readonly offset: number;
  readonly counts: readonly number[];
  /** Values equal to 0 (or below 1 µs). */
  readonly zeroCount?: number;
}

export const DEFAULT_HISTOGRAM_SCALE = 3;
