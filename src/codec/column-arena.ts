/**
 * Room for the columns of decoded messages: large chunks cut into columns one after the other, because an ArrayBuffer
 * of its own for every column cost more than decoding it. Nothing is handed out twice, unless every message in a chunk
 * was released: then its memory, still in the processor's cache, is used again.
 */
const CHUNK_BYTES = 512 * 1024;

class Chunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  used = 0;
  messages = 0;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
  }
}

/** One message's place. Never released, it is freed with the last of its columns. */
export class Lease {
  #chunk: Chunk | undefined;

  constructor(chunk: Chunk) {
    this.#chunk = chunk;
    chunk.messages++;
  }

  /** The columns are no longer read by anybody. */
  release(): void {
    if (this.#chunk !== undefined && --this.#chunk.messages === 0) this.#chunk.used = 0;
    this.#chunk = undefined;
  }
}

let chunk = new Chunk(CHUNK_BYTES);
/** Where the message being decoded was copied to: moving columns inside one buffer needs no view of the source. */
let raw = 0;

/** Copies source[from, to) in, from which `column` cuts. One message at a time: a second call ends the first. */
export function load(source: Uint8Array, from: number, to: number): Lease {
  const length = to - from;
  // Columns are aligned to 8 bytes: a tag, a length and one byte of flags may take eight.
  const room = length * 3 + 8;
  if (chunk.used + room + length > chunk.bytes.length) chunk = new Chunk(Math.max(CHUNK_BYTES, room + length));
  raw = chunk.used + room - from;
  chunk.bytes.set(source.subarray(from, to), chunk.used + room);
  return new Lease(chunk);
}

/** Moves source[at, at + length) of the loaded message to its place; returns where in `buffer()` it begins. */
export function column(at: number, length: number): number {
  const to = chunk.used;
  chunk.bytes.copyWithin(to, raw + at, raw + at + length);
  chunk.used = (to + length + 7) & ~7;
  return to;
}

export function buffer(): ArrayBuffer {
  return chunk.bytes.buffer;
}
