/**
 * What a series did at the same time of earlier periods (days, weeks): for every bin of a period the extreme that lasted
 * two windows is kept, abnormal or not, for the last two periods and the present one. A change that both earlier periods
 * showed around this time recurs; what one showed may be a fault.
 *
 * Memory: 4 bytes a bin and slot, from the bin's first value on. Cost: O(1) a window; a new bin clears one column.
 */
import type { ColumnsState } from './columns.ts';
import { Blocks, Columns, fromBase64, toBase64 } from './columns.ts';

/** Periods that must have shown a change, and periods kept: today's writes must not clear the oldest. */
const PERIODS = 2;
const SLOTS = PERIODS + 1;
/** A change recurs when each of the periods came this near to it. */
const NEAR = 1.25;

/** Bins divide the period; periods begin at 1970. */
export interface Period {
  readonly periodMs: number;
  readonly binMs: number;
}

/** Names to rows of 32-bit floats, base64. */
export interface CycleRows {
  readonly written: string;
  readonly rows: Readonly<Record<string, string>>;
}

export interface CycleState {
  readonly previous: ColumnsState;
  readonly written: ColumnsState;
  /** Rows that a restart brought along, by name of an entity that was not seen yet. */
  readonly waiting: CycleRows;
}

export class Cycle {
  readonly #period: Period;
  readonly #bins: number;
  /** Columns of a row: bins of every slot. */
  readonly #row: number;
  readonly #extremes: Blocks;
  readonly #previous = new Columns({ previous: { type: Float32Array, fill: Number.NaN } });
  /** Row 0 alone: in which period (from 1970) each column was last written. */
  readonly #written: Columns<'written'>;
  #waiting = new Map<string, string>();
  #waitingSince: Int32Array;
  /** The changes that matter are rises (durations); else falls (traffic). */
  readonly rises: boolean;

  constructor(period: Period, rises: boolean) {
    this.rises = rises;
    this.#period = period;
    this.#bins = period.periodMs / period.binMs;
    this.#row = this.#bins * SLOTS;
    this.#extremes = new Blocks(this.#row, 1, Number.NaN);
    this.#written = new Columns({ written: { type: Int32Array, width: this.#row, fill: -1 } });
    this.#written.ensure(1);
    this.#waitingSince = new Int32Array(this.#row);
  }

  ensure(size: number): void {
    this.#extremes.ensure(size);
    this.#previous.ensure(size);
  }

  /** Whether both periods before came near to this value, one bin earlier or later included. */
  recurs(i: number, atMs: number, value: number): boolean {
    const { periodMs, binMs } = this.#period;
    const period = Math.floor(atMs / periodMs);
    for (let back = 1; back <= PERIODS; back++) {
      const extreme = this.#extremeAround(i, period - back, Math.floor((atMs % periodMs) / binMs));
      if (Number.isNaN(extreme) || (this.rises ? value > NEAR * extreme : value < extreme / NEAR)) return false;
    }
    return true;
  }

  /** The window's value, abnormal or not; NaN: unknown. */
  add(i: number, atMs: number, value: number): void {
    const { previous } = this.#previous.array;
    const { periodMs, binMs } = this.#period;
    const period = Math.floor(atMs / periodMs);
    const column = (period % SLOTS) * this.#bins + Math.floor((atMs % periodMs) / binMs);
    if (this.#written.array.written[column] !== period) this.#clear(column, period);
    const before = previous[i]!;
    previous[i] = value;
    const lasting = this.rises ? Math.min(before, value) : Math.max(before, value);
    if (Number.isNaN(lasting)) return;
    const extremes = this.#extremes.open(column);
    const known = extremes[i]!;
    if (Number.isNaN(known) || (this.rises ? lasting > known : lasting < known)) extremes[i] = lasting;
  }

  /** The level changed its meaning: what was learned no longer compares. */
  forget(i: number): void {
    for (let column = 0; column < this.#row; column++) {
      const extremes = this.#extremes.view(column);
      if (i < extremes.length) extremes[i] = Number.NaN;
    }
    this.#previous.array.previous[i] = Number.NaN;
  }

  /** What a restart needs beyond the log it reads again: rows by name, as entities get other numbers then. */
  export(names: readonly string[]): CycleRows {
    const rows: Record<string, string> = {};
    const keep = (name: string, row: Float32Array): void => {
      if (row.some((value) => !Number.isNaN(value))) rows[name] = toBase64(row);
    };
    for (const name of this.#waiting.keys()) keep(name, this.#waited(name));
    for (let i = 0; i < Math.min(names.length, this.#previous.size); i++) keep(names[i]!, this.#rowOf(i));
    return { written: toBase64(this.#written.array.written.subarray(0, this.#row)), rows };
  }

  /** Rows wait for their entities to be seen. Windows that are read again change nothing: an extreme is one twice. */
  import({ written, rows }: CycleRows): void {
    this.#written.load({ size: 1, columns: { written } });
    this.#waitingSince = Int32Array.from(this.#written.array.written.subarray(0, this.#row));
    this.#waiting = new Map(Object.entries(rows));
  }

  adopt(i: number, name: string): void {
    if (!this.#waiting.has(name)) return;
    this.ensure(i + 1);
    this.#waited(name).forEach((value, column) => {
      if (!Number.isNaN(value) || i < this.#extremes.view(column).length) this.#extremes.open(column)[i] = value;
    });
    this.#waiting.delete(name);
  }

  #rowOf(i: number): Float32Array {
    const row = new Float32Array(this.#row).fill(Number.NaN);
    for (let column = 0; column < this.#row; column++) {
      const extremes = this.#extremes.view(column);
      if (i < extremes.length) row[column] = extremes[i]!;
    }
    return row;
  }

  /** A waiting row less the columns that others began anew meanwhile. */
  #waited(name: string): Float32Array {
    const row = new Float32Array(this.#row).fill(Number.NaN);
    const bytes = new Uint8Array(Buffer.from(this.#waiting.get(name) ?? '', 'base64'));
    row.set(new Float32Array(bytes.buffer, 0, Math.min(this.#row, bytes.length >> 2)));
    const { written } = this.#written.array;
    return row.map((value, column) => (written[column] === this.#waitingSince[column] ? value : Number.NaN));
  }

  save(): CycleState {
    return {
      previous: { ...this.#previous.save(), blocks: this.#extremes.save() },
      written: this.#written.save(),
      waiting: { written: toBase64(this.#waitingSince), rows: Object.fromEntries(this.#waiting) },
    };
  }

  load({ previous, written, waiting }: CycleState): void {
    this.#previous.load(previous);
    this.#extremes.load(previous.size, previous.blocks ?? {});
    this.#written.load(written);
    this.#waitingSince = new Int32Array(fromBase64(waiting.written));
    this.#waiting = new Map(Object.entries(waiting.rows));
  }

  #clear(column: number, period: number): void {
    this.#extremes.view(column).fill(Number.NaN);
    this.#written.array.written[column] = period;
  }

  /** The extreme of a period's bin and its neighbours (of the periods beside it, at its ends); NaN: nothing is known. */
  #extremeAround(i: number, period: number, bin: number): number {
    const { written } = this.#written.array;
    const bins = this.#bins;
    let found = Number.NaN;
    for (let step = -1; step <= 1; step++) {
      const other = (bin + step + bins) % bins;
      const of = period + Math.floor((bin + step) / bins);
      const column = (((of % SLOTS) + SLOTS) % SLOTS) * bins + other;
      if (written[column] !== of) continue;
      const value = this.#extremes.view(column)[i] ?? Number.NaN;
      if (Number.isNaN(found) || (this.rises ? value > found : value < found)) found = value;
    }
    return found;
  }
}
