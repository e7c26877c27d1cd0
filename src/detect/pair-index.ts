/** Pairs of numbers -> dense numbers, without an object per pair: open addressing over two columns. */
import { avalanche, mixWord } from '../model/murmur3.ts';

export class PairIndex {
  size = 0;
  /** Two numbers per pair. */
  #pairs = new Uint32Array(128);
  #slots = new Int32Array(128).fill(-1);

  first(i: number): number {
    return this.#pairs[i * 2]!;
  }

  second(i: number): number {
    return this.#pairs[i * 2 + 1]!;
  }

  /** Number of the pair, made when new. Cost: O(1). */
  id(first: number, second: number): number {
    const mask = this.#slots.length - 1;
    let slot = hash(first, second) & mask;
    for (let id = this.#slots[slot]!; id >= 0; id = this.#slots[slot]!) {
      if (this.#pairs[id * 2] === first && this.#pairs[id * 2 + 1] === second) return id;
      slot = (slot + 1) & mask;
    }
    const made = this.size++;
    if (made * 2 === this.#pairs.length) this.#grow();
    this.#pairs[made * 2] = first;
    this.#pairs[made * 2 + 1] = second;
    if (this.#slots.length === mask + 1) this.#slots[slot] = made;
    else this.#place(made);
    return made;
  }

  /** At most half of the slots are taken. */
  #grow(): void {
    const pairs = new Uint32Array(this.#pairs.length * 2);
    pairs.set(this.#pairs);
    this.#pairs = pairs;
    this.#slots = new Int32Array(pairs.length).fill(-1);
    for (let id = 0; id < this.size - 1; id++) this.#place(id);
  }

  #place(id: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash(this.#pairs[id * 2]!, this.#pairs[id * 2 + 1]!) & mask;
    while (this.#slots[slot]! >= 0) slot = (slot + 1) & mask;
    this.#slots[slot] = id;
  }
}

function hash(first: number, second: number): number {
  return avalanche(mixWord(mixWord(0, first), second));
}
