/** Medians of streams. */
import { medianOfSorted } from '../stats/robust.ts';

/** The median of the last points of a stream, kept in order. Memory: two numbers per point looked at; cost: one pass over them. */
export class RecentMedian {
  readonly #last: Float64Array;
  readonly #sorted: Float64Array;
  #count = 0;

  /** @param points looked at; a few dozen at most */
  constructor(points: number) {
    this.#last = new Float64Array(points);
    this.#sorted = new Float64Array(points);
  }

  /** Points known, at most as many as are looked at. */
  get known(): number {
    return Math.min(this.#count, this.#last.length);
  }

  push(value: number): void {
    const sorted = this.#sorted;
    const slot = this.#count % this.#last.length;
    let i = this.known;
    if (i === this.#last.length) {
      // The oldest leaves: what is above it moves down.
      i = sorted.indexOf(this.#last[slot]!);
      for (; i + 1 < sorted.length; i++) sorted[i] = sorted[i + 1]!;
    }
    for (; i > 0 && sorted[i - 1]! > value; i--) sorted[i] = sorted[i - 1]!;
    sorted[i] = value;
    this.#last[slot] = value;
    this.#count++;
  }

  /** Their median; at least one must be known. */
  get value(): number {
    return medianOfSorted(this.#sorted, this.known);
  }
}
