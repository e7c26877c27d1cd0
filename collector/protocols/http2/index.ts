/**
 * HTTP/2 in clear (prior knowledge), gRPC among it: requests by their stream, in any order; header blocks over several
 * frames; trailers; streams that either side gives up. Upgrades from HTTP/1.1 are not followed.
 *
 * Bodies are skipped by their frames' lengths. Where header blocks went by unseen, fields that point to them are not known:
 * such a request is counted with the operation `*`.
 */
import type { Exchange, ExchangeTable, Flow, KeyedProtocol, KeyedSession } from '../protocol.ts';
import { ABORT, ABOVE, BEGIN, DESYNC, END, MAX_CARRY_BYTES, NEED_MORE, REQUEST, RESPONSE } from '../protocol.ts';
import { Fields, grpcOperation, isWanted, plainOperation, UNKNOWN } from './fields.ts';
import * as frames from './frames.ts';
import { codeName, codeOfHttp, isGrpcError, isGrpcType, isStreamMethod, learnStream } from './grpc.ts';
import { HeaderBlocks } from './header-blocks.ts';
import { senderOf } from './infer.ts';

const { FRAME_HEADER, PREFACE } = frames;
const HTTP = 'http';
const GRPC = 'grpc';
/** A frame this long is waited for while its head is all that is looked at. */
const MAX_AWAITED = 2 * MAX_CARRY_BYTES;
/** Length and flag of a gRPC message before its bytes. */
const MESSAGE_HEAD = 5;
/** How far stream numbers may have gone on unseen. */
const STREAM_SLACK = 1_000_000;
const MAX_STREAM = 2 ** 31 - 1;
const EVENT_STREAM = 'text/event-stream';

/** Kind of a request whose content type is not known. */
const UNTYPED = 1;
/** As UNTYPED, and taken for gRPC's because others of the connection are: what is missing of its answer tells nothing. */
const GUESSED = 2;

const AT_START = 0;
const IN_FRAMES = 1;

class Http2Session implements KeyedSession {
  mark = 0;
  errorType: string | undefined = undefined;
  readonly keys: [number, number] = [0, 0];
  readonly #table: ExchangeTable;
  readonly #state: [number, number] = [AT_START, AT_START];
  readonly #blocks: readonly [HeaderBlocks, HeaderBlocks] = [new HeaderBlocks(isWanted), new HeaderBlocks(isWanted)];
  readonly #fields = new Fields();
  /** The highest stream that a request was seen of. */
  #newest = 0;
  /** The last stream that the server said it looks at, on its way to close the connection. */
  #lastServed = MAX_STREAM;
  /** Requests may have gone by since then. */
  #hasMissed = false;
  /** The last request that told its content type was gRPC's. */
  #speaksGrpc = false;

  constructor(table: ExchangeTable) {
    this.#table = table;
  }

  advance(flow: Flow, bytes: Buffer, start: number, end: number, more: boolean): number {
    this.mark = 0;
    if (this.#state[flow] === AT_START) {
      const preface = this.#start(flow, bytes, start, end, more);
      if (preface !== undefined) return preface;
    }
    if (end - start < FRAME_HEADER) return more ? NEED_MORE : DESYNC;
    if (!frames.isFrame(bytes, start)) return DESYNC;
    const type = bytes[start + 3]!;
    const whole = FRAME_HEADER + frames.frameLength(bytes, start);
    const awaited = this.#awaited(flow, type, bytes, start, whole);
    if (more && end - start < awaited && awaited <= MAX_AWAITED) return NEED_MORE;
    const stream = frames.uint31(bytes, start + 5);
    const blocks = this.#blocks[flow];
    if (blocks.isOpen && type !== frames.CONTINUATION) blocks.lose();
    switch (type) {
      case frames.DATA:
        this.#data(flow, stream, bytes, start, Math.min(end, start + whole), whole);
        break;
      case frames.HEADERS:
      case frames.PUSH_PROMISE:
      case frames.CONTINUATION:
        if (blocks.add(bytes, start, Math.min(end, start + whole), whole, this.#fields)) {
          if (!blocks.isPromise) this.#headers(flow, blocks.stream, blocks.endsStream);
        }
        this.#count(flow, stream, whole);
        break;
      case frames.RST_STREAM:
        this.keys[flow] = stream;
        this.mark = END | ABORT;
        this.errorType = this.#resetFor(flow, stream, frames.errorName(bytes, start + FRAME_HEADER, end));
        break;
      case frames.GOAWAY:
        if (flow === RESPONSE) this.#goAway(bytes, start + FRAME_HEADER, end);
    }
    return whole;
  }

  resync(flow: Flow, bytes: Buffer, start: number, end: number): boolean {
    const maxStream = this.#newest === 0 ? MAX_STREAM : Math.min(MAX_STREAM, this.#newest + STREAM_SLACK);
    if (!frames.beginsFrames(bytes, start, end, maxStream)) return false;
    this.#state[flow] = IN_FRAMES;
    this.#blocks[flow].lose();
    if (flow === REQUEST) this.#hasMissed = true;
    return true;
  }

  mayAbandon(): boolean {
    return false;
  }

  /** The beginning of a flow: a connection's, or where we began to look. Undefined when a frame is next. */
  #start(flow: Flow, bytes: Buffer, start: number, end: number, more: boolean): number | undefined {
    const there = Math.min(PREFACE.length, end - start);
    if (PREFACE.compare(bytes, start, start + there, 0, there) === 0) {
      if (there < PREFACE.length) return more ? NEED_MORE : DESYNC;
      if (flow === RESPONSE) return DESYNC;
      this.#state[flow] = IN_FRAMES;
      return PREFACE.length;
    }
    if (end - start < FRAME_HEADER) return more ? NEED_MORE : DESYNC;
    // A server's first frame is its settings, and no acknowledgement; else headers have gone by.
    const isFirst = flow === RESPONSE && bytes[start + 3] === frames.SETTINGS && bytes[start + 4] === 0;
    if (!isFirst || !frames.isFrame(bytes, start)) {
      if (!frames.beginsFrames(bytes, start, end, MAX_STREAM)) return DESYNC;
      this.#blocks[flow].lose();
    }
    this.#state[flow] = IN_FRAMES;
    return undefined;
  }

  /** Bytes of a frame that are looked at. */
  #awaited(flow: Flow, type: number, bytes: Buffer, start: number, whole: number): number {
    if (type === frames.DATA) {
      if (flow === REQUEST) return FRAME_HEADER;
      const exchange = this.#table.find(frames.uint31(bytes, start + 5));
      const isFirst = exchange !== undefined && exchange.protocol === GRPC && Number.isNaN(exchange.left);
      return isFirst ? Math.min(whole, FRAME_HEADER + 1 + MESSAGE_HEAD) : FRAME_HEADER;
    }
    if (type === frames.GOAWAY) return Math.min(whole, FRAME_HEADER + 8);
    const isRead =
      type === frames.HEADERS ||
      type === frames.CONTINUATION ||
      type === frames.PUSH_PROMISE ||
      type === frames.RST_STREAM;
    return isRead ? whole : FRAME_HEADER;
  }

  #open(stream: number, flow: Flow): Exchange | undefined {
    const exchange = this.#table.open(stream, flow);
    if (exchange?.protocol === '') exchange.protocol = HTTP;
    return exchange;
  }

  #count(flow: Flow, stream: number, bytes: number): Exchange | undefined {
    const exchange = this.#table.find(stream);
    if (exchange === undefined) return undefined;
    if (flow === REQUEST) exchange.bytes += bytes;
    else {
      exchange.responseBytes += bytes;
      if (Number.isNaN(exchange.uncertainMs)) return exchange;
      exchange.uncertainMs = Number.NaN;
      // What went by may have been the first message's length: what comes now is none.
      if (Number.isNaN(exchange.left)) exchange.left = Number.POSITIVE_INFINITY;
    }
    return exchange;
  }

  #data(flow: Flow, stream: number, bytes: Buffer, start: number, end: number, whole: number): void {
    const exchange = this.#count(flow, stream, whole);
    const flags = bytes[start + 4]!;
    let isAll = false;
    if (flow === RESPONSE && exchange !== undefined) {
      const isPadded = (flags & frames.PADDED) !== 0;
      const from = start + FRAME_HEADER + (isPadded ? 1 : 0);
      const padding = isPadded && end > start + FRAME_HEADER ? 1 + bytes[start + FRAME_HEADER]! : 0;
      const length = whole - FRAME_HEADER - padding;
      if (exchange.protocol === GRPC) this.#message(exchange, bytes, from, end, length);
      else {
        exchange.left -= length;
        isAll = exchange.left === 0;
      }
    }
    // A client that has as many bytes as were announced may leave without the frame that says so.
    if ((flags & frames.END_STREAM) === 0 && !isAll) return;
    this.#end(flow, stream, exchange);
    if (flow === RESPONSE && exchange !== undefined) this.#settle(exchange, false);
  }

  /** A response with more than one message is a stream: the first one's length, and what came since, tell. */
  #message(exchange: Exchange, bytes: Buffer, from: number, end: number, length: number): void {
    if (length <= 0) return;
    if (Number.isNaN(exchange.left)) {
      const isThere = end - from >= MESSAGE_HEAD;
      exchange.left = isThere ? MESSAGE_HEAD + bytes.readUInt32BE(from + 1) : Number.POSITIVE_INFINITY;
    }
    exchange.left -= length;
    if (exchange.left >= 0 || exchange.isStream) return;
    exchange.isStream = true;
    if (exchange.operation !== UNKNOWN) learnStream(exchange.operation);
  }

  #end(flow: Flow, stream: number, exchange: Exchange | undefined): void {
    if (exchange === undefined) return;
    this.keys[flow] = stream;
    this.mark |= END;
  }

  /** A gRPC server resets with CANCEL what its client's deadline has run out for, at the same moment as the client. */
  #resetFor(flow: Flow, stream: number, name: string): string | undefined {
    const isDeadline = name === 'CANCEL' && this.#table.find(stream)?.protocol === GRPC;
    return flow === REQUEST || isDeadline ? undefined : name;
  }

  #goAway(bytes: Buffer, at: number, end: number): void {
    if (end - at < 4) return;
    this.keys[RESPONSE] = frames.uint31(bytes, at);
    const name = frames.errorName(bytes, at + 4, end);
    this.errorType = name === 'NO_ERROR' ? undefined : name;
    if (this.errorType === undefined) this.#lastServed = Math.min(this.#lastServed, this.keys[RESPONSE]);
    this.mark = END | ABORT | ABOVE;
  }

  #headers(flow: Flow, stream: number, endsStream: boolean): void {
    // Even streams are what a server pushes.
    if (stream % 2 === 0) return;
    if (flow === REQUEST) this.#requestHeaders(stream, endsStream);
    else this.#responseHeaders(stream, endsStream);
  }

  #requestHeaders(stream: number, endsStream: boolean): void {
    const known = this.#table.find(stream);
    const isFirst = stream > this.#newest;
    if (!isFirst) {
      if (endsStream) this.#end(REQUEST, stream, known);
      return;
    }
    if (this.#hasMissed && this.#newest > 0) this.#table.lose((stream - this.#newest) / 2 - 1);
    this.#newest = stream;
    this.#hasMissed = false;
    // It was on its way when the server said so: the client sends it again elsewhere.
    if (stream > this.#lastServed) return;
    const exchange = this.#open(stream, REQUEST);
    if (exchange === undefined) return;
    const { method, path, contentType, hasUnknown } = this.#fields;
    const isTyped = contentType !== undefined || !hasUnknown;
    if (isTyped) this.#speaksGrpc = isGrpcType(contentType ?? '');
    exchange.kind = isTyped ? 0 : UNTYPED;
    exchange.target = path;
    if (this.#speaksGrpc && (isTyped || method === 'POST' || method === undefined)) {
      becomeGrpc(exchange);
      if (!isTyped) exchange.kind = GUESSED;
    }
    exchange.operation = exchange.protocol === GRPC ? grpcOperation(path) : plainOperation(method, path);
    // The response came first, as two threads report them.
    if (!Number.isNaN(exchange.answeredMs)) this.#settle(exchange, !exchange.isSettled);
    this.keys[REQUEST] = stream;
    this.mark = endsStream ? BEGIN | END : BEGIN;
  }

  #responseHeaders(stream: number, endsStream: boolean): void {
    const { status, contentType, contentLength, grpcStatus, hasUnknown } = this.#fields;
    const exchange = this.#table.find(stream) ?? (stream > this.#newest ? this.#open(stream, RESPONSE) : undefined);
    if (exchange === undefined) {
      // Of a call that is over, or of one that nobody saw.
      if (status === undefined || status.startsWith('1')) return;
      this.keys[RESPONSE] = stream;
      this.mark = BEGIN;
      return;
    }
    exchange.uncertainMs = Number.NaN;
    if (grpcStatus !== undefined || (contentType !== undefined && isGrpcType(contentType))) {
      becomeGrpc(exchange);
      if (exchange.kind === GUESSED) exchange.kind = UNTYPED;
    }
    if (Number.isNaN(exchange.responseMs)) {
      if (status?.startsWith('1') === true) return;
      this.keys[RESPONSE] = stream;
      this.mark = BEGIN;
      beginResponse(exchange, status ?? UNKNOWN, contentType);
      if (exchange.protocol !== GRPC) exchange.left = contentLength;
    } else if (hasUnknown && exchange.kind !== 0) {
      // Trailers are gRPC's, where nothing says that they are not.
      becomeGrpc(exchange);
      this.#speaksGrpc = true;
    }
    if (!endsStream) return;
    this.#end(RESPONSE, stream, exchange);
    if (grpcStatus !== undefined) {
      exchange.status = codeName(grpcStatus);
      exchange.errorType = isGrpcError(exchange.status) ? exchange.status : undefined;
      exchange.isSettled = true;
    } else this.#settle(exchange, hasUnknown);
  }

  /** The response is over without a gRPC status; `mayHaveOne`: it may have been among fields that are not known. */
  #settle(exchange: Exchange, mayHaveOne: boolean): void {
    if (exchange.protocol !== GRPC || exchange.isSettled) return;
    const isOpen = mayHaveOne || exchange.kind === GUESSED;
    const name = exchange.status === 'OK' ? (isOpen ? UNKNOWN : 'UNKNOWN') : exchange.status;
    exchange.status = name;
    exchange.errorType = isGrpcError(name) ? name : undefined;
    exchange.isSettled = true;
  }
}

/** What a response's head says; a gRPC call's status comes at its end. */
function beginResponse(exchange: Exchange, status: string, contentType: string | undefined): void {
  const isEvents = contentType?.startsWith(EVENT_STREAM) === true;
  if (exchange.protocol === GRPC) {
    const isOpen = status === UNKNOWN || (exchange.kind === GUESSED && !isServerError(status));
    exchange.status = status === '200' ? 'OK' : isOpen ? UNKNOWN : codeOfHttp(status);
    exchange.leftStatus = 'CANCELLED';
    // Answers that begin before the question is over are a conversation.
    exchange.isStream = !exchange.done && !Number.isNaN(exchange.startMs);
    return;
  }
  exchange.status = status;
  exchange.errorType = isServerError(status) ? status : undefined;
  exchange.isSettled = true;
  exchange.isStream = isEvents;
  exchange.leftStatus = isEvents ? status : undefined;
}

/** The response tells that the request was gRPC's. */
function becomeGrpc(exchange: Exchange): void {
  if (exchange.protocol === GRPC) return;
  exchange.protocol = GRPC;
  exchange.operation = grpcOperation(exchange.target);
  if (Number.isNaN(exchange.responseMs)) return;
  exchange.isSettled = false;
  exchange.errorType = undefined;
  // The first message's length has gone by.
  exchange.left = Number.POSITIVE_INFINITY;
  beginResponse(exchange, exchange.status, undefined);
}

const isServerError = (status: string): boolean => status >= '500' && status.length === 3 && status <= '599';

export const http2: KeyedProtocol = {
  name: 'http2',
  match: 'by-key',
  infer: senderOf,
  open: (table) => new Http2Session(table),
  isError: (status) => isServerError(status) || isGrpcError(status),
  waitsOn: isStreamMethod,
};
