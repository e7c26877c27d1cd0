/**
 * What recurs at the same time of day or of the week: a nightly batch job that slows a service down, the end of a shift
 * that takes its traffic, Monday's import. A change that both of the last two days showed within a quarter of an hour of
 * this time, or both of the last two weeks within an hour, is the service's rhythm and no anomaly.
 *
 * Memory: 1.2 KB (days) and 2 KB (weeks) a series.
 */
import type { CycleRows, CycleState, Period } from './cycle.ts';
import { Cycle } from './cycle.ts';

const DAY_MS = 86_400_000;
const PERIODS: readonly Period[] = [
  { periodMs: DAY_MS, binMs: 900_000 },
  { periodMs: 7 * DAY_MS, binMs: 3_600_000 },
];

/** One for each period. */
export type RhythmRows = readonly CycleRows[];

export class Rhythm {
  /** The changes that matter are rises (durations); else falls (traffic). */
  readonly rises: boolean;
  readonly #cycles: readonly Cycle[];

  constructor(rises: boolean) {
    this.rises = rises;
    this.#cycles = PERIODS.map((period) => new Cycle(period, rises));
  }

  ensure(size: number): void {
    for (const cycle of this.#cycles) cycle.ensure(size);
  }

  recurs(i: number, atMs: number, value: number): boolean {
    return this.#cycles.some((cycle) => cycle.recurs(i, atMs, value));
  }

  /** The window's value, abnormal or not; NaN: unknown. */
  add(i: number, atMs: number, value: number): void {
    for (const cycle of this.#cycles) cycle.add(i, atMs, value);
  }

  /** The level changed its meaning: what was learned no longer compares. */
  forget(i: number): void {
    for (const cycle of this.#cycles) cycle.forget(i);
  }

  /** What a restart needs beyond the log it reads again: rows by name, as entities get other numbers then. */
  export(names: readonly string[]): RhythmRows {
    return this.#cycles.map((cycle) => cycle.export(names));
  }

  /** Rows wait for their entities to be seen. Windows that are read again change nothing: an extreme is one twice. */
  import(rows: RhythmRows): void {
    this.#cycles.forEach((cycle, k) => {
      if (rows[k] !== undefined) cycle.import(rows[k]);
    });
  }

  adopt(i: number, name: string): void {
    for (const cycle of this.#cycles) cycle.adopt(i, name);
  }

  save(): readonly CycleState[] {
    return this.#cycles.map((cycle) => cycle.save());
  }

  load(states: readonly CycleState[]): void {
    this.#cycles.forEach((cycle, k) => {
      if (states[k] !== undefined) cycle.load(states[k]);
    });
  }
}
