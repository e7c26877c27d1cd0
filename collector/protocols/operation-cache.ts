interface Entry {
  readonly bytes: Buffer;
  readonly value: string;
}

/**
 * Remembers the operation computed for a stretch of bytes, so that a repeated request line or statement costs one hash
 * and one comparison and makes no string. Bounded: emptied when it holds `maxEntries`.
 *
 * Cost: O(length) per lookup.
 */
export class OperationCache {
  readonly #entries = new Map<number, Entry>();
  readonly #maxEntries: number;

  constructor(maxEntries = 4096) {
    this.#maxEntries = maxEntries;
  }

  /** The value of bytes [start, end), computed by `make` at the first sight. */
  get(bytes: Buffer, start: number, end: number, make: (bytes: Buffer, start: number, end: number) => string): string {
    let hash = 0x811c9dc5;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    const known = this.#entries.get(hash);
    if (known !== undefined && known.bytes.length === end - start) {
      const other = known.bytes;
      let i = 0;
      while (i < other.length && other[i] === bytes[start + i]) i++;
      if (i === other.length) return known.value;
    }
    const value = make(bytes, start, end);
    if (this.#entries.size >= this.#maxEntries) this.#entries.clear();
    this.#entries.set(hash, { bytes: Buffer.from(bytes.subarray(start, end)), value });
    return value;
  }

  get size(): number {
    return this.#entries.size;
  }
}
