/** Header blocks of one flow: a HEADERS or PUSH_PROMISE frame and the CONTINUATION frames that follow it at once. */
import type { Fields } from './fields.ts';
import * as frames from './frames.ts';
import { HpackDecoder } from './hpack/decoder.ts';

/** A block in several frames is put together up to this length. */
const MAX_BLOCK = 64 * 1024;

export class HeaderBlocks {
  /** Of the block that was read last. */
  stream = 0;
  endsStream = false;
  isPromise = false;
  /** A block has begun that is not over. */
  isOpen = false;
  readonly #decoder: HpackDecoder;
  /** Parts of the open block; the bytes that are there of it, and its length so far. */
  #parts: Buffer[] = [];
  #there = 0;
  #length = 0;

  constructor(wants: (name: string) => boolean) {
    this.#decoder = new HpackDecoder(wants);
  }

  /** Blocks, or parts of them, went by unseen. */
  lose(): void {
    this.isOpen = false;
    this.#parts = [];
    this.#decoder.lose();
  }

  /**
   * Takes the frame of `whole` bytes at `start`, of which those before `end` are there.
   *
   * @returns true when a block ended with it; then `fields` and `stream`, `endsStream`, `isPromise` say what it was
   */
  add(bytes: Buffer, start: number, end: number, whole: number, fields: Fields): boolean {
    const type = bytes[start + 3]!;
    const flags = bytes[start + 4]!;
    const stream = frames.uint31(bytes, start + 5);
    const isLast = (flags & frames.END_HEADERS) !== 0;
    if (type === frames.CONTINUATION) {
      if (!this.isOpen || stream !== this.stream) {
        this.lose();
        return false;
      }
      return this.#continue(bytes, start + frames.FRAME_HEADER, end, whole - frames.FRAME_HEADER, isLast, fields);
    }
    this.stream = stream;
    this.isPromise = type === frames.PUSH_PROMISE;
    this.endsStream = !this.isPromise && (flags & frames.END_STREAM) !== 0;
    let at = start + frames.FRAME_HEADER;
    let length = whole - frames.FRAME_HEADER;
    if ((flags & frames.PADDED) !== 0) {
      length -= 1 + (at < end ? bytes[at]! : 0);
      at++;
    }
    const skipped = this.isPromise ? 4 : (flags & frames.WITH_PRIORITY) !== 0 ? 5 : 0;
    at += skipped;
    length -= skipped;
    if (length < 0 || at > end) {
      fields.clear();
      fields.hasUnknown = true;
      this.lose();
      return isLast;
    }
    if (isLast) return this.#decode(bytes, at, Math.min(end, at + length), length, fields);
    this.isOpen = true;
    this.#parts = [];
    this.#there = 0;
    this.#length = 0;
    return this.#continue(bytes, at, end, length, false, fields);
  }

  #continue(bytes: Buffer, at: number, end: number, length: number, isLast: boolean, fields: Fields): boolean {
    const there = Math.min(end - at, length, MAX_BLOCK - this.#there);
    // Behind a hole nothing can be read.
    if (this.#there === this.#length && there > 0) {
      this.#parts.push(Buffer.from(bytes.subarray(at, at + there)));
      this.#there += there;
    }
    this.#length += length;
    if (!isLast) return false;
    const block = Buffer.concat(this.#parts);
    const whole = this.#length;
    this.isOpen = false;
    this.#parts = [];
    return this.#decode(block, 0, block.length, whole, fields);
  }

  #decode(bytes: Buffer, at: number, end: number, length: number, fields: Fields): true {
    fields.clear();
    if (!this.#decoder.decode(bytes, at, end, length, fields.add)) fields.hasUnknown = true;
    return true;
  }
}
