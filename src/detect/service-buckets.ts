/** Duration sketches per service in one dense array, with the stretch of buckets each service uses. */
import { denseQuantile, HISTOGRAM_BUCKETS } from '../stats/histogram.ts';

export class ServiceBuckets {
  #counts = new Float64Array(0);
  /** Buckets of service i in use: low[i] .. high[i]. */
  #low = new Int32Array(0);
  #high = new Int32Array(0);
  #size = 0;

  /** Empty sketches for so many services. */
  reset(size: number): void {
    for (let i = 0; i < this.#size; i++) {
      if (this.#high[i]! > 0)
        this.#counts.fill(0, i * HISTOGRAM_BUCKETS + this.#low[i]!, i * HISTOGRAM_BUCKETS + this.#high[i]!);
    }
    if (size > this.#low.length) {
      this.#counts = new Float64Array(size * 2 * HISTOGRAM_BUCKETS);
      this.#low = new Int32Array(size * 2);
      this.#high = new Int32Array(size * 2);
    }
    this.#low.fill(HISTOGRAM_BUCKETS, 0, size);
    this.#high.fill(0, 0, size);
    this.#size = size;
  }

  /** Adds counts[from..to), of which the first belongs to bucket `first`. */
  add(i: number, first: number, counts: Float64Array, from: number, to: number): void {
    const length = to - from;
    if (length === 0) return;
    const dense = this.#counts;
    const at = i * HISTOGRAM_BUCKETS + first;
    for (let k = 0; k < length; k++) dense[at + k] = dense[at + k]! + counts[from + k]!;
    if (first < this.#low[i]!) this.#low[i] = first;
    if (first + length > this.#high[i]!) this.#high[i] = first + length;
  }

  /** Quantile of service i; NaN when empty. */
  quantile(i: number, q: number): number {
    const low = this.#low[i]!;
    const at = i * HISTOGRAM_BUCKETS;
    return this.#high[i]! > low ? denseQuantile(this.#counts, at + low, at + this.#high[i]!, low, q) : Number.NaN;
  }

  /** Squared coefficient of variation of service i; NaN when empty. */
  cv2(i: number): number {
    const low = this.#low[i]!;
    const at = i * HISTOGRAM_BUCKETS;
    return this.#high[i]! > low ? bucketCv2(this.#counts, at + low, at + this.#high[i]!, low) : Number.NaN;
  }
}

const MIDDLE = Float64Array.from({ length: HISTOGRAM_BUCKETS }, (_, i) => 2 ** ((i + 0.5) / 8));

/** Squared coefficient of variation of bucketed durations; NaN when empty. */
function bucketCv2(counts: Float64Array, from: number, to: number, first: number): number {
  let n = 0;
  let sum = 0;
  let squares = 0;
  for (let k = from; k < to; k++) {
    const count = counts[k]!;
    if (count === 0) continue;
    const value = MIDDLE[first + k - from]!;
    n += count;
    sum += count * value;
    squares += count * value * value;
  }
  return n === 0 ? Number.NaN : Math.max(0, (squares * n) / (sum * sum) - 1);
}
