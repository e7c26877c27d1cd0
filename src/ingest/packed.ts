/**
 * A column of a table that is kept, in as few bytes as hold it without loss: whole numbers from 0 in one, two or four
 * bytes, anything else as it is, a column nobody reported in none. Most counters of a window need one or two bytes.
 */
const MAX_WHOLE = 0xffff_fffe;
/** Rows of a table taken at once: few enough to stay in the cache while its columns are taken one by one. */
const BLOCK_ROWS = 512;

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

/** The first `rows` numbers of a column. Cost: O(rows), twice. */
export function packed(values: Column, rows: number): Packed {
  return packedTable(values, rows, 1)[0]!;
}

/** The columns of a table that lies row by row, `width` numbers each. Cost: O(rows * width), twice. */
export function packedTable(values: Column, rows: number, width: number): Packed[] {
  const columns = Array.from({ length: width }, (_, field) => new Packing(field, width));
  for (let from = 0; from < rows; from += BLOCK_ROWS) {
    for (const column of columns) column.look(values, from, Math.min(rows, from + BLOCK_ROWS));
  }
  for (const column of columns) column.begin(rows);
  for (let from = 0; from < rows; from += BLOCK_ROWS) {
    for (const column of columns) column.fill(values, from, Math.min(rows, from + BLOCK_ROWS));
  }
  return columns.map((column) => column.end());
}

/** One column on its way: looked at first, then filled. */
class Packing {
  readonly #field: number;
  readonly #width: number;
  #most = 0;
  #gaps = 0;
  #whole = true;
  #shift: 0 | 1 = 0;
  #data: Numbers | undefined;

  constructor(field: number, width: number) {
    this.#field = field;
    this.#width = width;
  }

  look(values: Column, from: number, to: number): void {
    let most = this.#most;
    let gaps = 0;
    let other = 0;
    for (let r = from, at = from * this.#width + this.#field; r < to; r++, at += this.#width) {
      const value = values[at]!;
      if (value >= 0 && value <= MAX_WHOLE && Math.floor(value) === value) {
        if (value > most) most = value;
      } else if (Number.isNaN(value)) gaps++;
      else other++;
    }
    this.#most = most;
    this.#gaps += gaps;
    if (other > 0) this.#whole = false;
  }

  begin(rows: number): void {
    if (this.#gaps === rows) return;
    this.#shift = this.#whole && this.#gaps > 0 ? 1 : 0;
    this.#data = this.#whole ? room(this.#most + this.#shift, rows) : new Float64Array(rows);
  }

  fill(values: Column, from: number, to: number): void {
    const data = this.#data;
    if (data === undefined) return;
    const shift = this.#shift;
    // NaN + 1 is stored as 0 by every array of whole numbers.
    for (let r = from, at = from * this.#width + this.#field; r < to; r++, at += this.#width) {
      data[r] = values[at]! + shift;
    }
  }

  end(): Packed {
    return new Packed(this.#data ?? new Uint8Array(0), this.#shift, this.#data === undefined);
  }
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
