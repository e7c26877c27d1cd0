/**
 * Leaf identities: a hash table from fixed-width integer keys to dense ids. Open addressing, keys in one flat array, the
 * successor of each leaf remembered: collectors send the same rows in the same order window after window, so the next
 * row is usually found by one comparison instead of a hash.
 *
 * Leaves that no window had for long enough are forgotten (src/ingest/forget.ts), and their ids are given to new ones.
 */
import { avalanche, mixWord } from '../model/murmur3.ts';
import type { LeafDirectory } from '../model/window.ts';
import { MANY_COLLECTORS } from '../model/window.ts';
import { Words } from './growable.ts';

/** What became of the leaves that no window had for long enough. */
export interface Forgotten {
  /** Id -> 1: it is gone. */
  readonly gone: Uint8Array;
  readonly count: number;
  /** Gone too, had not an open window brought them back: new leaves under the same ids. */
  readonly again: readonly number[];
}

export class Directory implements LeafDirectory {
  readonly width: number;
  size = 0;
  made = 0;
  keys: Uint32Array;
  collector: Uint32Array;
  /** Time of the last closed window that had the leaf, as of `seenAt`; 0: none yet. */
  seen: Uint32Array;
  /** `made` when the leaf was made. */
  #born: Float64Array;
  /** Those that are there, oldest first. */
  readonly #order = new Words(64);
  #free: number[] = [];
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
    this.seen = new Uint32Array(capacity);
    this.#born = new Float64Array(capacity);
    this.#hash = new Uint32Array(capacity);
    this.#next = new Int32Array(capacity).fill(-1);
    this.#other = new Int32Array(capacity).fill(-1);
    this.#slots = new Int32Array(capacity * 2).fill(-1);
  }

  /** Id of the key (its first `width` numbers), made when new. Cost: O(width). */
  intern(key: Uint32Array): number {
    const id = this.#find(key);
    const previous = this.#previous;
    if (previous >= 0 && this.#next[previous] !== id) {
      this.#other[previous] = this.#next[previous]!;
      this.#next[previous] = id;
    }
    this.#previous = id;
    return id;
  }

  /** A closed window has the leaf from this collector; 0: it is not told. */
  report(id: number, collector: number): void {
    const known = this.collector[id]!;
    if (known !== collector && collector !== 0) this.collector[id] = known === 0 ? collector : MANY_COLLECTORS;
  }

  /** A closed window had these leaves. Cost: O(rows). */
  touch(leaves: Uint32Array, rows: number, startMs: number): void {
    const at = seenAt(startMs);
    const { seen } = this;
    for (let r = 0; r < rows; r++) seen[leaves[r]!] = at;
  }

  /** Ids of the leaves that a closed window from `fromMs` on had, in the order they were made. Cost: O(leaves). */
  seenSince(fromMs: number): Uint32Array {
    const from = seenAt(fromMs);
    const { seen } = this;
    const living = this.since(0);
    const found = new Uint32Array(living.length);
    let length = 0;
    for (let k = 0; k < living.length; k++) {
      const id = living[k]!;
      if (seen[id]! >= from) found[length++] = id;
    }
    return found.subarray(0, length);
  }

  /** Cost: O(log leaves). */
  since(made: number): Uint32Array {
    const { data, length } = this.#order;
    let [low, high] = [0, length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#born[data[middle]!]! < made) low = middle + 1;
      else high = middle;
    }
    return data.subarray(low, length);
  }

  /**
   * Forgets the leaves that no closed window from `fromMs` on had, and no open one has.
   * @param held  id -> 1: an open window has it
   * @returns undefined: nothing changed. Cost: O(ids).
   */
  forget(fromMs: number, held: Uint8Array): Forgotten | undefined {
    const from = seenAt(fromMs);
    const gone = new Uint8Array(this.size);
    const again: number[] = [];
    const freed: number[] = [];
    const { data, length } = this.#order;
    let kept = 0;
    for (let k = 0; k < length; k++) {
      const id = data[k]!;
      if (this.seen[id]! >= from || (held[id] === 1 && this.seen[id] === 0)) data[kept++] = id;
      else if (held[id] === 1) again.push(id);
      else freed.push(id);
    }
    if (kept === length) return undefined;
    this.#order.length = kept;
    for (const id of again) {
      this.seen[id] = 0;
      this.collector[id] = 0;
      this.#enter(id);
    }
    for (const id of freed) {
      gone[id] = 1;
      this.seen[id] = 0;
      this.collector[id] = 0;
      this.keys.fill(0, id * this.width, (id + 1) * this.width);
    }
    if (freed.length > 0) this.#unlink(gone);
    for (let k = freed.length - 1; k >= 0; k--) this.#free.push(freed[k]!);
    return { gone, count: freed.length, again };
  }

  /** Nothing leads to those that are gone any more. */
  #unlink(gone: Uint8Array): void {
    if (this.#previous >= 0 && gone[this.#previous] === 1) this.#previous = -1;
    for (let id = 0; id < this.size; id++) {
      const next = this.#next[id]!;
      const other = this.#other[id]!;
      if (gone[id] === 1 || (next >= 0 && gone[next] === 1)) this.#next[id] = -1;
      if (gone[id] === 1 || (other >= 0 && gone[other] === 1)) this.#other[id] = -1;
    }
    this.#slots.fill(-1);
    const { data, length } = this.#order;
    for (let k = 0; k < length; k++) this.#place(data[k]!);
  }

  #enter(id: number): void {
    this.#born[id] = this.made++;
    this.#order.push(id);
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
    const id = this.#free.pop() ?? this.size++;
    // Full: then no id is free, and all below are taken.
    if (id === this.collector.length) this.#grow();
    else this.#slots[slot] = id;
    this.#hash[id] = hash;
    for (let i = 0; i < this.width; i++) this.keys[id * this.width + i] = key[i]!;
    if (this.#slots[slot] !== id) this.#place(id);
    this.#enter(id);
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
    this.seen = grown(this.seen, new Uint32Array(capacity));
    this.#born = grown(this.#born, new Float64Array(capacity));
    this.#hash = grown(this.#hash, new Uint32Array(capacity));
    this.#next = grown(this.#next, new Int32Array(capacity).fill(-1));
    this.#other = grown(this.#other, new Int32Array(capacity).fill(-1));
    this.#slots = new Int32Array(capacity * 2).fill(-1);
    for (let id = 0; id < old; id++) this.#place(id);
  }
}

/** A window's start as `seen` has it: whole seconds, and never 0. */
export function seenAt(startMs: number): number {
  return Math.max(0, Math.floor(startMs / 1000)) + 1;
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
