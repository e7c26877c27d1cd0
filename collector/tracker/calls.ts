/** What is told of a connection's calls, and what a connection does with its layer 7, however requests find their answers. */
import type { Flow, PendingRequest } from '../protocols/protocol.ts';

/** One finished call. The object is reused: read it, do not keep it. */
export interface Call {
  /** Name of the protocol it is told under. */
  protocol: string;
  operation: string;
  status: string;
  failed: boolean;
  errorType: string | undefined;
  /** Client: first byte written. Server: last byte of the request read. Epoch ms. */
  startMs: number;
  /** Last byte of the response, or when the failure was known. */
  endMs: number;
  requestBytes: number;
  /** Unknown (NaN) when there was no response. */
  responseBytes: number;
}

/** Counters of what could not be matched, shared by all connections of a tracker. */
export interface MatchLosses {
  /** Requests given up because bytes were lost. */
  requests: number;
  /** Responses without a request: sent before we looked, or its request was lost. */
  responses: number;
  /** Bytes that belonged to no message. */
  bytes: number;
}

/** A request that waits at `startMs` for its answer. */
export type UnansweredVisitor = (operation: string, startMs: number, protocol: string) => void;

/**
 * The calls of one connection. Emits one call per request: with its response, or as failed when the connection ends or the
 * time limit passes without one. A call that cannot be judged because *we* lost bytes is counted as lost, never invented
 * as a failure.
 */
export interface CallLayer {
  readonly protocol: { readonly name: string };
  /** The tracker's connection this belongs to. */
  readonly owner: CallOwner;
  readonly isServer: boolean;
  readonly stopped: boolean;
  readonly pendingCount: number;
  /** Bytes kept between events. */
  readonly heldBytes: number;
  /** A request that waits, undefined when there is none. */
  head(): PendingRequest | undefined;
  /** Bytes of a flow: `captured` at `start` of `full` that moved, at time `atMs`. */
  feed(flow: Flow, bytes: Buffer, start: number, captured: number, full: number, atMs: number): void;
  /** Bytes of a flow that nobody saw. */
  gap(flow: Flow, length: number, atMs: number): void;
  /** Ends responses whose end cannot be framed, where nothing came since `beforeMs`: they lasted until the last bytes seen. */
  finishIdle(beforeMs: number): void;
  /**
   * Reports requests older than `beforeMs` as timed out, or as answered where the response has begun (a long download, a
   * stream of events); what comes for them afterwards is not counted again. What waits by its nature may go on. Those whose
   * answer may have gone by unseen are lost.
   */
  expire(beforeMs: number, nowMs: number): void;
  /** Visits the requests that were there in full before `beforeMs` and to which no response has begun, as far as is known. */
  forEachUnanswered(beforeMs: number, visit: UnansweredVisitor): void;
  /** The connection has ended: what waits for an answer has failed for `errorType`. */
  close(atMs: number, errorType: string): void;
  stop(): void;
}

export interface CallOwner {
  onCall(layer: CallLayer, call: Call): void;
}

/** Requests of a connection that are kept while they wait. */
export const MAX_PENDING = 4096;
/** Responses that are kept until their request is reported: two threads of one process report out of order. */
export const MAX_ORPHANS = 64;

/** A call to be filled in and told; the same object may serve every call. */
export function emptyCall(): Call {
  return {
    protocol: '',
    operation: '',
    status: '',
    failed: false,
    errorType: undefined,
    startMs: 0,
    endMs: 0,
    requestBytes: 0,
    responseBytes: 0,
  };
}
