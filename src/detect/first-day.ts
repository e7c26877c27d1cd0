/**
 * The first day of a single gauge, when nobody knows its season: a peak may be what comes every day at this time. So only
 * what dwarfs everything the curve has shown is said: two points in a row, to the same side, far beyond the largest single
 * departure from the last minutes so far. The anomaly itself is then the largest: its end, and its like, are not said.
 */

import { RecentMedian } from './recent-median.ts';

const LEVEL_POINTS = 15;
/** Nothing is said before; 2, 3 and 6 hours find about the same (docs/detection.md). */
const QUIET_HOURS = 4;
/** Times the largest departure so far. Chosen on development halves of two public sets: none of 99 curves alarmed falsely. */
const BEYOND = 3;

export class FirstDay {
  readonly #quietPoints: number;
  readonly #level = new RecentMedian(LEVEL_POINTS);
  #seen = 0;
  /** Departure of the last point, and the largest of those before it. */
  #last = 0;
  #largest = 0;

  /** @param stepS seconds between points */
  constructor(stepS: number) {
    this.#quietPoints = (QUIET_HOURS * 3600) / stepS;
  }

  /** The next point; 1 and more is an alarm. A curve that never moved says nothing. Cost: O(1). */
  push(value: number): number {
    const departure = this.#level.known < LEVEL_POINTS ? 0 : value - this.#level.value;
    this.#level.push(value);
    const least = departure * this.#last > 0 ? Math.min(Math.abs(departure), Math.abs(this.#last)) : 0;
    const isJudged = ++this.#seen > this.#quietPoints && this.#largest > 0;
    const score = isJudged ? least / this.#largest / BEYOND : 0;
    this.#largest = Math.max(this.#largest, Math.abs(this.#last));
    this.#last = departure;
    return score;
  }
}
