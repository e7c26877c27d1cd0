/**
 * The calls of one connection whose requests are answered in order: two streams, and the requests that wait, matched to
 * responses as they come.
 */
import type { Flow, MatchQueue, OrderedProtocol, PendingRequest, Session } from '../protocols/protocol.ts';
import { ONE_WAY, REQUEST, RESPONSE } from '../protocols/protocol.ts';
import type { CallLayer, CallOwner, MatchLosses, UnansweredVisitor } from './calls.ts';
import { emptyCall, MAX_ORPHANS, MAX_PENDING } from './calls.ts';
import type { MessageListener } from './stream.ts';
import { Stream } from './stream.ts';

interface Response {
  startMs: number;
  endMs: number;
  bytes: number;
  status: string;
  errorType: string | undefined;
}

/** A response may be reported this much before its request: two threads of one process report out of order. */
const REORDER_MS = 1;

const call = emptyCall();

export class Layer7 implements CallLayer, MessageListener, MatchQueue {
  readonly protocol: OrderedProtocol;
  readonly owner: CallOwner;
  readonly isServer: boolean;
  stopped = false;
  readonly #session: Session;
  readonly #streams: readonly [Stream, Stream];
  readonly #losses: MatchLosses;
  readonly #pending: PendingRequest[] = [];
  readonly #orphans: Response[] = [];
  #inGap = false;
  /** The request whose bytes are being read. */
  #reading: PendingRequest | undefined = undefined;
  #readingFrom = 0;
  /** The response whose bytes are being read. */
  #response: Response | undefined = undefined;
  #responseFrom = 0;

  constructor(protocol: OrderedProtocol, owner: CallOwner, isServer: boolean, losses: MatchLosses) {
    this.protocol = protocol;
    this.owner = owner;
    this.isServer = isServer;
    this.#losses = losses;
    this.#session = protocol.open(this);
    this.#streams = [new Stream(REQUEST, this.#session, this), new Stream(RESPONSE, this.#session, this)];
  }

  head(): PendingRequest | undefined {
    return this.#pending[0];
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  get heldBytes(): number {
    return this.#streams[0].heldBytes + this.#streams[1].heldBytes;
  }

  feed(flow: Flow, bytes: Buffer, start: number, captured: number, full: number, atMs: number): void {
    if (this.stopped) return;
    this.#streams[flow].feed(bytes, start, captured, full, atMs);
  }

  gap(flow: Flow, length: number, atMs: number): void {
    if (this.stopped) return;
    this.#inGap = true;
    this.#streams[flow].gap(length, atMs);
    this.#inGap = false;
  }

  begin(flow: Flow, atMs: number, position: number): void {
    if (flow === REQUEST) this.#beginRequest(atMs, position);
    else this.#beginResponse(atMs, position);
  }

  end(flow: Flow, atMs: number, position: number, mark: number): void {
    if (flow === RESPONSE) this.#endResponse(atMs, position);
    else this.#endRequest(atMs, position, mark);
  }

  desync(flow: Flow): void {
    if (flow !== RESPONSE) return;
    if (this.#response !== undefined) this.#judge(this.#response);
    // A response that has begun ends somewhere in the bytes we miss; others may be missing as a whole. What comes
    // behind a gap answers the newest request, unless the client pipelines.
    const newest = this.#inGap && this.#pending.length > 1 ? this.#pending.pop() : undefined;
    const keepsFirst = this.#response !== undefined || (this.#inGap && newest === undefined);
    this.#loseRequests(keepsFirst ? 1 : 0);
    if (newest !== undefined) this.#pending.push(newest);
  }

  resync(flow: Flow): void {
    const stream = this.#streams[flow];
    if (flow === REQUEST) this.#finishOpenRequest(stream.previousMs);
    else if (this.#response !== undefined) this.#endResponse(stream.previousMs, stream.position);
  }

  giveUp(): void {
    this.#loseRequests(0);
    this.stop();
  }

  stop(): void {
    this.stopped = true;
    this.#pending.length = 0;
    this.#orphans.length = 0;
    this.#reading = undefined;
    this.#response = undefined;
  }

  finishIdle(beforeMs: number): void {
    if (this.#streams[RESPONSE].lastMs < beforeMs) this.#finishOpenResponse();
  }

  expire(beforeMs: number, nowMs: number): void {
    for (const [i, request] of this.#pending.entries()) {
      if (request.startMs >= beforeMs) break;
      if (Number.isNaN(request.startMs) || this.protocol.waitsOn?.(request.operation) === true) continue;
      const response = i === 0 ? this.#response : undefined;
      if (response === undefined && this.#mayBeAnswered(request)) this.#losses.requests++;
      else if (response === undefined) this.#fail(request, 'timeout', nowMs);
      else {
        if (!this.#streams[RESPONSE].desynced) this.#judge(response);
        this.#emit(request, {
          ...response,
          endMs: nowMs,
          bytes: this.#streams[RESPONSE].position - this.#responseFrom,
        });
      }
      request.startMs = Number.NaN;
    }
  }

  forEachUnanswered(beforeMs: number, visit: UnansweredVisitor): void {
    for (const [i, request] of this.#pending.entries()) {
      const { operation, startMs } = request;
      const sentMs = this.#sentMs(request);
      const fromMs = this.isServer ? sentMs : startMs;
      const waitsFromMs = request.done ? fromMs : sentMs;
      if (Number.isNaN(startMs) || waitsFromMs > beforeMs || (i === 0 && this.#response !== undefined)) continue;
      if (this.#mayBeAnswered(request) || this.protocol.waitsOn?.(operation) === true) continue;
      visit(operation, fromMs, this.protocol.name);
    }
  }

  /** When the request was there in full, as far as is known: one whose end was not captured, with its last bytes. */
  #sentMs(request: PendingRequest): number {
    if (request.done) return request.endMs;
    const stream = this.#streams[REQUEST];
    return request === this.#reading && stream.desynced ? stream.lastMs : Number.POSITIVE_INFINITY;
  }

  #finishOpenResponse(): void {
    const stream = this.#streams[RESPONSE];
    if (this.#response !== undefined && stream.desynced) this.#endResponse(stream.lastMs, stream.position);
  }

  /** Bytes came after the request that belong to no response that is known. */
  #mayBeAnswered({ startMs }: PendingRequest): boolean {
    const { desynced, lastMs } = this.#streams[RESPONSE];
    return desynced && lastMs >= startMs;
  }

  close(atMs: number, errorType: string): void {
    const stream = this.#streams[RESPONSE];
    this.#losses.bytes += this.#streams[0].lostBytes + stream.lostBytes;
    if (this.#response !== undefined) {
      const cut = !stream.desynced && !stream.untilClose;
      this.#endResponse(cut ? atMs : stream.lastMs, stream.position, cut ? errorType : undefined);
    }
    if (stream.desynced) this.#loseRequests(0);
    for (const request of this.#pending) {
      if (!Number.isNaN(request.startMs)) this.#fail(request, errorType, atMs);
    }
    this.stop();
  }

  #beginRequest(atMs: number, position: number): void {
    this.#finishOpenRequest(this.#streams[REQUEST].previousMs);
    // Not pipelined: the client would not ask again before it had the whole answer.
    if (this.#pending.length === 1) this.#finishOpenResponse();
    // Out of step and nothing begun: the answers to what is pending went by unseen.
    if (this.#streams[RESPONSE].desynced && this.#response === undefined) this.#loseRequests(0);
    if (this.#pending.length >= MAX_PENDING) this.#loseRequests(0);
    const request: PendingRequest = {
      operation: this.#session.operation,
      kind: this.#session.kind,
      startMs: atMs,
      endMs: atMs,
      bytes: 0,
      done: false,
    };
    this.#reading = request;
    this.#readingFrom = position;
    this.#pending.push(request);
  }

  #endRequest(atMs: number, position: number, mark: number, operation = this.#session.operation): void {
    const request = this.#reading;
    if (request === undefined) return;
    this.#reading = undefined;
    request.operation = operation;
    request.endMs = atMs;
    request.bytes = position - this.#readingFrom;
    request.done = true;
    if ((mark & ONE_WAY) !== 0) {
      const at = this.#pending.lastIndexOf(request);
      if (at >= 0) this.#pending.splice(at, 1);
      return;
    }
    if (this.#orphans.length > 0) this.#matchOrphan(request);
  }

  #matchOrphan(request: PendingRequest): void {
    const early = this.#orphans.shift();
    if (early === undefined || this.#pending[0] !== request) return;
    if (early.startMs + REORDER_MS < request.startMs) {
      this.#losses.responses++;
      this.#orphans.length = 0;
      return;
    }
    this.#pending.shift();
    this.#emit(request, early);
  }

  #finishOpenRequest(atMs: number): void {
    if (this.#reading !== undefined)
      this.#endRequest(atMs, this.#streams[REQUEST].position, 0, this.#reading.operation);
  }

  #beginResponse(atMs: number, position: number): void {
    if (this.#streams[REQUEST].desynced) this.#finishOpenRequest(this.#streams[REQUEST].lastMs);
    this.#response = {
      startMs: atMs,
      endMs: atMs,
      bytes: 0,
      status: this.#session.status,
      errorType: this.#session.errorType,
    };
    this.#responseFrom = position;
  }

  /** @param cutBy error type of a response that ends before its end, unless it has one of its own */
  #endResponse(atMs: number, position: number, cutBy?: string): void {
    const response = this.#response;
    if (response === undefined) return;
    this.#response = undefined;
    if (!this.#streams[RESPONSE].desynced) this.#judge(response);
    response.errorType ??= cutBy;
    response.endMs = atMs;
    response.bytes = position - this.#responseFrom;
    const request = this.#pending[0];
    if (request === undefined) {
      if (this.#orphans.length < MAX_ORPHANS) this.#orphans.push(response);
      else this.#losses.responses++;
      return;
    }
    if (response.startMs + REORDER_MS < request.startMs) {
      this.#losses.responses++;
      return;
    }
    this.#pending.shift();
    // An answer before the request was read in full ends the request as far as the call goes.
    if (request === this.#reading) request.endMs = response.startMs;
    if (!Number.isNaN(request.startMs)) this.#emit(request, response);
  }

  /** What the session makes of the response so far. */
  #judge(response: Response): void {
    response.status = this.#session.status;
    response.errorType = this.#session.errorType;
  }

  #emit(request: PendingRequest, response: Response): void {
    call.protocol = this.protocol.name;
    call.operation = request.operation;
    call.status = response.status;
    call.errorType = response.errorType;
    call.failed = response.errorType !== undefined || this.protocol.isError(response.status);
    // How long it takes says when somebody had something for it, nothing of who answers.
    if (!call.failed && this.protocol.waitsOn?.(request.operation) === true) return;
    const start = this.isServer && request.endMs <= response.startMs ? request.endMs : request.startMs;
    call.startMs = start;
    call.endMs = Math.max(start, response.endMs);
    call.requestBytes = request.bytes;
    call.responseBytes = response.bytes;
    this.owner.onCall(this, call);
  }

  #fail(request: PendingRequest, errorType: string, atMs: number): void {
    // Who waits for work and goes home has lost nothing.
    if (this.protocol.waitsOn?.(request.operation) === true) return;
    call.protocol = this.protocol.name;
    call.operation = request.operation;
    call.status = 'none';
    call.errorType = errorType;
    call.failed = true;
    call.startMs = request.startMs;
    call.endMs = Math.max(request.startMs, atMs);
    call.requestBytes = request.bytes;
    call.responseBytes = Number.NaN;
    this.owner.onCall(this, call);
  }

  /** Gives up all pending requests but the first `keep`: their responses may be in the bytes we missed. */
  #loseRequests(keep: number): void {
    if (this.#pending.length <= keep) return;
    // What has expired is told already.
    for (const { startMs } of this.#pending.slice(keep)) if (!Number.isNaN(startMs)) this.#losses.requests++;
    this.#pending.length = keep;
    if (keep === 0) this.#reading = undefined;
  }
}
