/**
 * The calls of two ends that exchange datagrams: each message comes whole, and an answer has its request's key. See CallLayer
 * for what is told. A request that is sent again while it waits is the same call.
 */
import type { DatagramMessage, DatagramProtocol, Flow, PendingRequest } from '../protocols/protocol.ts';
import { REQUEST } from '../protocols/protocol.ts';
import type { CallLayer, CallOwner, MatchLosses, UnansweredVisitor } from './calls.ts';
import { emptyCall, MAX_PENDING } from './calls.ts';

/** Resolvers wait this long for an answer before they ask again (resolv.conf's default). */
export const ANSWER_TIMEOUT_MS = 5_000;
const NONE = 'none';

interface Waiting extends PendingRequest {
  /** It has failed, or somebody else has answered: what comes now comes late. */
  isOver: boolean;
}

/** An answer came to a request of `layer`, after which nobody waits for those of others. */
export type AnswerListener = (layer: DatagramLayer, key: number, operation: string) => void;

const call = emptyCall();

export class DatagramLayer implements CallLayer {
  readonly protocol: DatagramProtocol;
  readonly owner: CallOwner;
  readonly isServer: boolean;
  readonly heldBytes = 0;
  stopped = false;
  readonly #losses: MatchLosses;
  readonly #onAnswer: AnswerListener;
  /** Messages went by unseen until then: answers to what was asked before may be among them. */
  #doubtedMs = Number.NEGATIVE_INFINITY;
  /** In the order in which they were first seen. */
  readonly #requests = new Map<number, Waiting>();

  constructor(
    protocol: DatagramProtocol,
    owner: CallOwner,
    isServer: boolean,
    losses: MatchLosses,
    onAnswer: AnswerListener,
  ) {
    this.protocol = protocol;
    this.owner = owner;
    this.isServer = isServer;
    this.#losses = losses;
    this.#onAnswer = onAnswer;
  }

  /** Those too that are over, as long as their answers may come late. */
  get pendingCount(): number {
    return this.#requests.size;
  }

  head(): PendingRequest | undefined {
    for (const request of this.#requests.values()) if (!request.isOver) return request;
    return undefined;
  }

  feed(flow: Flow, bytes: Buffer, start: number, captured: number, full: number, atMs: number): void {
    if (this.stopped) return;
    const message = this.protocol.read(bytes, start, start + captured);
    if (message === undefined || message.flow !== flow) this.#losses.bytes += full;
    else if (flow === REQUEST) this.#ask(message, full, atMs);
    else this.#answer(message, full, atMs);
  }

  gap(): void {}

  finishIdle(): void {}

  /** Nobody waits for the answer any more: it came from somebody else. */
  abandon(key: number, operation: string): void {
    const request = this.#requests.get(key);
    if (request?.operation === operation) request.isOver = true;
  }

  /** No answer will come to what waits. */
  fail(errorType: string, atMs: number): void {
    for (const [key, request] of this.#requests) {
      if (request.isOver) continue;
      this.#requests.delete(key);
      this.#tell(request, NONE, errorType, Number.NaN, atMs);
    }
  }

  /** Messages went by unseen until `atMs`. */
  doubt(atMs: number): void {
    this.#doubtedMs = atMs;
  }

  expire(beforeMs: number, nowMs: number): void {
    for (const request of this.#requests.values())
      if (!request.isOver && request.startMs < beforeMs) this.#expireOne(request, nowMs);
  }

  forEachUnanswered(beforeMs: number, visit: UnansweredVisitor): void {
    for (const { isOver, startMs, operation } of this.#requests.values())
      if (!isOver && startMs <= beforeMs && startMs > this.#doubtedMs) visit(operation, startMs, this.protocol.name);
  }

  /** Nothing ends the exchange but that it is forgotten. */
  close(): void {
    for (const { isOver } of this.#requests.values()) if (!isOver) this.#losses.requests++;
    this.stop();
  }

  stop(): void {
    this.stopped = true;
    this.#requests.clear();
  }

  #ask({ key, operation }: DatagramMessage, full: number, atMs: number): void {
    const known = this.#requests.get(key);
    if (known !== undefined && !known.isOver) {
      if (known.operation !== operation) this.#losses.requests++;
      else if (atMs - known.startMs < ANSWER_TIMEOUT_MS) return;
      else this.#expireOne(known, atMs);
    }
    this.#requests.delete(key);
    if (this.#requests.size >= MAX_PENDING) this.#evict();
    const request = { operation, kind: 0, startMs: atMs, endMs: atMs, bytes: full, done: true, isOver: false };
    this.#requests.set(key, request);
  }

  #answer({ key, operation, status, errorType, isEnough }: DatagramMessage, full: number, atMs: number): void {
    const request = this.#requests.get(key);
    if (request === undefined || (operation !== '' && operation !== request.operation)) {
      this.#losses.responses++;
      return;
    }
    this.#requests.delete(key);
    if (request.isOver) return;
    this.#tell(request, status, errorType, full, atMs);
    if (isEnough) this.#onAnswer(this, key, request.operation);
  }

  #expireOne(request: Waiting, nowMs: number): void {
    request.isOver = true;
    if (request.startMs <= this.#doubtedMs) this.#losses.requests++;
    else this.#tell(request, NONE, 'timeout', Number.NaN, nowMs);
  }

  #evict(): void {
    const oldest = this.#requests.entries().next().value;
    if (oldest === undefined) return;
    if (!oldest[1].isOver) this.#losses.requests++;
    this.#requests.delete(oldest[0]);
  }

  #tell(
    { operation, startMs, bytes }: Waiting,
    status: string,
    errorType: string | undefined,
    responseBytes: number,
    atMs: number,
  ): void {
    call.protocol = this.protocol.name;
    call.operation = operation;
    call.status = status;
    call.errorType = errorType;
    call.failed = errorType !== undefined;
    call.startMs = startMs;
    call.endMs = Math.max(startMs, atMs);
    call.requestBytes = bytes;
    call.responseBytes = responseBytes;
    this.owner.onCall(this, call);
  }
}
