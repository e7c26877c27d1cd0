/**
 * Robust baselines of many levels: the last HISTORY healthy values, their median and scaled MAD. A value enters
 * COMMIT_DELAY windows late, so that the first windows of a change are recognised before they are learned.
 */
import { medianAndMadInPlace } from '../stats/robust.ts';
import type { ColumnsState, NumberArray } from './columns.ts';
import { Blocks, Columns } from './columns.ts';

/** Five minutes of 5 s windows: long enough for a stable MAD, short enough to follow the day. */
const HISTORY = 60;
/** Healthy values of a series that lie together: memory is first touched in parts, a minute and a quarter apart. */
const BLOCK = 15;
/** Values kept as they came, healthy or not: the delay line, and the new level when a change is accepted. */
const RECENT = 16;
const COMMIT_DELAY = 2;
/**
 * Medians are taken again every so many windows, series by series in turn. A series' turn comes from its first value,
 * not from its number: numbers depend on the order of arrival.
 */
const REFRESH_WINDOWS = 6;
const ALWAYS_REFRESH_BELOW = 24;

const SPECS = {
  length: { type: Uint8Array },
  next: { type: Uint8Array },
  recent: { type: Float32Array, width: RECENT },
  seen: { type: Uint32Array },
  phase: { type: Uint8Array },
  median: { type: Float64Array, fill: Number.NaN },
  spread: { type: Float64Array, fill: Number.NaN },
} as const;

const scratch = new Float64Array(HISTORY);
const level = { median: 0, spread: 0 };

export class LevelPool {
  readonly #columns = new Columns(SPECS);
  /** The last HISTORY healthy values, a ring. */
  readonly #healthy = new Blocks(HISTORY / BLOCK, BLOCK);
  length!: NumberArray;
  median!: NumberArray;
  spread!: NumberArray;

  constructor() {
    this.#fetch();
  }

  #fetch(): void {
    const { length, median, spread } = this.#columns.array;
    this.length = length;
    this.median = median;
    this.spread = spread;
  }

  ensure(size: number): void {
    this.#healthy.ensure(size);
    if (this.#columns.ensure(size)) this.#fetch();
  }

  /** Healthy values known. */
  known(i: number): number {
    return this.length[i]!;
  }

  /**
   * Takes the value of this window. `suspect`: it and its neighbours look abnormal, so nothing is learned now.
   * @param warm false while warming up: values are learned at once.
   */
  push(i: number, value: number, suspect: boolean, warm: boolean, turn: number): void {
    const { recent, seen, phase } = this.#columns.array;
    if (seen[i] === 0) phase[i] = Math.abs(Math.trunc(value * 1000)) % REFRESH_WINDOWS;
    recent[i * RECENT + (seen[i]! % RECENT)] = value;
    seen[i] = seen[i]! + 1;
    if (suspect) return;
    if (!warm) this.#learn(i, value);
    else if (seen[i]! > COMMIT_DELAY) {
      this.#learn(i, recent[i * RECENT + ((seen[i]! - 1 - COMMIT_DELAY) % RECENT)]!);
    }
    if (this.length[i]! < ALWAYS_REFRESH_BELOW || (phase[i]! + turn) % REFRESH_WINDOWS === 0) this.#refresh(i);
  }

  /** The value `back` windows ago (0: the last one); NaN when not known. */
  recentValue(i: number, back: number): number {
    const { recent, seen } = this.#columns.array;
    if (back >= RECENT || back >= seen[i]!) return Number.NaN;
    return recent[i * RECENT + ((seen[i]! - 1 - back) % RECENT)]!;
  }

  /** Accepts the newest values as the new normal. */
  rebase(i: number): void {
    const n = Math.min(RECENT, this.#columns.array.seen[i]!);
    this.reset(i);
    for (let back = n - 1; back >= 0; back--) this.#learn(i, this.recentValue(i, back));
    this.#refresh(i);
  }

  /** Forgets the baseline: learn again from nothing. */
  reset(i: number): void {
    const { length, next, median, spread } = this.#columns.array;
    length[i] = 0;
    next[i] = 0;
    median[i] = Number.NaN;
    spread[i] = Number.NaN;
  }

  clear(i: number): void {
    this.#columns.clear(i);
    this.#healthy.clear(i);
  }

  #learn(i: number, value: number): void {
    const { length, next } = this.#columns.array;
    const at = next[i]!;
    this.#healthy.open(Math.trunc(at / BLOCK))[i * BLOCK + (at % BLOCK)] = value;
    next[i] = (at + 1) % HISTORY;
    if (length[i]! < HISTORY) length[i] = length[i]! + 1;
  }

  #refresh(i: number): void {
    const { length, median, spread } = this.#columns.array;
    const n = length[i]!;
    const at = i * BLOCK;
    for (let from = 0; from < n; from += BLOCK) {
      const values = this.#healthy.view(from / BLOCK);
      const count = Math.min(BLOCK, n - from);
      for (let k = 0; k < count; k++) scratch[from + k] = values[at + k]!;
    }
    medianAndMadInPlace(scratch, n, level);
    median[i] = level.median;
    spread[i] = level.spread;
  }

  save(): ColumnsState {
    const { size, columns } = this.#columns.save();
    return { size, columns, blocks: this.#healthy.save() };
  }

  load(state: ColumnsState): void {
    this.#columns.load(state);
    this.#healthy.load(state.size, state.blocks ?? {});
    this.#fetch();
  }
}
