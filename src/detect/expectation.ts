/**
 * What the next point of a single gauge should be: the mean of three forecasts that err differently. The season moved to
 * the level of the last quarter of an hour (in points of a minute), the season moved to that of the last five points, and
 * the last quarter of an hour itself, for days the season does not know. A plain mean of forecasts is hard to beat (Bates
 * and Granger 1969): weights by each one's errors find as much (docs/detection.md).
 */

import { RecentMedian } from './recent-median.ts';

const LEVEL_POINTS = 15;
const NEAR_POINTS = 5;
/** With fewer points known, the season alone is what is expected. */
const MIN_POINTS = 10;

export class Expectation {
  readonly #level = new RecentMedian(LEVEL_POINTS);
  readonly #near = new RecentMedian(NEAR_POINTS);
  readonly #values = new RecentMedian(LEVEL_POINTS);

  /** The value to be expected where the season says `season`. Cost: O(1). */
  at(season: number): number {
    if (this.#level.known < MIN_POINTS) return season;
    return season + (this.#level.value + this.#near.value + (this.#values.value - season)) / 3;
  }

  /** The point that came. */
  push(value: number, season: number): void {
    this.#level.push(value - season);
    this.#near.push(value - season);
    this.#values.push(value);
  }
}
