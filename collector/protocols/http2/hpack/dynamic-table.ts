/**
 * HPACK's dynamic table as an onlooker has it. Entries are counted from the newest, so those that came after a loss are
 * known by their index whatever was there before; a reference beyond them is to something that is not known.
 */

/** Most that is kept, whatever the ends agreed on (RFC 7541, section 4.1: an entry's size is its bytes and 32). */
export const MAX_TABLE_BYTES = 64 * 1024;
/** Until an end says otherwise (RFC 9113, section 6.5.2). */
const DEFAULT_TABLE_BYTES = 4096;
const ENTRY_BYTES = 32;

/** Name or value that was not seen. */
export type Text = string | undefined;

export class DynamicTable {
  /** Names, values and sizes; the newest entry is at #newest, older ones follow behind it, around the end. */
  #names: Text[] = new Array(16);
  #values: Text[] = new Array(16);
  #sizes: number[] = new Array(16).fill(0);
  #newest = 0;
  #limit = DEFAULT_TABLE_BYTES;
  count = 0;
  /** Sum of the entries' sizes. */
  size = 0;
  /** False when older entries may exist than those that are kept here. */
  isWhole = true;

  /** Entry `index`, 0 is the newest; false when it is not known. Its parts are in `name` and `value`. */
  has(index: number): boolean {
    return index < this.count;
  }

  name(index: number): Text {
    return this.#names[(this.#newest + index) & (this.#names.length - 1)];
  }

  value(index: number): Text {
    return this.#values[(this.#newest + index) & (this.#names.length - 1)];
  }

  /** `bytes` is the length of name and value as they were sent, cut or not. */
  insert(name: Text, value: Text, bytes: number): void {
    const size = bytes + ENTRY_BYTES;
    this.#evict(this.#limit - size);
    // Larger than the table: it empties it and is not kept.
    if (size > this.#limit) return;
    if (this.count === this.#names.length) this.#grow();
    this.#newest = (this.#newest - 1) & (this.#names.length - 1);
    this.#names[this.#newest] = name;
    this.#values[this.#newest] = value;
    this.#sizes[this.#newest] = size;
    this.size += size;
    this.count++;
  }

  /** A dynamic table size update. */
  resize(bytes: number): void {
    this.#limit = Math.min(bytes, MAX_TABLE_BYTES);
    this.#evict(this.#limit);
    if (bytes === 0) this.isWhole = true;
    else if (bytes > MAX_TABLE_BYTES) this.isWhole = false;
  }

  /** Insertions went by unseen: nothing is known of what is there, or of how much may be. */
  lose(): void {
    this.#evict(0);
    this.#limit = MAX_TABLE_BYTES;
    this.isWhole = false;
  }

  #evict(limit: number): void {
    const mask = this.#names.length - 1;
    while (this.count > 0 && this.size > limit) {
      const oldest = (this.#newest + this.count - 1) & mask;
      this.size -= this.#sizes[oldest]!;
      this.#names[oldest] = undefined;
      this.#values[oldest] = undefined;
      this.count--;
    }
  }

  #grow(): void {
    const order = this.#names.map((_, i) => (this.#newest + i) & (this.#names.length - 1));
    const room = new Array<undefined>(this.#names.length);
    this.#names = [...order.map((i) => this.#names[i]), ...room];
    this.#values = [...order.map((i) => this.#values[i]), ...room];
    this.#sizes = [...order.map((i) => this.#sizes[i]!), ...new Array<number>(order.length).fill(0)];
    this.#newest = 0;
  }
}
