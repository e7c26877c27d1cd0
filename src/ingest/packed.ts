/**
 * A column of a table that is kept, in as few bytes as hold it without loss: whole numbers from 0 in one, two or four
 * bytes, anything else as it is, a column nobody reported in none. Most counters of a window need one or two bytes.
 */
const MAX_WHOLE = 0xffff_fffe;

type Column = Float64Array | Uint32Array | Uint8Array;
type Numbers = Uint8Array | Uint16Array | Uint32Array | Float64Array;

export class Packed {
  /** Nobody reported it: NaN in every row. */
  readonly unknown: boolean;
  readonly #data: Numbers;
  /** 1: numbers are kept plus one, and 0 is NaN. */
  readonly #shift: 0 | 1;

  constructor(data: Numbers, shift: 0 | 1, unknown: boolean) {
    this.#data = data;
    this.#shift = shift;
    this.unknown = unknown;
  }

  get bytes(): number {
    return this.#data.byteLength;
  }

  at(row: number): number {
    if (this.unknown) return Number.NaN;
    const value = this.#data[row]!;
    return this.#shift === 1 ? (value === 0 ? Number.NaN : value - 1) : value;
  }

  /** A column as it is, not copied. */
  static plain(values: Float64Array | Uint32Array): Packed {
    return new Packed(values, 0, false);
  }

  /** out[at] is the value of row rows[at] for at = from, from + stride ...; NaN where that is -1. */
  gather(rows: Int32Array, from: number, stride: number, out: Float64Array): void {
    const data = this.#data;
    const shift = this.#shift;
    for (let at = from; at < rows.length; at += stride) {
      const row = rows[at]!;
      const value = row < 0 || this.unknown ? Number.NaN : data[row]!;
      out[at] = shift === 0 ? value : value === 0 ? Number.NaN : value - 1;
    }
  }

  /** Writes every row to the beginning of `out`. */
  copyTo(out: Float64Array, rows: number): void {
    if (this.unknown) {
      out.fill(Number.NaN, 0, rows);
      return;
    }
    out.set(this.#data);
    if (this.#shift === 0) return;
    for (let r = 0; r < rows; r++) out[r] = out[r] === 0 ? Number.NaN : out[r]! - 1;
  }
}

/** A column nobody reported. */
export const UNKNOWN = new Packed(new Uint8Array(0), 0, true);

/** The first `rows` numbers of a column. Cost: O(rows), twice. */
export function packed(values: Column, rows: number): Packed {
  let most = 0;
  let gaps = 0;
  let whole = true;
  for (let r = 0; r < rows; r++) {
    const value = values[r]!;
    if (value >= 0 && value <= MAX_WHOLE && Math.floor(value) === value) {
      if (value > most) most = value;
    } else if (Number.isNaN(value)) gaps++;
    else whole = false;
  }
  if (gaps === rows) return UNKNOWN;
  if (!whole) return new Packed(new Float64Array(values.subarray(0, rows)), 0, false);
  const shift = gaps > 0 ? 1 : 0;
  const data = room(most + shift, rows);
  // Copied by the engine; NaN + 1 is stored as 0 by every array of whole numbers.
  if (shift === 0) data.set(values.subarray(0, rows));
  else for (let r = 0; r < rows; r++) data[r] = values[r]! + 1;
  return new Packed(data, shift, false);
}

function room(most: number, rows: number): Uint8Array | Uint16Array | Uint32Array {
  if (most <= 0xff) return new Uint8Array(rows);
  return most <= 0xffff ? new Uint16Array(rows) : new Uint32Array(rows);
}

/** Columns side by side as plain numbers, valid until the next call. */
export class Unpacker {
  #columns: Float64Array[] = [];

  take(columns: readonly Packed[], rows: number): readonly Float64Array[] {
    const most = Math.max(rows, this.#columns[0]?.length ?? 0);
    if (most > (this.#columns[0]?.length ?? 0)) this.#columns = [];
    while (this.#columns.length < columns.length) this.#columns.push(new Float64Array(most));
    columns.forEach((column, k) => {
      column.copyTo(this.#columns[k]!, rows);
    });
    return this.#columns;
  }
}
