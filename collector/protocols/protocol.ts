/**
 * What a layer-7 protocol is to the tracker. A protocol is one folder: it recognises its first bytes (`infer`), cuts a
 * byte stream into units (`Session.advance`: frame and parse in one pass, no copies), names the operation with bounded
 * cardinality, and says which outcomes are errors. Everything here is pure: no clock, no I/O, never throws on garbage.
 */

/** The two flows of a connection: what the client sends and what the server sends. */
export const REQUEST = 0;
export const RESPONSE = 1;
export type Flow = typeof REQUEST | typeof RESPONSE;

/** `advance` needs bytes that have not arrived yet. */
export const NEED_MORE = 0;
/** `advance` cannot tell where the next unit begins: garbage, or bytes that were not captured. */
export const DESYNC = -1;

/** Marks of a unit: it begins a message, ends one, ends our interest in the connection (TLS, upgrade), has no answer. */
export const BEGIN = 1;
export const END = 2;
export const STOP = 4;
export const ONE_WAY = 8;

/** Bytes a session may ask to be kept while it waits for the rest of a unit's head. */
export const MAX_CARRY_BYTES = 16 * 1024;
/** Bytes of a statement that are looked at; longer ones are cut there, whatever was captured. */
export const MAX_TEXT_BYTES = 1024;

/** A request that waits for its response. Times are epoch milliseconds with fractions. */
export interface PendingRequest {
  operation: string;
  /** Private to the protocol: HEAD, the MySQL command, … */
  kind: number;
  startMs: number;
  endMs: number;
  bytes: number;
  done: boolean;
}

/** Requests in the order they were sent. */
export interface MatchQueue {
  /** The request the next response belongs to. */
  head(): PendingRequest | undefined;
}

/**
 * Framing and parsing state of one connection. After `advance` returned a unit, the fields say what it was:
 * `operation`/`kind` hold from BEGIN of a request (and may be refined until its END), `status`/`errorType` from BEGIN
 * of a response.
 */
export interface Session {
  mark: number;
  operation: string;
  kind: number;
  status: string;
  errorType: string | undefined;
  /**
   * Looks at the bytes [start, end) of a flow, whose first byte is the first of a unit.
   *
   * @param more true when the bytes after `end` can still arrive; false when they are known to be missing
   * @returns length of the unit (may reach beyond `end`: the rest is skipped), NEED_MORE, or DESYNC.
   *   DESYNC with mark BEGIN: a message begins here whose end cannot be framed.
   */
  advance(flow: Flow, bytes: Buffer, start: number, end: number, more: boolean): number;
  /** True when a unit begins at `start`; then the flow's framing state is set for it. Called after a DESYNC. */
  resync(flow: Flow, bytes: Buffer, start: number, end: number): boolean;
  /** True when the flow may give up the body it is sending (Expect: 100-continue answered with a final status). */
  mayAbandon(flow: Flow): boolean;
}

export interface Protocol {
  readonly name: string;
  /** How responses find their request. All protocols here answer in order. */
  readonly match: 'in-order';
  /** What these first bytes of one direction are: REQUEST, RESPONSE, or undefined when they are not this protocol. */
  infer(bytes: Buffer, start: number, end: number): Flow | undefined;
  open(queue: MatchQueue): Session;
  isError(status: string): boolean;
  /**
   * True for requests that wait for something to happen, for ever if need be: they do not hang, and are told as calls only
   * when they are answered with an error. None where it is missing.
   */
  waitsOn?(operation: string): boolean;
}
