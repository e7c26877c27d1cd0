/**
 * Silence of a single gauge: nothing, exactly 0, where there was always something. No distance to a season says this
 * well: a service that was down for a day last week has taught its quantiles that being down is usual. Only silence that
 * is there at this time of every day, or a tenth of the time, is a series' nature.
 */

/** As many points in a row are no lost sample. 2, 4 and 5 find the same (docs/detection.md). */
const RUN_POINTS = 3;
/** A series that was silent for this share of the last day's points is so by nature; .02 and .3 find the same. */
const USUAL_SHARE = 0.1;

export class Silence {
  readonly #pointsPerDay: number;
  #wasHeard = false;
  /** Silent points in a row. */
  #run = 0;
  /** Share of silent points, with a memory of a day; stands still while silence is unusual. */
  #share = 0;

  /** @param pointsPerDay of the curve */
  constructor(pointsPerDay: number) {
    this.#pointsPerDay = pointsPerDay;
  }

  /**
   * The next point. After a day of silence this is what the series is like now.
   *
   * @param season what this time of day is like, NaN when it is not known yet
   * @returns 1 and more: unusual silence, the more the longer; 0: none
   */
  push(value: number, season: number): number {
    const isSilent = value === 0 && this.#wasHeard;
    this.#wasHeard ||= value !== 0;
    this.#run = isSilent ? this.#run + 1 : 0;
    const isUsual = season === 0 || this.#share >= USUAL_SHARE;
    if (this.#run >= RUN_POINTS && !isUsual && this.#run <= this.#pointsPerDay) return this.#run / RUN_POINTS;
    this.#share += ((isSilent ? 1 : 0) - this.#share) / this.#pointsPerDay;
    return 0;
  }
}
