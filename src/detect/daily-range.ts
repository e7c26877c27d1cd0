/**
 * How far a single gauge swings in a day: the mean of maximum less minimum of its last whole days, in the gauge's unit.
 * Standard deviations say what is unlikely, this says what is large to whoever looks at the curve.
 */
export class DailyRange {
  readonly #pointsPerDay: number;
  readonly #ranges: Float64Array;
  #days = 0;
  #points = 0;
  #least = Number.POSITIVE_INFINITY;
  #most = Number.NEGATIVE_INFINITY;
  #mean = 0;

  /**
   * @param pointsPerDay of the curve
   * @param days remembered
   */
  constructor(pointsPerDay: number, days: number) {
    this.#pointsPerDay = pointsPerDay;
    this.#ranges = new Float64Array(days);
  }

  push(value: number): void {
    this.#least = Math.min(this.#least, value);
    this.#most = Math.max(this.#most, value);
    if (++this.#points < this.#pointsPerDay) return;
    this.#ranges[this.#days++ % this.#ranges.length] = this.#most - this.#least;
    this.#mean = this.#ranges.reduce((sum, range) => sum + range) / Math.min(this.#days, this.#ranges.length);
    this.#points = 0;
    this.#least = Number.POSITIVE_INFINITY;
    this.#most = Number.NEGATIVE_INFINITY;
  }

  /** A difference as a share of the range; NaN before a whole day is known and when nothing ever moved. */
  shareOf(difference: number): number {
    return this.#mean > 0 ? Math.abs(difference) / this.#mean : Number.NaN;
  }
}
