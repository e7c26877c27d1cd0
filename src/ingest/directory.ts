/**
 * Leaf identities: a hash table from fixed-width integer keys to dense ids. Open addressing, keys in one flat array, the
 * successor of each leaf remembered: collectors send the same rows in the same order window after window, so the next
 * row is usually found by one comparison instead of a hash.
 */
import { avalanche, mixWord } from '../model/murmur3.ts';
import type { LeafDirectory } from '../model/window.ts';
import { MANY_COLLECTORS } from '../model/window.ts';

export class Directory implements LeafDirectory {
  readonly width: number;
  size = 0;
  keys: Uint32Array;
  collector: Uint32Array;
  #hash: Uint32Array;
  /** The two leaves that followed last, the later one first: a row that comes and goes leaves both ways known. */
  #next: Int32Array;
  #other: Int32Array;
  #slots: Int32Array;
  #previous = -1;

  constructor(width: number, capacity = 1024) {
    this.width = width;
    this.keys = new Uint32Array(capacity * width);
    this.collector = new Uint32Array(capacity);
    this.#hash = new Uint32Array(capacity);
    this.#next = new Int32Array(capacity).fill(-1);
    this.#other = new Int32Array(capacity).fill(-1);
    this.#slots = new Int32Array(capacity * 2).fill(-1);
  }

  /** Id of the key (its first `width` numbers), made when new. Cost: O(width). */
  intern(key: Uint32Array, collector: number): number {
    const id = this.#find(key);
    if (this.collector[id] !== collector) this.#report(id, collector);
    const previous = this.#previous;
    if (previous >= 0 && this.#next[previous] !== id) {
      this.#other[previous] = this.#next[previous]!;
      this.#next[previous] = id;
    }
    this.#previous = id;
    return id;
  }

  #report(id: number, collector: number): void {
    this.collector[id] = this.collector[id] === 0 ? collector : MANY_COLLECTORS;
  }

  #find(key: Uint32Array): number {
    if (this.#previous >= 0) {
      const next = this.#next[this.#previous]!;
      if (next >= 0 && this.#equals(next, key)) return next;
      const other = this.#other[this.#previous]!;
      if (other >= 0 && this.#equals(other, key)) return other;
    }
    const hash = hashKey(key, this.width);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const id = this.#slots[slot]!;
      if (id < 0) break;
      if (this.#hash[id] === hash && this.#equals(id, key)) return id;
      slot = (slot + 1) & mask;
    }
    return this.#insert(key, hash, slot);
  }

  #equals(id: number, key: Uint32Array): boolean {
    const width = this.width;
    const keys = this.keys;
    const at = id * width;
    for (let i = 0; i < width; i++) if (keys[at + i] !== key[i]) return false;
    return true;
  }

  #insert(key: Uint32Array, hash: number, slot: number): number {
    const id = this.size++;
    if (id === this.collector.length) this.#grow();
    else this.#slots[slot] = id;
    this.#hash[id] = hash;
    for (let i = 0; i < this.width; i++) this.keys[id * this.width + i] = key[i]!;
    if (this.#slots[slot] !== id) this.#place(id);
    return id;
  }

  #place(id: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#hash[id]! & mask;
    while (this.#slots[slot]! >= 0) slot = (slot + 1) & mask;
    this.#slots[slot] = id;
  }

  #grow(): void {
    const old = this.collector.length;
    const capacity = old * 2;
    this.keys = grown(this.keys, new Uint32Array(capacity * this.width));
    this.collector = grown(this.collector, new Uint32Array(capacity));
    this.#hash = grown(this.#hash, new Uint32Array(capacity));
    this.#next = grown(this.#next, new Int32Array(capacity).fill(-1));
    this.#other = grown(this.#other, new Int32Array(capacity).fill(-1));
    this.#slots = new Int32Array(capacity * 2).fill(-1);
    for (let id = 0; id < old; id++) this.#place(id);
  }
}

function grown<T extends Uint32Array | Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function hashKey(key: Uint32Array, width: number): number {
  let h = 0x9747b28c;
  for (let i = 0; i < width; i++) h = mixWord(h, key[i]!);
  return avalanche(h);
}
