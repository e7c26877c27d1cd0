/**
 * What recurs at the same time of day: a nightly batch job that slows a service down, the end of a shift that takes its
 * traffic. For every quarter of an hour of the last two days the extreme that lasted two windows is kept, abnormal or not.
 * A change that both days showed around this time is the day's rhythm and no anomaly; what one day showed may be a fault.
 *
 * Memory: 1.2 KB a series. Cost: O(1) a window; a new quarter of an hour clears one column.
 */
import type { ColumnsState } from './columns.ts';
import { Columns, toBase64 } from './columns.ts';

const DAY_MS = 86_400_000;
const BIN_MS = 900_000;
const BINS = DAY_MS / BIN_MS;
/** Days that must have shown a change, and days kept: today's writes must not clear the oldest. */
const DAYS = 2;
const SLOTS = DAYS + 1;
const ROW = BINS * SLOTS;
/** A change recurs when each of the days came this near to it. */
const NEAR = 1.25;

const SPECS = {
  extreme: { type: Float32Array, width: ROW, fill: Number.NaN },
  previous: { type: Float32Array, fill: Number.NaN },
  /** Row 0 alone: which day (from 1970) each bin's columns were last written on. */
  written: { type: Int32Array, width: ROW, fill: -1 },
} as const;

/** Names to rows of 32-bit floats, base64. */
export interface RhythmRows {
  readonly written: string;
  readonly rows: Readonly<Record<string, string>>;
}

export class Rhythm {
  readonly #columns = new Columns({ extreme: SPECS.extreme, previous: SPECS.previous });
  readonly #written = new Columns({ written: SPECS.written });
  #waiting = new Map<string, string>();
  #waitingSince = new Int32Array(ROW);
  /** The changes that matter are rises (durations); else falls (traffic). */
  readonly rises: boolean;

  constructor(rises: boolean) {
    this.rises = rises;
    this.#written.ensure(1);
  }

  ensure(size: number): void {
    this.#columns.ensure(size);
  }

  /** Whether both days before came near to this value, one quarter of an hour earlier or later included. */
  recurs(i: number, atMs: number, value: number): boolean {
    const day = Math.floor(atMs / DAY_MS);
    for (let back = 1; back <= DAYS; back++) {
      const extreme = this.#extremeAround(i, day - back, Math.floor((atMs % DAY_MS) / BIN_MS));
      if (Number.isNaN(extreme) || (this.rises ? value > NEAR * extreme : value < extreme / NEAR)) return false;
    }
    return true;
  }

  /** The window's value, abnormal or not; NaN: unknown. */
  add(i: number, atMs: number, value: number): void {
    const { extreme, previous } = this.#columns.array;
    const day = Math.floor(atMs / DAY_MS);
    const bin = Math.floor((atMs % DAY_MS) / BIN_MS);
    const column = (day % SLOTS) * BINS + bin;
    if (this.#written.array.written[column] !== day) this.#clear(column, day);
    const before = previous[i]!;
    previous[i] = value;
    const lasting = this.rises ? Math.min(before, value) : Math.max(before, value);
    if (Number.isNaN(lasting)) return;
    const at = i * ROW + column;
    const known = extreme[at]!;
    if (Number.isNaN(known) || (this.rises ? lasting > known : lasting < known)) extreme[at] = lasting;
  }

  /** The level changed its meaning: what was learned no longer compares. */
  forget(i: number): void {
    this.#columns.array.extreme.fill(Number.NaN, i * ROW, (i + 1) * ROW);
    this.#columns.array.previous[i] = Number.NaN;
  }

  /** What a restart needs beyond the log it reads again: rows by name, as entities get other numbers then. */
  export(names: readonly string[]): RhythmRows {
    const { extreme } = this.#columns.array;
    const rows: Record<string, string> = {};
    const keep = (name: string, row: Float32Array): void => {
      if (row.some((value) => !Number.isNaN(value))) rows[name] = toBase64(row);
    };
    for (const name of this.#waiting.keys()) keep(name, this.#waited(name));
    for (let i = 0; i < Math.min(names.length, this.#columns.size); i++)
      keep(names[i]!, extreme.slice(i * ROW, (i + 1) * ROW) as Float32Array);
    return { written: toBase64(this.#written.array.written.subarray(0, ROW)), rows };
  }

  /** Rows wait for their entities to be seen. Windows that are read again change nothing: an extreme is one twice. */
  import({ written, rows }: RhythmRows): void {
    this.#written.load({ size: 1, columns: { written } });
    this.#waitingSince = Int32Array.from(this.#written.array.written.subarray(0, ROW));
    this.#waiting = new Map(Object.entries(rows));
  }

  adopt(i: number, name: string): void {
    if (!this.#waiting.has(name)) return;
    this.ensure(i + 1);
    this.#columns.array.extreme.set(this.#waited(name), i * ROW);
    this.#waiting.delete(name);
  }

  /** A waiting row less the columns that others began anew meanwhile. */
  #waited(name: string): Float32Array {
    const row = new Float32Array(ROW).fill(Number.NaN);
    const bytes = new Uint8Array(Buffer.from(this.#waiting.get(name) ?? '', 'base64'));
    row.set(new Float32Array(bytes.buffer, 0, Math.min(ROW, bytes.length >> 2)));
    const { written } = this.#written.array;
    return row.map((value, column) => (written[column] === this.#waitingSince[column] ? value : Number.NaN));
  }

  save(): readonly ColumnsState[] {
    return [this.#columns.save(), this.#written.save()];
  }

  load([columns, written]: readonly ColumnsState[]): void {
    if (columns !== undefined) this.#columns.load(columns);
    if (written !== undefined) this.#written.load(written);
  }

  #clear(column: number, day: number): void {
    const { extreme } = this.#columns.array;
    for (let at = column; at < extreme.length; at += ROW) extreme[at] = Number.NaN;
    this.#written.array.written[column] = day;
  }

  /** The extreme of a day's bin and its neighbours (of the days beside it, at midnight); NaN: nothing is known. */
  #extremeAround(i: number, day: number, bin: number): number {
    const { extreme } = this.#columns.array;
    const { written } = this.#written.array;
    let found = Number.NaN;
    for (let step = -1; step <= 1; step++) {
      const other = (bin + step + BINS) % BINS;
      const of = day + Math.floor((bin + step) / BINS);
      const column = (((of % SLOTS) + SLOTS) % SLOTS) * BINS + other;
      if (written[column] !== of) continue;
      const value = extreme[i * ROW + column]!;
      if (Number.isNaN(found) || (this.rises ? value > found : value < found)) found = value;
    }
    return found;
  }
}
