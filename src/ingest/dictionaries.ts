/** The dictionary of a batch -> name ids, once per batch. */
import type { CallColumns, TcpColumns } from '../model/columns.ts';
import type { NameTable } from './names.ts';

export class Dictionaries {
  readonly #names: NameTable;
  /** Number of a text in the decoder's cache -> name id; 0: not known yet. */
  #idOf = new Uint32Array(1_024);
  #epoch = -1;
  #ids = new Uint32Array(1_024);
  /** Last dictionary of each collector, type and sequence number, where texts have no numbers: mostly the same. */
  readonly #last = new Map<string, { readonly strings: readonly string[]; readonly ids: Uint32Array }>();

  constructor(names: NameTable) {
    this.#names = names;
  }

  /** Dictionary index -> name id; valid until the next call. Cost: O(strings). */
  ids(batch: CallColumns | TcpColumns): Uint32Array {
    const { strings, tokens } = batch;
    if (tokens === undefined) return this.#compared(batch);
    if (tokens.epoch !== this.#epoch) {
      this.#epoch = tokens.epoch;
      this.#idOf.fill(0);
    }
    const count = strings.length;
    if (count > this.#ids.length) this.#ids = new Uint32Array(count * 2);
    const ids = this.#ids;
    const numbers = tokens.of;
    for (let i = 0; i < count; i++) {
      const token = numbers[i]!;
      if (token < 0) {
        ids[i] = this.#names.id(strings[i]!);
        continue;
      }
      let id = token < this.#idOf.length ? this.#idOf[token]! : 0;
      if (id === 0) {
        id = this.#names.id(strings[i]!);
        this.#note(token, id);
      }
      ids[i] = id;
    }
    return ids;
  }

  /** @param gone  name id -> 1: the name is no longer known, and its id may be given to another. Cost: O(tokens). */
  forget(gone: Uint8Array): void {
    for (let token = 0; token < this.#idOf.length; token++) {
      if (gone[this.#idOf[token]!] === 1) this.#idOf[token] = 0;
    }
    this.#last.clear();
  }

  #note(token: number, id: number): void {
    if (token >= this.#idOf.length) {
      const grown = new Uint32Array(Math.max(this.#idOf.length * 2, token + 1));
      grown.set(this.#idOf);
      this.#idOf = grown;
    }
    this.#idOf[token] = id;
  }

  /** Comparing with the last dictionary is cheaper than hashing every name again. */
  #compared({ collector, type, sequence, strings }: CallColumns | TcpColumns): Uint32Array {
    const source = `${collector}/${type}/${sequence}`;
    const last = this.#last.get(source);
    const ids = new Uint32Array(strings.length);
    let at = 0;
    for (let i = 0; i < strings.length; i++) {
      const name = strings[i]!;
      if (last !== undefined && last.strings[at] === name) ids[i] = last.ids[at++]!;
      else if (last !== undefined && last.strings[at + 1] === name) {
        ids[i] = last.ids[at + 1]!;
        at += 2;
      } else ids[i] = this.#names.id(name);
    }
    this.#last.set(source, { strings, ids });
    return ids;
  }
}
