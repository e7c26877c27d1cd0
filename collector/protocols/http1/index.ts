/** HTTP/1.0 and 1.1: keep-alive, pipelining, chunked bodies with trailers, HEAD, 1xx, 204/304, bodies until close. */
import { OperationCache } from '../operation-cache.ts';
import type { Flow, MatchQueue, OrderedProtocol, Session } from '../protocol.ts';
import { BEGIN, DESYNC, END, MAX_CARRY_BYTES, NEED_MORE, REQUEST, RESPONSE, STOP } from '../protocol.ts';
import { facts, HEAD_INCOMPLETE, lineEnd, scanHeaders } from './head.ts';
import { httpOperation } from './operation.ts';

const METHODS = ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'PATCH', 'OPTIONS', 'CONNECT', 'TRACE', 'PURGE', 'PROPFIND'];
const METHOD_BYTES = METHODS.map((method) => Buffer.from(`${method} `, 'latin1'));
const RESPONSE_BYTES = Buffer.from('HTTP/1.', 'latin1');
const SPACE = 32;
const CR = 13;
const LF = 10;
/** A chunk-size line longer than this is garbage. */
const MAX_CHUNK_LINE = 256;
/** A body that ends when the connection closes. */
export const UNTIL_CLOSE = Number.MAX_SAFE_INTEGER;

const KIND_HEAD = 1;
const KIND_CONNECT = 2;

const AT_HEAD = 0;
const AT_CHUNK = 1;
const AT_TRAILER = 2;
const STOPPED = 3;

/** 1 when [start, end) begins with `word`, 0 when it is a proper beginning of it, -1 when it differs. */
function begins(bytes: Buffer, start: number, end: number, word: Buffer): number {
  const length = Math.min(word.length, end - start);
  for (let i = 0; i < length; i++) if (bytes[start + i] !== word[i]) return -1;
  return length === word.length ? 1 : 0;
}

/** Index in METHODS, -1 when no method begins here, -2 when more bytes are needed. */
function methodAt(bytes: Buffer, start: number, end: number): number {
  let partial = false;
  for (let i = 0; i < METHOD_BYTES.length; i++) {
    const found = begins(bytes, start, end, METHOD_BYTES[i]!);
    if (found === 1) return i;
    if (found === 0) partial = true;
  }
  return partial ? -2 : -1;
}

const operations = new OperationCache();

function makeOperation(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('latin1', start, end);
  const space = text.indexOf(' ');
  return httpOperation(text.slice(0, space), text.slice(space + 1));
}

const statusTexts: string[] = [];

class Http1Session implements Session {
  mark = 0;
  operation = '';
  kind = 0;
  status = '';
  errorType: string | undefined = undefined;
  readonly #queue: MatchQueue;
  readonly #state: [number, number] = [AT_HEAD, AT_HEAD];
  #expecting = false;

  constructor(queue: MatchQueue) {
    this.#queue = queue;
  }

  advance(flow: Flow, bytes: Buffer, start: number, end: number, more: boolean): number {
    this.mark = 0;
    switch (this.#state[flow]) {
      case AT_HEAD:
        return flow === REQUEST
          ? this.#requestHead(bytes, start, end, more)
          : this.#responseHead(bytes, start, end, more);
      case AT_CHUNK:
        return this.#chunk(flow, bytes, start, end, more);
      case AT_TRAILER:
        return this.#trailer(flow, bytes, start, end, more);
      default:
        this.mark = STOP;
        return DESYNC;
    }
  }

  resync(flow: Flow, bytes: Buffer, start: number, end: number): boolean {
    const found = flow === REQUEST ? methodAt(bytes, start, end) >= 0 : begins(bytes, start, end, RESPONSE_BYTES) === 1;
    if (found) this.#state[flow] = AT_HEAD;
    return found;
  }

  mayAbandon(flow: Flow): boolean {
    return flow === REQUEST && this.#expecting;
  }

  #requestHead(bytes: Buffer, start: number, end: number, more: boolean): number {
    // RFC 9112 section 2.2: a server ignores empty lines before the request line.
    if (bytes[start] === CR || bytes[start] === LF) return 1;
    const method = methodAt(bytes, start, end);
    if (method < 0) return method === -2 && more ? NEED_MORE : DESYNC;
    const line = lineEnd(bytes, start, end);
    if (line < 0) return this.#wait(start, end, more);
    let targetEnd = line - 1;
    while (targetEnd > start && bytes[targetEnd] !== SPACE) targetEnd--;
    const targetStart = start + METHOD_BYTES[method]!.length;
    if (targetEnd < targetStart) return DESYNC;
    const head = scanHeaders(bytes, line, end);
    if (head === HEAD_INCOMPLETE && more && end - start < MAX_CARRY_BYTES) return NEED_MORE;
    let pathEnd = targetStart;
    while (pathEnd < targetEnd && bytes[pathEnd] !== 63) pathEnd++;
    this.operation = operations.get(bytes, start, pathEnd, makeOperation);
    this.kind = METHODS[method] === 'HEAD' ? KIND_HEAD : METHODS[method] === 'CONNECT' ? KIND_CONNECT : 0;
    this.mark = BEGIN;
    if (head === HEAD_INCOMPLETE) return DESYNC;
    this.#expecting = facts.expect;
    if (facts.chunked) {
      this.#state[REQUEST] = AT_CHUNK;
      return head - start;
    }
    this.mark = BEGIN | END;
    return head - start + Math.max(0, facts.contentLength);
  }

  #responseHead(bytes: Buffer, start: number, end: number, more: boolean): number {
    const found = begins(bytes, start, end, RESPONSE_BYTES);
    if (found !== 1) return found === 0 && more ? NEED_MORE : DESYNC;
    const line = lineEnd(bytes, start, end);
    if (line < 0) return this.#wait(start, end, more);
    // HTTP/1.x SSS
    const a = bytes[start + 9]! - 48;
    const b = bytes[start + 10]! - 48;
    const c = bytes[start + 11]! - 48;
    if (line < start + 13 || a < 1 || a > 9 || b < 0 || b > 9 || c < 0 || c > 9) return DESYNC;
    const status = a * 100 + b * 10 + c;
    const head = scanHeaders(bytes, line, end);
    if (head === HEAD_INCOMPLETE && more && end - start < MAX_CARRY_BYTES) return NEED_MORE;
    if (a === 1 && status !== 101) return head === HEAD_INCOMPLETE ? DESYNC : head - start;
    this.status = statusTexts[status] ??= String(status);
    this.errorType = status >= 500 ? this.status : undefined;
    this.mark = BEGIN;
    if (head === HEAD_INCOMPLETE) return DESYNC;
    return this.#responseBody(status, head - start);
  }

  #responseBody(status: number, head: number): number {
    const kind = this.#queue.head()?.kind;
    this.mark = BEGIN | END;
    if (status === 101 || (kind === KIND_CONNECT && status < 300)) {
      this.#state[REQUEST] = STOPPED;
      this.#state[RESPONSE] = STOPPED;
      this.mark = BEGIN | END | STOP;
      return head;
    }
    if (kind === KIND_HEAD || status === 204 || status === 304) return head;
    if (facts.chunked) {
      this.#state[RESPONSE] = AT_CHUNK;
      this.mark = BEGIN;
      return head;
    }
    return facts.contentLength >= 0 ? head + facts.contentLength : UNTIL_CLOSE;
  }

  #chunk(flow: Flow, bytes: Buffer, start: number, end: number, more: boolean): number {
    const line = lineEnd(bytes, start, Math.min(end, start + MAX_CHUNK_LINE));
    if (line < 0) return more && end - start < MAX_CHUNK_LINE ? NEED_MORE : DESYNC;
    let size = 0;
    let i = start;
    for (; i < line; i++) {
      const byte = bytes[i]!;
      const low = byte | 32;
      if (byte >= 48 && byte <= 57) size = size * 16 + byte - 48;
      else if (low >= 97 && low <= 102) size = size * 16 + low - 87;
      else break;
    }
    if (i === start || size > 2 ** 48) return DESYNC;
    if (size > 0) return line - start + size + 2;
    this.#state[flow] = AT_TRAILER;
    return line - start;
  }

  #trailer(flow: Flow, bytes: Buffer, start: number, end: number, more: boolean): number {
    const line = lineEnd(bytes, start, end);
    if (line < 0) return more && end - start < MAX_CARRY_BYTES ? NEED_MORE : DESYNC;
    if (line - start <= 2 && (bytes[start] === CR || bytes[start] === LF)) {
      this.#state[flow] = AT_HEAD;
      this.mark = END;
    }
    return line - start;
  }

  #wait(start: number, end: number, more: boolean): number {
    return more && end - start < MAX_CARRY_BYTES ? NEED_MORE : DESYNC;
  }
}

export const http1: OrderedProtocol = {
  name: 'http',
  match: 'in-order',
  infer(bytes, start, end) {
    if (methodAt(bytes, start, end) >= 0) {
      // The target follows: "/", "*", a scheme or an authority; this keeps "GET " of other text protocols out.
      const line = lineEnd(bytes, start, end);
      if (line < 0 || bytes.toString('latin1', start, line).includes(' HTTP/1.')) return REQUEST;
      return undefined;
    }
    return begins(bytes, start, end, RESPONSE_BYTES) === 1 ? RESPONSE : undefined;
  },
  open: (queue) => new Http1Session(queue),
  isError: (status) => status >= '500' && status.length === 3,
};
