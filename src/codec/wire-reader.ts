/** A minimal protobuf reader for the hot path. Throws CodecProblem on anything that does not fit its bounds. */
import type { Lease } from './column-arena.ts';
import { buffer, column, load } from './column-arena.ts';
import { CodecProblem } from './result.ts';
import { guess, lastToken, textOf } from './text-cache.ts';

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

const NONE = new Int32Array(0);

export class WireReader {
  readonly #buffer: Buffer;
  readonly #view: DataView;
  #at: number;
  readonly #end: number;
  /** Field number and wire type of the tag just read. */
  field = 0;
  wireType = 0;

  constructor(bytes: Uint8Array, at = 0, end = bytes.byteLength) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
    this.#end = end;
  }

  /** Where the next tag begins. */
  get position(): number {
    return this.#at;
  }

  /** Reads the next tag; false at the end. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.varint();
    this.field = tag >>> 3;
    this.wireType = tag & 7;
    if (this.field === 0) throw broken('field number 0');
    return true;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.#at >= this.#end) throw broken('a varint runs past the end');
      const byte = this.#buffer[this.#at++] as number;
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
    throw broken('a varint is longer than 32 bits');
  }

  uint32(): number {
    this.#expect(0);
    return this.varint();
  }

  double(): number {
    this.#expect(1);
    const at = this.#take(8);
    return this.#view.getFloat64(at, true);
  }

  string(): string {
    this.#expect(2);
    const length = this.varint();
    const at = this.#take(length);
    return textOf(this.#buffer, this.#view, at, length);
  }

  /** A text that will hardly come again: past the cache. */
  rareText(): string {
    this.#expect(2);
    const length = this.varint();
    const at = this.#take(length);
    return this.#buffer.toString('utf8', at, at + length);
  }

  /**
   * The text just met and those that follow with the same tag, with their numbers in the cache of texts.
   * @param likely numbers that will mostly do
   */
  texts(strings: string[], tokens: number[], likely: Int32Array): void {
    this.#expect(2);
    guess(likely);
    const tag = (this.field << 3) | 2;
    const buffer = this.#buffer;
    const view = this.#view;
    for (;;) {
      const length = this.varint();
      strings.push(textOf(buffer, view, this.#take(length), length));
      tokens.push(lastToken());
      // A tag of two bytes is left to next(), which comes back here.
      if (this.#at >= this.#end || buffer[this.#at] !== tag) break;
      this.#at++;
    }
    guess(NONE);
  }

  message(): WireReader {
    this.#expect(2);
    const length = this.varint();
    const at = this.#take(length);
    return new WireReader(this.#buffer, at, at + length);
  }

  /** Call before the first column is read; the columns of one message are read before those of the next. */
  loadColumns(): Lease {
    if (!LITTLE_ENDIAN) throw new Error('needs a little-endian machine');
    return load(this.#buffer, this.#at, this.#end);
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const length = this.#packed(1);
    return new Uint8Array(buffer(), column(this.#at - length, length), length);
  }

  packedUint32(): Uint32Array {
    const length = this.#packed(4);
    return new Uint32Array(buffer(), column(this.#at - length, length), length >> 2);
  }

  packedInt32(): Int32Array {
    const length = this.#packed(4);
    return new Int32Array(buffer(), column(this.#at - length, length), length >> 2);
  }

  packedDouble(): Float64Array {
    const length = this.#packed(8);
    return new Float64Array(buffer(), column(this.#at - length, length), length >> 3);
  }

  skip(): void {
    if (this.wireType === 0) this.varint();
    else if (this.wireType === 1) this.#take(8);
    else if (this.wireType === 2) this.#take(this.varint());
    else if (this.wireType === 5) this.#take(4);
    else throw broken(`wire type ${this.wireType}`);
  }

  /** Takes a packed field; returns its length in bytes. */
  #packed(width: number): number {
    this.#expect(2);
    const length = this.varint();
    if (length % width !== 0) throw broken(`a packed field of ${length} bytes is not a multiple of ${width}`);
    this.#take(length);
    return length;
  }

  #expect(wireType: number): void {
    if (this.wireType !== wireType)
      throw broken(`field ${this.field} has wire type ${this.wireType}, expected ${wireType}`);
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) throw broken(`field ${this.field} runs past the end`);
    this.#at = at + length;
    return at;
  }
}

function broken(detail: string): CodecProblem {
  return new CodecProblem('bad_encoding', `not a rootwalk.v1.Batch: ${detail}`);
}
