/** Struct-of-arrays state: named typed arrays that grow together and go into a snapshot as they are. */
export type NumberArray = Float64Array | Float32Array | Int32Array | Uint32Array | Uint16Array | Uint8Array;
type ArrayType =
  | Float64ArrayConstructor
  | Float32ArrayConstructor
  | Int32ArrayConstructor
  | Uint32ArrayConstructor
  | Uint16ArrayConstructor
  | Uint8ArrayConstructor;

export interface ColumnSpec {
  readonly type: ArrayType;
  readonly width?: number;
  readonly fill?: number;
}

export interface ColumnsState {
  readonly size: number;
  /** Column -> base64 of its bytes (little endian). */
  readonly columns: Readonly<Record<string, string>>;
  /** The same for those that exist of a block's columns, by number. */
  readonly blocks?: Readonly<Record<string, string>>;
}

/** Room for this share more than asked for: 1,000,000 series times 300 bytes leave none for doubling. */
const SPARE = 1 / 8;

export class Columns<Name extends string> {
  size = 0;
  readonly array: Record<Name, NumberArray>;
  readonly #specs: Readonly<Record<Name, ColumnSpec>>;
  #capacity = 0;

  constructor(specs: Readonly<Record<Name, ColumnSpec>>) {
    this.#specs = specs;
    this.array = Object.fromEntries(
      Object.entries<ColumnSpec>(specs).map(([name, spec]) => [name, make(spec, 0)]),
    ) as Record<Name, NumberArray>;
  }

  /** Makes rows 0..size-1 exist. Returns true when arrays were replaced: fetch them again. */
  ensure(size: number): boolean {
    if (size <= this.size) return false;
    this.size = size;
    if (size <= this.#capacity) return false;
    this.#capacity = size + Math.ceil(size * SPARE);
    for (const name of Object.keys(this.#specs) as Name[]) {
      const next = make(this.#specs[name], this.#capacity);
      next.set(this.array[name]);
      this.array[name] = next;
    }
    return true;
  }

  /** Row i is as if it had never been written. */
  clear(i: number): void {
    if (i >= this.size) return;
    for (const name of Object.keys(this.#specs) as Name[]) {
      const { width = 1, fill = 0 } = this.#specs[name];
      this.array[name].fill(fill, i * width, (i + 1) * width);
    }
  }

  save(): ColumnsState {
    const columns: Record<string, string> = {};
    for (const name of Object.keys(this.#specs) as Name[]) {
      const array = this.array[name].subarray(0, this.size * (this.#specs[name].width ?? 1));
      columns[name] = toBase64(array);
    }
    return { size: this.size, columns };
  }

  load(state: ColumnsState): void {
    this.ensure(state.size);
    for (const name of Object.keys(this.#specs) as Name[]) {
      this.array[name].set(new this.#specs[name].type(fromBase64(state.columns[name] ?? '')));
    }
  }
}

/**
 * Rows of 32-bit floats cut into blocks, each an array of its own that is made when its first value comes: memory that is
 * touched little by little, not all of it in the window in which a million series are first seen.
 */
export class Blocks {
  readonly #width: number;
  readonly #fill: number;
  readonly #blocks: Float32Array[];
  #size = 0;

  /** @param width values of a row in each block @param fill what was never written in a block that was made */
  constructor(count: number, width: number, fill = 0) {
    this.#width = width;
    this.#fill = fill;
    this.#blocks = Array.from({ length: count }, () => new Float32Array(0));
  }

  /** Rows 0..size-1 may be written. */
  ensure(size: number): void {
    if (size > this.#size) this.#size = size;
  }

  /** To write to: row i begins at i * width. */
  open(block: number): Float32Array {
    const array = this.#blocks[block]!;
    return array.length >= this.#size * this.#width ? array : this.#grow(block, array);
  }

  /** To read from; rows beyond its end were never written. */
  view(block: number): Float32Array {
    return this.#blocks[block]!;
  }

  /** Row i is as if it had never been written. */
  clear(i: number): void {
    for (const array of this.#blocks) array.fill(this.#fill, i * this.#width, (i + 1) * this.#width);
  }

  #grow(block: number, array: Float32Array): Float32Array {
    const grown = new Float32Array((this.#size + Math.ceil(this.#size * SPARE)) * this.#width);
    grown.set(array);
    if (this.#fill !== 0) grown.fill(this.#fill, array.length);
    this.#blocks[block] = grown;
    return grown;
  }

  /** Blocks that hold something, by number. */
  save(): Readonly<Record<string, string>> {
    const saved: Record<string, string> = {};
    this.#blocks.forEach((array, block) => {
      if (array.length > 0) saved[block] = toBase64(this.open(block).subarray(0, this.#size * this.#width));
    });
    return saved;
  }

  load(size: number, blocks: Readonly<Record<string, string>>): void {
    this.ensure(size);
    for (const [block, text] of Object.entries(blocks))
      this.open(Number(block)).set(new Float32Array(fromBase64(text)));
  }
}

/** What toBase64 made, in memory of its own. */
export function fromBase64(text: string): ArrayBuffer {
  return new Uint8Array(Buffer.from(text, 'base64')).buffer;
}

/** Bytes of an array as they lie in memory (little endian). */
export function toBase64(array: NumberArray): string {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64');
}

/** The array, or a copy with room for `size` numbers and half as many more; what is new is 0. */
export function withRoom<T extends NumberArray>(from: T, size: number): T {
  if (size <= from.length) return from;
  const to = new (from.constructor as new (length: number) => T)(size + (size >> 1));
  to.set(from);
  return to;
}

function make(spec: ColumnSpec, capacity: number): NumberArray {
  const array = new spec.type(capacity * (spec.width ?? 1));
  return spec.fill === undefined ? array : array.fill(spec.fill);
}
