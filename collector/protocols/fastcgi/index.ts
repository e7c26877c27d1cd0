/**
 * FastCGI, as web servers speak to PHP-FPM: one request at a time on a connection, which may be kept. Operation and status
 * are those of HTTP. Requests that are multiplexed by their ids end our interest in the connection.
 */
import type { Flow, MatchQueue, Protocol, Session } from '../protocol.ts';
import { BEGIN, DESYNC, END, MAX_CARRY_BYTES, NEED_MORE, REQUEST, STOP } from '../protocol.ts';
import {
  beginsHead,
  EMPTY_RESPONSE,
  FATAL_ERROR,
  headStatus,
  isFailure,
  protocolStatus,
  saysFatal,
  UNSEEN,
} from './answer.ts';
import { request, scanParams } from './params.ts';
import {
  ABORT_REQUEST,
  BEGIN_REQUEST,
  beginsRequest,
  DATA,
  END_REQUEST,
  FIXED_CONTENT,
  GET_VALUES,
  GET_VALUES_RESULT,
  HEADER,
  PARAMS,
  readHeader,
  record,
  STDERR,
  STDIN,
  STDOUT,
  UNKNOWN_TYPE,
} from './records.ts';

/** The request flow: nothing or a request read in full; its params; its body. */
const IDLE = 0;
const IN_PARAMS = 1;
const IN_BODY = 2;

/** Error type of a request that the client aborted, as where it closes the connection. */
const GAVE_UP = 'timeout';

/** Contents of several records are joined here. */
const joined = Buffer.allocUnsafe(MAX_CARRY_BYTES);

/** Copies the content of the record at `at` that is at hand behind the `n` bytes joined so far. Returns how many there are. */
function join(n: number, bytes: Buffer, at: number, end: number): number {
  const to = Math.min(end, at + HEADER + record.contentLength);
  return n + bytes.copy(joined, n, Math.min(at + HEADER, to), to);
}

class FastcgiSession implements Session {
  mark = 0;
  operation = '';
  readonly kind = 0;
  status = '';
  errorType: string | undefined = undefined;
  readonly #queue: MatchQueue;
  /** Of the request that began last; 0 before the first. */
  #id = 0;
  #phase = IDLE;
  #bodyLeft = 0;
  /** From a response's first record to END_REQUEST. */
  #answering = false;
  /** A request began after the response did. */
  #asked = false;
  /** The response has written to STDOUT. */
  #output = false;
  /** It told of a fatal error on STDERR. */
  #fatal = false;
  /** The client gave the request up. */
  #aborted = false;

  constructor(queue: MatchQueue) {
    this.#queue = queue;
  }

  advance(flow: Flow, bytes: Buffer, start: number, end: number, more: boolean): number {
    this.mark = 0;
    if (end - start < HEADER) return more ? NEED_MORE : DESYNC;
    if (!readHeader(bytes, start)) return DESYNC;
    return flow === REQUEST ? this.#request(bytes, start, end, more) : this.#response(bytes, start, end, more);
  }

  resync(flow: Flow, bytes: Buffer, start: number, end: number): boolean {
    if (flow === REQUEST) {
      if (!beginsRequest(bytes, start, end)) return false;
      this.#phase = IDLE;
      return true;
    }
    if (!this.#beginsAnswer(bytes, start, end)) return false;
    this.#answering = false;
    return true;
  }

  mayAbandon(): boolean {
    return false;
  }

  /** What follows a response that has begun belongs to it until the next request. */
  #beginsAnswer(bytes: Buffer, start: number, end: number): boolean {
    if ((this.#answering && !this.#asked) || this.#queue.head() === undefined || end - start < HEADER) return false;
    if (!readHeader(bytes, start) || record.id !== this.#id || bytes[start + 7] !== 0) return false;
    const content = start + HEADER;
    if (record.type === STDOUT) return beginsHead(bytes, content, Math.min(end, content + record.contentLength));
    // An end that is in order may be that of a response which went by unseen.
    if (record.type === END_REQUEST) return end - start >= HEADER + FIXED_CONTENT && bytes[content + 4] !== 0;
    return record.type === STDERR && record.contentLength > 0;
  }

  #stop(): number {
    this.mark = STOP;
    return DESYNC;
  }

  #request(bytes: Buffer, start: number, end: number, more: boolean): number {
    const { type, id, length, contentLength } = record;
    if (id === 0) return type === GET_VALUES ? length : DESYNC;
    if (type === BEGIN_REQUEST) return this.#begin(bytes, start, end, more);
    if (type !== PARAMS && type !== STDIN && type !== DATA && type !== ABORT_REQUEST) return DESYNC;
    // In mid-life the request these belong to is not known.
    if (this.#id === 0) return length;
    if (id !== this.#id) return this.#stop();
    if (type === ABORT_REQUEST) {
      this.#aborted = true;
      if (this.#phase !== IDLE) this.#endRequest();
    } else if (this.#phase === IN_PARAMS) {
      if (type !== PARAMS || contentLength === 0) this.#endParams(type === PARAMS ? 0 : contentLength);
    } else if (this.#phase === IN_BODY && type === STDIN) this.#takeBody(contentLength);
    return length;
  }

  /** BEGIN_REQUEST and the params behind it are one unit: the operation is known from its beginning. */
  #begin(bytes: Buffer, start: number, end: number, more: boolean): number {
    const { id, length } = record;
    if (!beginsRequest(bytes, start, end)) return DESYNC;
    if (this.#phase !== IDLE && id !== this.#id) return this.#stop();
    const waits = more && end - start < MAX_CARRY_BYTES;
    if (end - start < HEADER + 2) return waits ? NEED_MORE : DESYNC;
    const role = bytes[start + HEADER + 1]!;
    let at = start + length;
    let n = 0;
    let complete = false;
    let other = false;
    while (!complete && !other && at + HEADER <= end) {
      other = !readHeader(bytes, at) || record.type !== PARAMS || record.id !== id;
      if (other) break;
      if (at + record.length > end && waits) return NEED_MORE;
      n = join(n, bytes, at, end);
      complete = record.contentLength === 0;
      at += record.length;
    }
    if (!complete && !other && waits) return NEED_MORE;
    scanParams(joined, 0, n, role);
    this.operation = request.operation;
    this.#id = id;
    this.#bodyLeft = request.bodyBytes;
    this.#phase = IN_PARAMS;
    this.#asked = true;
    this.#aborted = false;
    this.mark = BEGIN;
    if (complete) this.#endParams(0);
    return at - start;
  }

  /** The work begins when the params were read; where something is posted, when that was. */
  #endParams(bodyBytes: number): void {
    this.#phase = IN_BODY;
    if (this.#bodyLeft <= bodyBytes) this.#endRequest();
    else this.#bodyLeft -= bodyBytes;
  }

  #takeBody(bytes: number): void {
    this.#bodyLeft -= bytes;
    if (this.#bodyLeft <= 0 || bytes === 0) this.#endRequest();
  }

  #endRequest(): void {
    this.#phase = IDLE;
    this.mark |= END;
  }

  #response(bytes: Buffer, start: number, end: number, more: boolean): number {
    const { type, id, length, contentLength } = record;
    if (id === 0) return type === GET_VALUES_RESULT || type === UNKNOWN_TYPE ? length : DESYNC;
    if (type !== STDOUT && type !== STDERR && type !== END_REQUEST) return DESYNC;
    if (this.#id !== 0 && id !== this.#id) return this.#stop();
    if (!this.#answering || (!this.#output && contentLength > 0)) {
      return this.#head(bytes, start, end, more && end - start < MAX_CARRY_BYTES);
    }
    if (type !== END_REQUEST) return length;
    if (end - start < HEADER + FIXED_CONTENT) return more ? NEED_MORE : DESYNC;
    this.#end(bytes, start);
    return length;
  }

  /**
   * Reads until the status is known, over what stands before it on STDERR: one unit. Where that was not captured to its
   * end, the response has begun all the same.
   */
  #head(bytes: Buffer, start: number, end: number, waits: boolean): number {
    const first = record.id;
    let at = start;
    let n = 0;
    let fatal = this.#answering && this.#fatal;
    while (at + HEADER <= end && readHeader(bytes, at) && (record.id === first || record.id === 0)) {
      const { type, length } = record;
      const content = at + HEADER;
      const stop = Math.min(end, content + record.contentLength);
      if (type === END_REQUEST) {
        if (content + FIXED_CONTENT > end) break;
        this.#begins(fatal, n > 0);
        if (n > 0) this.#take(headStatus(joined, 0, n, true));
        this.#end(bytes, at);
        return at + length - start;
      }
      if (type === STDOUT && record.contentLength > 0) {
        n = join(n, bytes, at, end);
        const cut = content + record.contentLength > end;
        const status = headStatus(joined, 0, n, !waits && (cut || n === joined.length));
        if (status !== undefined) {
          this.#begins(fatal, true);
          this.#take(status);
          return at + length - start;
        }
      } else if (type === STDERR && (stop - content === record.contentLength || !waits)) {
        fatal ||= saysFatal(bytes, content, stop);
      }
      at += length;
      if (at > end) break;
    }
    if (waits) return NEED_MORE;
    if (at === start) return DESYNC;
    this.#begins(fatal, n > 0);
    this.#take(n > 0 ? headStatus(joined, 0, n, true) : UNSEEN);
    return at - start;
  }

  #begins(fatal: boolean, output: boolean): void {
    if (!this.#answering) {
      this.mark |= BEGIN;
      this.#asked = false;
    }
    this.#answering = true;
    this.#fatal = fatal;
    this.#output = output;
  }

  #take(status: string | undefined): void {
    this.status = status ?? UNSEEN;
    const failed = this.status === UNSEEN ? this.#fatal : isFailure(this.status);
    this.errorType = failed ? (this.status === UNSEEN ? FATAL_ERROR : this.status) : undefined;
  }

  #end(bytes: Buffer, at: number): void {
    this.mark |= END;
    const outcome = bytes[at + HEADER + 4]!;
    if (outcome !== 0) this.#take(protocolStatus(outcome));
    else if (this.#output) this.errorType ??= this.#aborted ? GAVE_UP : undefined;
    else {
      this.status = 'none';
      this.errorType = this.#aborted ? GAVE_UP : this.#fatal ? FATAL_ERROR : EMPTY_RESPONSE;
    }
    this.#answering = false;
  }
}

export const fastcgi: Protocol = {
  name: 'fastcgi',
  match: 'in-order',
  infer: (bytes, start, end) =>
    beginsRequest(bytes, start, end) && bytes[start + 6] === 0 && end - start >= HEADER + 2 ? REQUEST : undefined,
  open: (queue) => new FastcgiSession(queue),
  isError: isFailure,
};
