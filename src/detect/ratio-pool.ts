/**
 * Baselines of many ratios with their denominators (errors of requests, retransmits of segments) or of plain counts
 * (denominator 1 per window): exponentially forgotten sums over healthy windows, and how much more than binomial they
 * scatter (over-dispersion, from Pearson residuals).
 */
import type { ColumnsState, NumberArray } from './columns.ts';
import { Columns } from './columns.ts';

/** Memory of the baseline and of the fast follower, in windows. */
const SLOW = 1 / 120;
const FAST = 1 / 16;
const MAX_DISPERSION = 50;

const SPECS = {
  numerator: { type: Float64Array },
  denominator: { type: Float64Array },
  fastNumerator: { type: Float64Array },
  fastDenominator: { type: Float64Array },
  pearson: { type: Float64Array },
  windows: { type: Uint16Array },
  /** Last two healthy values, learned late. */
  pending: { type: Float64Array, width: 4 },
  carried: { type: Float64Array, width: 2 },
  carriedWindows: { type: Uint8Array },
} as const;

export class RatioPool {
  readonly #columns = new Columns(SPECS);
  windows!: NumberArray;

  constructor() {
    this.windows = this.#columns.array.windows;
  }

  ensure(size: number): void {
    if (this.#columns.ensure(size)) this.windows = this.#columns.array.windows;
  }

  known(i: number): number {
    return this.windows[i]!;
  }

  /** Baseline ratio, never below `floor`: having seen no failure yet does not make failure impossible. */
  ratio(i: number, floor: number): number {
    const { numerator, denominator } = this.#columns.array;
    return denominator[i]! > 0 ? Math.max(floor, numerator[i]! / denominator[i]!) : floor;
  }

  dispersion(i: number): number {
    return Math.min(MAX_DISPERSION, Math.max(1, this.#columns.array.pearson[i]!));
  }

  /**
   * Pools sparse windows.
   *
   * @param target  what a judgement should have; `minimum` does when `maxWindows` have gone by, less is forgotten
   * @returns true when enough has come together, and then the sums are in `pooled`
   */
  pool(
    i: number,
    numerator: number,
    denominator: number,
    minimum: number,
    maxWindows: number,
    target: number = minimum,
  ): boolean {
    const { carried, carriedWindows } = this.#columns.array;
    const n = carried[i * 2 + 1]! + denominator;
    const k = carried[i * 2]! + numerator;
    if (n >= target || (n >= minimum && carriedWindows[i]! + 1 >= maxWindows)) {
      this.pooled.numerator = k;
      this.pooled.denominator = n;
      this.pooled.windows = carriedWindows[i]! + 1;
      carried[i * 2] = 0;
      carried[i * 2 + 1] = 0;
      carriedWindows[i] = 0;
      return true;
    }
    const windows = carriedWindows[i]! + 1;
    const keep = windows < maxWindows;
    carried[i * 2] = keep ? k : 0;
    carried[i * 2 + 1] = keep ? n : 0;
    carriedWindows[i] = keep ? windows : 0;
    return false;
  }

  /** Forgets what has come together so far. */
  drop(i: number): void {
    const { carried, carriedWindows } = this.#columns.array;
    if (i >= carriedWindows.length) return;
    carried[i * 2] = 0;
    carried[i * 2 + 1] = 0;
    carriedWindows[i] = 0;
  }

  readonly pooled = { numerator: 0, denominator: 0, windows: 1 };

  push(i: number, numerator: number, denominator: number, suspect: boolean, floor: number, warm: boolean): void {
    const { fastNumerator, fastDenominator, pending } = this.#columns.array;
    fastNumerator[i] = fastNumerator[i]! * (1 - FAST) + numerator;
    fastDenominator[i] = fastDenominator[i]! * (1 - FAST) + denominator;
    const at = i * 4;
    if (suspect) return;
    if (warm) {
      if (pending[at + 1]! > 0) this.#learn(i, pending[at]!, pending[at + 1]!, floor);
      pending[at] = pending[at + 2]!;
      pending[at + 1] = pending[at + 3]!;
      pending[at + 2] = numerator;
      pending[at + 3] = denominator;
    } else this.#learn(i, numerator, denominator, floor);
  }

  #learn(i: number, k: number, n: number, floor: number): void {
    const { numerator, denominator, pearson, windows } = this.#columns.array;
    const p = this.ratio(i, floor);
    const residual = ((k - p * n) * (k - p * n)) / (p * n);
    // One window counts for at most 4 standard deviations, so that an outlier does not blind the detector.
    pearson[i] = windows[i] === 0 ? 1 : pearson[i]! + (Math.min(residual, 16) - pearson[i]!) * (1 / 60);
    numerator[i] = numerator[i]! * (1 - SLOW) + k;
    denominator[i] = denominator[i]! * (1 - SLOW) + n;
    if (windows[i]! < 65535) windows[i] = windows[i]! + 1;
  }

  rebase(i: number): void {
    const { numerator, denominator, fastNumerator, fastDenominator, pending } = this.#columns.array;
    numerator[i] = fastNumerator[i]!;
    denominator[i] = fastDenominator[i]!;
    pending.fill(0, i * 4, i * 4 + 4);
  }

  clear(i: number): void {
    this.#columns.clear(i);
  }

  save(): ColumnsState {
    return this.#columns.save();
  }

  load(state: ColumnsState): void {
    this.#columns.load(state);
    this.windows = this.#columns.array.windows;
  }
}
