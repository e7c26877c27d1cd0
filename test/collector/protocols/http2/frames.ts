/** Builders of HTTP/2 frames, and a small HPACK encoder that indexes what it sends. */
import { PREFACE } from '../../../../collector/protocols/http2/frames.ts';
import { STATIC_COUNT, STATIC_NAMES, STATIC_VALUES } from '../../../../collector/protocols/http2/hpack/static-table.ts';

export type Header = readonly [name: string, value: string];

export function frame(type: number, flags: number, stream: number, ...payload: readonly Buffer[]): Buffer {
  const body = Buffer.concat(payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

export const preface = (): Buffer => Buffer.concat([PREFACE, settings()]);
export const settings = (...pairs: readonly (readonly [number, number])[]): Buffer =>
  frame(4, 0, 0, ...pairs.map(([id, value]) => Buffer.concat([Buffer.from([0, id]), u32(value)])));
export const settingsAck = (): Buffer => frame(4, 1, 0);
export const ping = (): Buffer => frame(6, 0, 0, Buffer.alloc(8, 7));
export const windowUpdate = (stream: number): Buffer => frame(8, 0, stream, u32(1000));
export const priority = (stream: number): Buffer => frame(2, 0, stream, Buffer.from([0, 0, 0, 0, 9]));
export const reset = (stream: number, code: number): Buffer => frame(3, 0, stream, u32(code));
export const goAway = (last: number, code: number): Buffer => frame(7, 0, 0, u32(last), u32(code), Buffer.from('bye'));
export const data = (stream: number, body: Buffer | string, isEnd = true): Buffer =>
  frame(0, isEnd ? 1 : 0, stream, Buffer.from(body as string));
export const padded = (stream: number, body: string, padding: number): Buffer =>
  frame(0, 9, stream, Buffer.from([padding]), Buffer.from(body), Buffer.alloc(padding));
/** A gRPC message. */
export const message = (body: string): Buffer =>
  Buffer.concat([Buffer.from([0]), u32(Buffer.byteLength(body)), Buffer.from(body)]);

/** Encodes as real ones do: static and dynamic entries by index, all else as a literal that is indexed. */
export class Encoder {
  readonly #entries: Header[] = [];

  /** Fields of which nothing is indexed are given with a name that begins with '!'. */
  block(...headers: readonly Header[]): Buffer {
    return Buffer.concat(headers.map(([name, value]) => this.#field(name, value)));
  }

  /** HEADERS with the whole block. */
  headers(stream: number, isEnd: boolean, ...headers: readonly Header[]): Buffer {
    return frame(1, isEnd ? 5 : 4, stream, this.block(...headers));
  }

  #field(name: string, value: string): Buffer {
    if (name.startsWith('!')) return Buffer.concat([Buffer.from([0x10]), text(name.slice(1)), text(value)]);
    const found = this.#entries.findIndex(([n, v]) => n === name && v === value);
    if (found >= 0) return integer(0x80, 7, STATIC_COUNT + 1 + found);
    const fixed = STATIC_NAMES.findIndex((n, i) => n === name && STATIC_VALUES[i] === value);
    if (fixed > 0 && value !== '') return integer(0x80, 7, fixed);
    const dynamicName = this.#entries.findIndex(([n]) => n === name);
    const staticName = STATIC_NAMES.indexOf(name);
    const index = staticName > 0 ? staticName : dynamicName >= 0 ? STATIC_COUNT + 1 + dynamicName : 0;
    this.#entries.unshift([name, value]);
    return Buffer.concat([integer(0x40, 6, index), ...(index === 0 ? [text(name)] : []), text(value)]);
  }
}

export function integer(flags: number, bits: number, value: number): Buffer {
  const mask = (1 << bits) - 1;
  if (value < mask) return Buffer.from([flags | value]);
  const bytes = [flags | mask];
  let rest = value - mask;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

const text = (value: string): Buffer => Buffer.concat([integer(0, 7, value.length), Buffer.from(value, 'latin1')]);

export const request = (method: string, path: string, ...more: readonly Header[]): Header[] => [
  [':method', method],
  [':scheme', 'http'],
  [':path', path],
  [':authority', 'shop:80'],
  ...more,
];
export const grpcRequest = (path: string, ...more: readonly Header[]): Header[] =>
  request('POST', path, ['content-type', 'application/grpc'], ['te', 'trailers'], ...more);
export const grpcHead: readonly Header[] = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
];
