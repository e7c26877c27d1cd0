/** Sums of sparse windows, kept until they hold enough requests to tell a mean. */
import type { ColumnsState } from './columns.ts';
import { Columns } from './columns.ts';

const SPECS = {
  sumUs: { type: Float64Array },
  count: { type: Float64Array },
  /** Squared coefficient of variation times count; traffic as a multiple of its baseline, summed over windows. */
  cv2: { type: Float64Array },
  load: { type: Float64Array },
  windows: { type: Uint8Array },
} as const;

export interface BlockRule {
  /** Requests, for a squared coefficient of variation of 1, that make a block; in proportion for others. */
  readonly target: number;
  /** Requests that make a block when `maxWindows` have gone by; with fewer they are forgotten. */
  readonly minimum: number;
  readonly maxWindows: number;
}

export class DurationCarry {
  readonly #columns = new Columns(SPECS);
  readonly #rule: BlockRule;
  readonly taken = { meanUs: 0, count: 0, cv2: 0, load: 0, windows: 0 };

  constructor(rule: BlockRule) {
    this.#rule = rule;
  }

  /** @param cv2Count squared coefficient of variation times count */
  isBlock(count: number, cv2Count: number): boolean {
    return count >= this.#rule.minimum && count * count >= this.#rule.target * cv2Count;
  }

  /** Adds a window; true when a block is full: it is in `taken` then, and nothing is kept. */
  add(i: number, meanUs: number, n: number, cv2: number, load: number): boolean {
    // Nothing is made for entities that were never sparse, nor for those that never had a request.
    if (!(n > 0) && !(i < this.#columns.size)) return false;
    this.#columns.ensure(i + 1);
    const sums = this.#columns.array;
    if (n > 0 && meanUs > 0) {
      sums.sumUs[i] = sums.sumUs[i]! + meanUs * n;
      sums.count[i] = sums.count[i]! + n;
      sums.cv2[i] = sums.cv2[i]! + cv2 * n;
    }
    sums.load[i] = sums.load[i]! + load;
    const windows = sums.windows[i]! + 1;
    sums.windows[i] = windows;
    const count = sums.count[i]!;
    const over = windows >= this.#rule.maxWindows;
    const enough = this.isBlock(count, sums.cv2[i]!) || (over && count >= this.#rule.minimum);
    if (enough) {
      this.taken.meanUs = sums.sumUs[i]! / count;
      this.taken.count = count;
      this.taken.cv2 = sums.cv2[i]! / count;
      this.taken.load = sums.load[i]! / windows;
      this.taken.windows = windows;
    }
    if (enough || over) this.clear(i);
    return enough;
  }

  clear(i: number): void {
    if (i >= this.#columns.size) return;
    const sums = this.#columns.array;
    sums.sumUs[i] = 0;
    sums.count[i] = 0;
    sums.cv2[i] = 0;
    sums.load[i] = 0;
    sums.windows[i] = 0;
  }

  /** undefined: nothing was ever carried. */
  save(): ColumnsState | undefined {
    return this.#columns.size === 0 ? undefined : this.#columns.save();
  }

  load(state: ColumnsState): void {
    this.#columns.load(state);
  }
}
