/** A window's duration sketches summed per service, each service with just the stretch of buckets it uses. */
import type { HistogramTable } from '../model/window.ts';
import { denseQuantile, HISTOGRAM_BUCKETS } from '../stats/histogram.ts';

export class ServiceBuckets {
  #counts = new Float64Array(0);
  /** Buckets of service i in use: low[i] .. high[i]; the first of them is counts[start[i]]. */
  #low = new Int32Array(0);
  #high = new Int32Array(0);
  #start = new Int32Array(0);

  /**
   * Takes the sketches of one side of a window in place of those before.
   * @param serviceOf name id of a callee -> its number + 1
   */
  take(sketches: HistogramTable, ofSide: 0 | 1, size: number, serviceOf: Int32Array): void {
    const total = this.#stretch(sketches, ofSide, size, serviceOf);
    if (total > this.#counts.length) this.#counts = new Float64Array(total + (total >> 3));
    else this.#counts.fill(0, 0, total);
    const dense = this.#counts;
    const { rows, callee, side, first, start, counts } = sketches;
    for (let r = 0; r < rows; r++) {
      const i = serviceOf[callee[r]!]! - 1;
      if (side[r] !== ofSide || i < 0) continue;
      const from = start[r]!;
      const length = start[r + 1]! - from;
      const at = this.#start[i]! + first[r]! - this.#low[i]!;
      for (let k = 0; k < length; k++) dense[at + k] = dense[at + k]! + counts[from + k]!;
    }
  }

  /** Sets low, high and start; returns how many buckets they are. */
  #stretch({ rows, callee, side, first, start }: HistogramTable, ofSide: 0 | 1, size: number, serviceOf: Int32Array) {
    if (size > this.#low.length) {
      const capacity = size + (size >> 3);
      this.#low = new Int32Array(capacity);
      this.#high = new Int32Array(capacity);
      this.#start = new Int32Array(capacity);
    }
    const low = this.#low.fill(HISTOGRAM_BUCKETS, 0, size);
    const high = this.#high.fill(0, 0, size);
    for (let r = 0; r < rows; r++) {
      const i = serviceOf[callee[r]!]! - 1;
      const length = start[r + 1]! - start[r]!;
      if (side[r] !== ofSide || i < 0 || length === 0) continue;
      if (first[r]! < low[i]!) low[i] = first[r]!;
      if (first[r]! + length > high[i]!) high[i] = first[r]! + length;
    }
    let total = 0;
    for (let i = 0; i < size; i++) {
      this.#start[i] = total;
      total += Math.max(0, high[i]! - low[i]!);
    }
    return total;
  }

  /** Quantile of service i; NaN when empty. */
  quantile(i: number, q: number): number {
    const low = this.#low[i]!;
    const at = this.#start[i]!;
    return this.#high[i]! > low ? denseQuantile(this.#counts, at, at + this.#high[i]! - low, low, q) : Number.NaN;
  }

  /** Squared coefficient of variation of service i; NaN when empty. */
  cv2(i: number): number {
    const low = this.#low[i]!;
    const at = this.#start[i]!;
    return this.#high[i]! > low ? bucketCv2(this.#counts, at, at + this.#high[i]! - low, low) : Number.NaN;
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
