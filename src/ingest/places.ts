/** Where the rows of a table go when leaves become the same, or one is divided among several. */
import { Doubles, RowIndex, Words } from './growable.ts';

/** What each row became: one or several parts, of the same or of several rows of the new table. In order of rows. */
export interface Places {
  /** Part -> row before, row after, and how much of it. */
  readonly from: Uint32Array;
  readonly to: Uint32Array;
  readonly weight: Float64Array;
  /** Row after -> its leaf (or edge). */
  readonly ids: Uint32Array;
}

export class Placing {
  readonly #rowOf: RowIndex;
  readonly #from: Words;
  readonly #to: Words;
  readonly #weight: Doubles;
  readonly #ids: Words;
  changed = false;

  constructor(rows: number) {
    this.#rowOf = new RowIndex(rows + 64);
    this.#from = new Words(rows);
    this.#to = new Words(rows);
    this.#weight = new Doubles(rows);
    this.#ids = new Words(rows);
  }

  put(row: number, id: number, weight: number): void {
    let place = this.#rowOf.get(id);
    if (place < 0) {
      place = this.#ids.length;
      this.#rowOf.set(id, place);
      this.#ids.push(id);
    }
    this.#from.push(row);
    this.#to.push(place);
    this.#weight.push(weight);
  }

  get places(): Places {
    const [from, to, weight, ids] = [this.#from.trim(), this.#to.trim(), this.#weight.trim(), this.#ids.trim()];
    return { from, to, weight, ids };
  }
}
