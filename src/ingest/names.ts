/** Names <-> dense ids, per environment. Id 0 is the empty string: absent. Names that nothing refers to are forgotten. */
import type { Names } from '../model/window.ts';

export class NameTable implements Names {
  /** What windows show; another object once ids were forgotten. */
  shown: Names = shownOf(this);
  readonly #ids = new Map<string, number>([['', 0]]);
  readonly #names: string[] = [''];
  #free: number[] = [];

  get size(): number {
    return this.#names.length;
  }

  id(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.#free.pop() ?? this.#names.length;
    this.#ids.set(name, id);
    this.#names[id] = name;
    return id;
  }

  name(id: number): string {
    return this.#names[id] ?? '';
  }

  /**
   * Forgets the names that are not used.
   * @param used  id -> 1: something refers to it
   * @returns id -> 1: it is gone; undefined: none. Cost: O(names).
   */
  forget(used: Uint8Array): Uint8Array | undefined {
    const gone = new Uint8Array(this.size);
    const freed: number[] = [];
    // The ids that are free already have no name, as the first has none.
    for (const [name, id] of this.#ids) if (id > 0 && used[id] !== 1) freed.push(this.#drop(name, id));
    if (freed.length === 0) return undefined;
    for (const id of freed.reverse()) {
      gone[id] = 1;
      this.#free.push(id);
    }
    this.shown = shownOf(this);
    return gone;
  }

  #drop(name: string, id: number): number {
    this.#ids.delete(name);
    this.#names[id] = '';
    return id;
  }
}

function shownOf(table: NameTable): Names {
  return {
    get size() {
      return table.size;
    },
    id: (name) => table.id(name),
    name: (id) => table.name(id),
  };
}
