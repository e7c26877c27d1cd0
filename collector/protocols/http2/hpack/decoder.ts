/**
 * Header blocks (RFC 7541) of one direction of a connection. Only fields that somebody wants become strings. A block may
 * be cut: what was lost of it makes the older part of the table unknown, never wrong.
 */
import type { Text } from './dynamic-table.ts';
import { DynamicTable } from './dynamic-table.ts';
import { decodeHuffman } from './huffman.ts';
import { STATIC_COUNT, STATIC_NAMES, STATIC_VALUES } from './static-table.ts';

/** Longest name and value that are kept; longer ones are cut there. */
const MAX_TEXT = 1024;
const MAX_INTEGER = 2 ** 28;
/** A string of known length whose end is not there. */
const CUT = -1;
/** No header block, or not enough of it. */
const BAD = -2;
const scratch = Buffer.allocUnsafe(MAX_TEXT);

/** Takes the fields of a block in their order; name or value is undefined when it is not known. */
export type FieldSink = (name: Text, value: Text) => void;

export class HpackDecoder {
  readonly table = new DynamicTable();
  readonly #wants: (name: string) => boolean;
  #bytes: Buffer = scratch;
  #at = 0;
  #end = 0;
  /** Of the string read last: its length as it was sent. */
  #length = 0;

  /** @param wants which fields' values are read; those of others are '' */
  constructor(wants: (name: string) => boolean) {
    this.#wants = wants;
  }

  /** Blocks went by unseen. */
  lose(): void {
    this.table.lose();
  }

  /**
   * Decodes a block of `length` bytes at `start`, of which those before `end` are there.
   *
   * @returns true when nothing of it was lost; otherwise the fields that were there have been told, and the table is
   *   unknown but for what comes after
   * Cost: O(bytes); a string for each wanted field that is not in a table.
   */
  decode(bytes: Buffer, start: number, end: number, length: number, sink: FieldSink): boolean {
    const blockEnd = start + length;
    this.#bytes = bytes;
    this.#at = start;
    this.#end = Math.min(end, blockEnd);
    while (this.#at < this.#end) {
      if (this.#field(blockEnd, sink)) continue;
      this.table.lose();
      return false;
    }
    if (this.#at >= blockEnd) return true;
    this.table.lose();
    return false;
  }

  #field(blockEnd: number, sink: FieldSink): boolean {
    const first = this.#bytes[this.#at]!;
    if (first >= 0x80) return this.#indexed(sink);
    if (first >= 0x40) return this.#literal(6, true, blockEnd, sink);
    if (first < 0x20) return this.#literal(4, false, blockEnd, sink);
    const limit = this.#integer(5);
    if (limit < 0) return false;
    this.table.resize(limit);
    return true;
  }

  #indexed(sink: FieldSink): boolean {
    const index = this.#integer(7);
    if (index <= 0) return false;
    if (index <= STATIC_COUNT) {
      sink(STATIC_NAMES[index], STATIC_VALUES[index]);
      return true;
    }
    const place = index - STATIC_COUNT - 1;
    if (this.table.has(place)) sink(this.table.name(place), this.table.value(place));
    else if (this.table.isWhole) return false;
    else sink(undefined, undefined);
    return true;
  }

  #literal(bits: number, isKept: boolean, blockEnd: number, sink: FieldSink): boolean {
    const index = this.#integer(bits);
    if (index < 0) return false;
    let name: Text;
    let nameLength = 0;
    if (index === 0) {
      const text = this.#string(true, true, blockEnd);
      if (text === CUT || text === BAD) return false;
      name = text;
      nameLength = this.#length;
    } else {
      const place = index - STATIC_COUNT - 1;
      if (place < 0) name = STATIC_NAMES[index];
      else if (this.table.has(place)) name = this.table.name(place);
      else if (this.table.isWhole) return false;
      nameLength = name === undefined ? 0 : name.length;
    }
    const isWanted = name !== undefined && this.#wants(name);
    const value = this.#string(isWanted, isKept, blockEnd);
    if (value === BAD) return false;
    // The block's last field may end beyond what is there: one entry, whose value is not known.
    if (value === CUT && this.#at !== blockEnd) return false;
    const known = value === CUT || name === undefined ? undefined : value;
    if (isKept) this.table.insert(name, known, nameLength + this.#length);
    sink(name, known);
    return true;
  }

  /** A string: its text where it is wanted, else ''; where it is to be measured its length is in #length. */
  #string(isWanted: boolean, isMeasured: boolean, blockEnd: number): string | typeof CUT | typeof BAD {
    if (this.#at >= this.#end) return BAD;
    const isHuffman = this.#bytes[this.#at]! >= 0x80;
    const length = this.#integer(7);
    if (length < 0) return BAD;
    const from = this.#at;
    const to = from + length;
    if (to > blockEnd) return BAD;
    this.#at = to;
    this.#length = length;
    if (to > this.#end) return CUT;
    if (!isHuffman) return isWanted ? this.#bytes.toString('latin1', from, Math.min(to, from + MAX_TEXT)) : '';
    if (!isWanted && !isMeasured) return '';
    this.#length = decodeHuffman(this.#bytes, from, to, scratch);
    if (this.#length < 0) return BAD;
    return isWanted ? scratch.toString('latin1', 0, Math.min(this.#length, MAX_TEXT)) : '';
  }

  /** Integer of the first byte's low `bits` and what follows, or BAD. */
  #integer(bits: number): number {
    const mask = (1 << bits) - 1;
    let value = this.#bytes[this.#at++]! & mask;
    if (value < mask) return value;
    for (let scale = 1; this.#at < this.#end; scale *= 128) {
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 127) * scale;
      if (value > MAX_INTEGER || scale > MAX_INTEGER) return BAD;
      if (byte < 128) return value;
    }
    return BAD;
  }
}
