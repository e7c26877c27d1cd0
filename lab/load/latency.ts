/** A latency histogram with buckets about 2.5 % wide: small, mergeable, good quantiles. */

/** ln of the ratio of neighbouring bounds. */
const LN_STEP = Math.log(1.025);

export class LatencyHistogram {
  readonly #buckets = new Map<number, number>();
  #count = 0;
  #max = 0;

  add(us: number): void {
    const bucket = Math.ceil(Math.log(Math.max(us, 1)) / LN_STEP);
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
    this.#count++;
    this.#max = Math.max(this.#max, us);
  }

  /** Upper bound of the bucket that holds the quantile, milliseconds; null when empty. */
  quantileMs(q: number): number | null {
    const ms = quantileMs(this.rows(), q);
    return ms === null ? null : Math.min(ms, this.#max / 1_000);
  }

  maxMs(): number | null {
    return this.#count === 0 ? null : this.#max / 1_000;
  }

  /** Upper bound in microseconds and count, ascending. */
  rows(): [number, number][] {
    return [...this.#buckets.entries()]
      .sort(([a], [b]) => a - b)
      .map(([bucket, count]) => [Math.round(Math.exp(bucket * LN_STEP)), count]);
  }
}

/**
 * A quantile of histogram rows (upper bound in microseconds, count), ascending; rows of one bound may repeat.
 *
 * @returns milliseconds; null when there is no count
 */
export function quantileMs(rows: readonly (readonly [number, number])[], q: number): number | null {
  const all = rows.reduce((sum, [, count]) => sum + count, 0);
  let seen = 0;
  for (const [us, count] of rows) {
    seen += count;
    if (seen >= q * all) return us / 1_000;
  }
  return null;
}
