/** Append-only number columns that double when full. `trim` hands out the used part: a view when little is wasted. */
const WASTE = 1.25;

export function trimmed<T extends Float64Array | Uint32Array>(data: T, length: number): T {
  return (data.length > length * WASTE ? data.slice(0, length) : data.subarray(0, length)) as T;
}

export class Doubles {
  data: Float64Array;
  length = 0;

  constructor(capacity = 256) {
    this.data = new Float64Array(capacity);
  }

  push(value: number): void {
    if (this.length === this.data.length) this.reserve(1);
    this.data[this.length++] = value;
  }

  /** Makes room for `count` more. */
  reserve(count: number): void {
    if (this.length + count <= this.data.length) return;
    const data = new Float64Array(Math.max(this.data.length * 2, this.length + count));
    data.set(this.data);
    this.data = data;
  }

  trim(): Float64Array {
    return trimmed(this.data, this.length);
  }
}

export class Words {
  data: Uint32Array;
  length = 0;

  constructor(capacity = 256) {
    this.data = new Uint32Array(capacity);
  }

  push(value: number): void {
    if (this.length === this.data.length) this.reserve(1);
    this.data[this.length++] = value;
  }

  /** Makes room for `count` more. */
  reserve(count: number): void {
    if (this.length + count <= this.data.length) return;
    const data = new Uint32Array(Math.max(this.data.length * 2, this.length + count));
    data.set(this.data);
    this.data = data;
  }

  trim(): Uint32Array {
    return trimmed(this.data, this.length);
  }
}

/**
 * Sums are exact, hence the same in any order: values are rounded to multiples of 2⁻¹⁰, and sums of those below 2⁴³
 * (100 days in µs, 8 TB in bytes) fit a double without rounding.
 */
export function exact(value: number): number {
  return Math.round(value * 1024) * STEP;
}

const STEP = 1 / 1024;

/** Row of a leaf in a window's table: leaf id -> row + 1, grown on demand; row -1: none. */
export class RowIndex {
  #rows: Uint32Array;

  constructor(capacity = 1024) {
    this.#rows = new Uint32Array(Math.max(capacity, 16));
  }

  get(id: number): number {
    return id < this.#rows.length ? this.#rows[id]! - 1 : -1;
  }

  set(id: number, row: number): void {
    if (id >= this.#rows.length) {
      const rows = new Uint32Array(Math.max(this.#rows.length * 2, id + 1));
      rows.set(this.#rows);
      this.#rows = rows;
    }
    this.#rows[id] = row + 1;
  }
}
