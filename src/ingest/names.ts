/** Names <-> dense ids, per environment. Id 0 is the empty string: absent. */
import type { Names } from '../model/window.ts';

export class NameTable implements Names {
  readonly #ids = new Map<string, number>([['', 0]]);
  readonly #names: string[] = [''];

  get size(): number {
    return this.#names.length;
  }

  id(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.#names.length;
    this.#ids.set(name, id);
    this.#names.push(name);
    return id;
  }

  name(id: number): string {
    return this.#names[id] ?? '';
  }
}
