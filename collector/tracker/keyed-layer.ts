/**
 * The calls of one connection whose requests are answered in any order: two streams, and exchanges found by their key. See
 * CallLayer for what is told.
 *
 * A response that is a stream of messages lasts, as a call, until it begins: how long it goes on afterwards is the
 * business of who reads it. It is told when it ends, or when it has gone on for as long as a request may wait.
 */
import type {
  Exchange,
  ExchangeTable,
  Flow,
  KeyedProtocol,
  KeyedSession,
  PendingRequest,
} from '../protocols/protocol.ts';
import { ABORT, ABOVE, REQUEST, RESPONSE } from '../protocols/protocol.ts';
import type { CallLayer, CallOwner, MatchLosses, UnansweredVisitor } from './calls.ts';
import { emptyCall, MAX_ORPHANS, MAX_PENDING } from './calls.ts';
import type { MessageListener } from './stream.ts';
import { Stream } from './stream.ts';

const NONE = 'none';
/** Status of a response whose end went by unseen. */
const UNKNOWN_STATUS = '*';
/** The client gave up before it was answered; what the server knows of that. */
const GAVE_UP = 'timeout';
const CLIENT_LEFT = 'connection_closed';

const call = emptyCall();

export class KeyedLayer implements CallLayer, MessageListener, ExchangeTable {
  readonly protocol: KeyedProtocol;
  readonly owner: CallOwner;
  readonly isServer: boolean;
  stopped = false;
  readonly #session: KeyedSession;
  readonly #streams: readonly [Stream, Stream];
  readonly #losses: MatchLosses;
  /** In the order in which they were first seen. */
  readonly #exchanges = new Map<number, Exchange>();
  /** Exchanges whose request was not seen yet. */
  #orphans = 0;
  /** Bytes of responses were lost while some had begun. */
  #hasUncertain = false;

  constructor(protocol: KeyedProtocol, owner: CallOwner, isServer: boolean, losses: MatchLosses) {
    this.protocol = protocol;
    this.owner = owner;
    this.isServer = isServer;
    this.#losses = losses;
    this.#session = protocol.open(this);
    this.#streams = [new Stream(REQUEST, this.#session, this), new Stream(RESPONSE, this.#session, this)];
  }

  get pendingCount(): number {
    return this.#exchanges.size;
  }

  get heldBytes(): number {
    return this.#streams[0].heldBytes + this.#streams[1].heldBytes;
  }

  head(): PendingRequest | undefined {
    return this.#exchanges.values().next().value;
  }

  find(key: number): Exchange | undefined {
    return this.#exchanges.get(key);
  }

  open(key: number, flow: Flow): Exchange | undefined {
    const known = this.#exchanges.get(key);
    if (known !== undefined) return known;
    if (flow === RESPONSE && this.#orphans >= MAX_ORPHANS) {
      this.#losses.responses++;
      return undefined;
    }
    if (this.#exchanges.size >= MAX_PENDING) this.#evict();
    const exchange = emptyExchange(key);
    this.#exchanges.set(key, exchange);
    this.#orphans++;
    return exchange;
  }

  lose(requests: number): void {
    this.#losses.requests += Math.min(Math.max(requests, 0), MAX_PENDING);
  }

  feed(flow: Flow, bytes: Buffer, start: number, captured: number, full: number, atMs: number): void {
    if (!this.stopped) this.#streams[flow].feed(bytes, start, captured, full, atMs);
  }

  gap(flow: Flow, length: number, atMs: number): void {
    if (!this.stopped) this.#streams[flow].gap(length, atMs);
  }

  begin(flow: Flow, atMs: number): void {
    const exchange = this.#exchanges.get(this.#session.keys[flow]);
    if (exchange === undefined) {
      if (flow === RESPONSE) this.#losses.responses++;
    } else if (flow === RESPONSE) exchange.responseMs = atMs;
    else if (Number.isNaN(exchange.startMs)) {
      exchange.startMs = atMs;
      exchange.endMs = atMs;
      this.#orphans--;
    }
  }

  end(flow: Flow, atMs: number, _position: number, mark: number): void {
    const key = this.#session.keys[flow];
    if ((mark & ABOVE) !== 0) {
      this.#refuseAbove(key, atMs);
      return;
    }
    const exchange = this.#exchanges.get(key);
    if (exchange === undefined) return;
    if ((mark & ABORT) !== 0) this.#abort(exchange, atMs);
    else if (flow === RESPONSE) {
      exchange.answeredMs = atMs;
      if (!Number.isNaN(exchange.startMs)) this.#answered(exchange);
    } else {
      exchange.endMs = atMs;
      exchange.done = true;
      if (!Number.isNaN(exchange.answeredMs)) this.#answered(exchange);
    }
  }

  desync(flow: Flow): void {
    const { lastMs } = this.#streams[flow];
    if (flow === RESPONSE) this.#doubt(lastMs);
    // The end of a request that began with these bytes is among those that were not seen, as a rule.
    else
      for (const exchange of this.#exchanges.values()) {
        if (exchange.startMs !== lastMs) continue;
        exchange.done = true;
        exchange.endMs = lastMs;
      }
  }

  resync(flow: Flow): void {
    if (flow === RESPONSE) this.#doubt(this.#streams[RESPONSE].previousMs);
  }

  giveUp(): void {
    for (const { isTold } of this.#exchanges.values()) if (!isTold) this.#losses.requests++;
    this.stop();
  }

  stop(): void {
    this.stopped = true;
    this.#exchanges.clear();
    this.#orphans = 0;
  }

  finishIdle(beforeMs: number): void {
    if (!this.#hasUncertain) return;
    this.#hasUncertain = false;
    for (const exchange of this.#exchanges.values()) {
      const { uncertainMs, responseMs, isStream, isTold } = exchange;
      if (Number.isNaN(uncertainMs) || Number.isNaN(responseMs) || isStream || isTold) continue;
      if (uncertainMs < beforeMs) this.#finish(exchange);
      else this.#hasUncertain = true;
    }
  }

  expire(beforeMs: number, nowMs: number): void {
    for (const exchange of this.#exchanges.values()) {
      const { startMs, responseMs, isTold } = exchange;
      if (isTold) continue;
      if (Number.isNaN(startMs)) {
        if (responseMs < beforeMs) this.#loseResponse(exchange);
      } else if (!Number.isNaN(exchange.answeredMs)) this.#answered(exchange);
      else if (!Number.isNaN(responseMs)) {
        if (startMs >= beforeMs) continue;
        exchange.isStream = true;
        this.#tell(exchange, this.#statusOf(exchange), exchange.errorType, nowMs);
        exchange.isTold = true;
      } else if (exchange.done && exchange.endMs < beforeMs) this.#expireUnanswered(exchange, nowMs);
    }
  }

  forEachUnanswered(beforeMs: number, visit: UnansweredVisitor): void {
    for (const exchange of this.#exchanges.values()) {
      const { isTold, done, operation, protocol } = exchange;
      const fromMs = this.isServer ? exchange.endMs : exchange.startMs;
      // Who is still being asked, and who has begun to answer, keeps nobody waiting.
      if (isTold || !done || !(fromMs <= beforeMs) || !Number.isNaN(exchange.responseMs)) continue;
      if (this.#mayBeAnswered(exchange) || this.protocol.waitsOn?.(operation) === true) continue;
      visit(operation, fromMs, protocol);
    }
  }

  close(atMs: number, errorType: string): void {
    const [request, response] = this.#streams;
    this.#losses.bytes += request.lostBytes + response.lostBytes;
    if (response.desynced) this.#doubt(response.lastMs);
    // Its own process left, or the client did.
    const isLeaving = this.isServer || errorType === GAVE_UP;
    for (const exchange of this.#exchanges.values()) {
      if (exchange.isTold) continue;
      if (Number.isNaN(exchange.startMs)) this.#losses.responses++;
      else if (!Number.isNaN(exchange.answeredMs)) this.#answered(exchange);
      else if (!Number.isNaN(exchange.uncertainMs)) this.#finish(exchange);
      else if (isLeaving) this.#left(exchange, errorType, atMs);
      else this.#fail(exchange, errorType, atMs);
    }
    this.stop();
  }

  /** Bytes came after the request that belong to no response that is known. */
  #mayBeAnswered({ uncertainMs, startMs }: Exchange): boolean {
    const { desynced, lastMs } = this.#streams[RESPONSE];
    return !Number.isNaN(uncertainMs) || (desynced && lastMs >= startMs);
  }

  /** Bytes of responses were lost until `lastMs`: any that was asked for by then may be over. */
  #doubt(lastMs: number): void {
    this.#hasUncertain = this.#exchanges.size > 0;
    for (const exchange of this.#exchanges.values()) {
      if (exchange.startMs <= lastMs && Number.isNaN(exchange.uncertainMs)) exchange.uncertainMs = lastMs;
    }
  }

  /** What is known of a call whose end may have gone by. */
  #finish(exchange: Exchange): void {
    if (Number.isNaN(exchange.responseMs)) this.#losses.requests++;
    else this.#tell(exchange, this.#statusOf(exchange), exchange.errorType, exchange.uncertainMs);
    this.#exchanges.delete(exchange.key);
  }

  /** Of a response that is not over as far as is known. */
  #statusOf(exchange: Exchange): string {
    return exchange.isSettled || Number.isNaN(exchange.uncertainMs) ? exchange.status : UNKNOWN_STATUS;
  }

  #expireUnanswered(exchange: Exchange, nowMs: number): void {
    if (this.#mayBeAnswered(exchange)) {
      this.#losses.requests++;
      this.#exchanges.delete(exchange.key);
    } else if (this.protocol.waitsOn?.(exchange.operation) !== true) {
      this.#tell(exchange, NONE, 'timeout', nowMs);
      exchange.isTold = true;
    }
  }

  #abort(exchange: Exchange, atMs: number): void {
    const { errorType } = this.#session;
    if (exchange.isTold) this.#exchanges.delete(exchange.key);
    else if (Number.isNaN(exchange.startMs)) this.#loseResponse(exchange);
    else if (!Number.isNaN(exchange.answeredMs)) this.#answered(exchange);
    else if (errorType === undefined) this.#left(exchange, this.isServer ? CLIENT_LEFT : GAVE_UP, atMs);
    else this.#fail(exchange, errorType, atMs);
  }

  #refuseAbove(key: number, atMs: number): void {
    const { errorType } = this.#session;
    for (const exchange of this.#exchanges.values()) {
      if (exchange.key <= key || Number.isNaN(exchange.startMs)) continue;
      if (errorType === undefined || exchange.isTold) this.#exchanges.delete(exchange.key);
      else this.#fail(exchange, errorType, atMs);
    }
  }

  /** The client has left before the end of the response. */
  #left(exchange: Exchange, errorType: string, atMs: number): void {
    const hasBegun = !Number.isNaN(exchange.responseMs);
    if (hasBegun && exchange.leftStatus !== undefined) {
      // Who has had enough of an answer was reading a stream, however little came.
      exchange.isStream = true;
      this.#tell(exchange, exchange.leftStatus, undefined, atMs);
      this.#exchanges.delete(exchange.key);
    } else this.#fail(exchange, errorType, atMs);
  }

  #fail(exchange: Exchange, errorType: string, atMs: number): void {
    this.#exchanges.delete(exchange.key);
    const hasBegun = !Number.isNaN(exchange.responseMs);
    // Who waits for something to happen and goes home has lost nothing.
    if (!hasBegun && this.protocol.waitsOn?.(exchange.operation) === true) return;
    this.#tell(
      exchange,
      hasBegun && exchange.isSettled ? exchange.status : NONE,
      exchange.errorType ?? errorType,
      atMs,
    );
  }

  #answered(exchange: Exchange): void {
    this.#exchanges.delete(exchange.key);
    if (!exchange.isTold) this.#tell(exchange, exchange.status, exchange.errorType, exchange.answeredMs);
  }

  #loseResponse(exchange: Exchange): void {
    this.#losses.responses++;
    this.#orphans--;
    this.#exchanges.delete(exchange.key);
  }

  #evict(): void {
    const oldest = this.#exchanges.values().next().value;
    if (oldest === undefined) return;
    if (Number.isNaN(oldest.startMs)) this.#loseResponse(oldest);
    else if (!oldest.isTold) this.#losses.requests++;
    this.#exchanges.delete(oldest.key);
  }

  #tell(exchange: Exchange, status: string, errorType: string | undefined, atMs: number): void {
    const { startMs, endMs, responseMs } = exchange;
    const hasBegun = !Number.isNaN(responseMs);
    const firstMs = hasBegun ? responseMs : atMs;
    // An answer before the request was read in full ends the request as far as the call goes.
    const from = this.isServer && exchange.done && endMs <= firstMs ? endMs : startMs;
    const lasted = Math.max(0, (exchange.isStream && hasBegun ? responseMs : atMs) - from);
    call.protocol = exchange.protocol;
    call.operation = exchange.operation;
    call.status = status;
    call.errorType = errorType;
    call.failed = errorType !== undefined || this.protocol.isError(status);
    call.endMs = Math.max(from, atMs);
    call.startMs = call.endMs - lasted;
    call.requestBytes = exchange.bytes;
    call.responseBytes = hasBegun ? exchange.responseBytes : Number.NaN;
    this.owner.onCall(this, call);
  }
}

function emptyExchange(key: number): Exchange {
  return {
    key,
    protocol: '',
    operation: '',
    kind: 0,
    target: undefined,
    left: Number.NaN,
    startMs: Number.NaN,
    endMs: Number.NaN,
    bytes: 0,
    done: false,
    responseMs: Number.NaN,
    answeredMs: Number.NaN,
    responseBytes: 0,
    status: NONE,
    errorType: undefined,
    isSettled: false,
    leftStatus: undefined,
    isStream: false,
    uncertainMs: Number.NaN,
    isTold: false,
  };
}
