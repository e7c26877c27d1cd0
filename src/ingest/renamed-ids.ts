/** Leaves and edges with names in the place of addresses. */
import type { Directory, Forgotten } from './directory.ts';
import { RowIndex } from './growable.ts';
import type { Joins } from './joins.ts';

/** Id of a directory -> id of the same with names; remembered as long as nothing new is learnt. */
export class RenamedIds {
  readonly directory: Directory;
  readonly #joins: Joins;
  readonly #rename: (key: Uint32Array) => boolean;
  readonly #key: Uint32Array;
  #version = 0;
  /** Id -> renamed id, once it was asked for. */
  #known = new RowIndex();

  /** @param rename  puts names into a key of the directory; false when there is nothing to put */
  constructor(directory: Directory, joins: Joins, rename: (key: Uint32Array) => boolean) {
    this.directory = directory;
    this.#joins = joins;
    this.#rename = rename;
    this.#key = new Uint32Array(directory.width);
  }

  /** Cost: O(1) for an id asked for before. */
  of(id: number): number {
    if (this.#version !== this.#joins.version) {
      this.#version = this.#joins.version;
      this.#known = new RowIndex(this.directory.size);
    }
    const known = this.#known.get(id);
    if (known >= 0) return known;
    const found = this.#find(id);
    this.#known.set(id, found);
    return found;
  }

  /** What the directory forgot, and what is new again, is asked for again. Cost: O(ids). */
  forget({ gone, again }: Forgotten): void {
    for (const id of again) this.#known.set(id, -1);
    for (let id = 0; id < gone.length; id++) {
      const known = this.#known.get(id);
      if (known >= 0 && (gone[id] === 1 || gone[known] === 1)) this.#known.set(id, -1);
    }
  }

  #find(id: number): number {
    const { keys, width } = this.directory;
    this.#key.set(keys.subarray(id * width, (id + 1) * width));
    return this.#rename(this.#key) ? this.directory.intern(this.#key) : id;
  }
}
