/**
 * How restless a single gauge is just now: its mean step from point to point over the last half hour (in points of a
 * minute) to that of the last week. What stands out of a calm stretch means more than the same in the middle of a storm.
 */

const SHORT_POINTS = 30;
/** One step counts in the long mean as at most so many mean steps: an outage does not make the week restless. */
const CLIP = 10;
/** Share of the plain, unclipped long mean below which the clipped one is not believed: a series of zeros has spikes. */
const PLAIN_SHARE = 0.1;
const SMALLEST = 1e-9;

export class Unrest {
  readonly #memory: number;
  #last = Number.NaN;
  #steps = 0;
  #short = 0;
  #clipped = 0;
  #plain = 0;

  /** @param memory points the long mean looks back */
  constructor(memory: number) {
    this.#memory = memory;
  }

  /** How restless it was before this point, 1 and more; 1 is as usual or calmer. Cost: O(1). */
  push(value: number): number {
    const usual = Math.max(this.#clipped, PLAIN_SHARE * this.#plain) + SMALLEST;
    const before = Math.max(1, this.#short / usual);
    if (!Number.isNaN(this.#last)) {
      const step = Math.abs(value - this.#last);
      const memory = Math.min(++this.#steps, this.#memory);
      this.#short += (step - this.#short) / SHORT_POINTS;
      this.#clipped += (Math.min(step, CLIP * usual) - this.#clipped) / memory;
      this.#plain += (step - this.#plain) / memory;
    }
    this.#last = value;
    return before;
  }
}
