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
/**
 * With END, of protocols that match by key: the flow's side gives the request up, for the session's `errorType`; undefined:
 * because the client has left, or will not wait any longer.
 */
export const ABORT = 16;
/** With END and ABORT, of the server: requests with higher keys were not looked at; without `errorType` nobody lost anything. */
export const ABOVE = 32;

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

/** A request and its response, of protocols that match by key; whichever of them was seen first has made it. */
export interface Exchange extends PendingRequest {
  readonly key: number;
  /** Name of the protocol the call is told under. */
  protocol: string;
  /** Private to the protocol: what it keeps of the request, bytes that it still expects. */
  target: string | undefined;
  left: number;
  /** First and last byte of the response; NaN before. */
  responseMs: number;
  answeredMs: number;
  responseBytes: number;
  status: string;
  errorType: string | undefined;
  /** The status is the last word: nothing behind the response's head changes it. */
  isSettled: boolean;
  /** Status when the client leaves after the response has begun, as it may; undefined: then the call has failed. */
  leftStatus: string | undefined;
  /** The response is a stream of messages: the call lasts until it begins. */
  isStream: boolean;
  /** When bytes of the response's flow were lost since the last of this response; NaN: they were not. */
  uncertainMs: number;
  /** The call is told already. */
  isTold: boolean;
}

/** Requests by their key. */
export interface ExchangeTable {
  find(key: number): Exchange | undefined;
  /** The exchange of this key, made by the flow's side if there is none; undefined when there is no room for it. */
  open(key: number, flow: Flow): Exchange | undefined;
  /** Requests are known to have gone by unseen. */
  lose(requests: number): void;
}

/** Cuts the flows of one connection into units. After `advance` returned one, `mark` says what it was. */
export interface UnitReader {
  mark: number;
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

/**
 * Framing and parsing state of one connection whose requests are answered in order: `operation`/`kind` hold from BEGIN of a
 * request (and may be refined until its END), `status`/`errorType` from BEGIN of a response.
 */
export interface Session extends UnitReader {
  operation: string;
  kind: number;
  status: string;
  errorType: string | undefined;
}

/**
 * A session whose requests are answered in any order, several at a time. It writes what it learns of a request and its
 * response into their exchange; the marks say when.
 */
export interface KeyedSession extends UnitReader {
  /** The request that the flow's last unit with a mark belongs to. */
  readonly keys: readonly [number, number];
  /** Of the last unit with ABORT. */
  errorType: string | undefined;
}

interface ProtocolBase {
  readonly name: string;
  /** What these first bytes of one direction are: REQUEST, RESPONSE, or undefined when they are not this protocol. */
  infer(bytes: Buffer, start: number, end: number): Flow | undefined;
  isError(status: string): boolean;
  /**
   * True for requests that wait for something to happen, for ever if need be: they do not hang. Where answers come in order
   * they are told as calls only when they are answered with an error. None where it is missing.
   */
  waitsOn?(operation: string): boolean;
}

export interface OrderedProtocol extends ProtocolBase {
  readonly match: 'in-order';
  open(queue: MatchQueue): Session;
}

export interface KeyedProtocol extends ProtocolBase {
  readonly match: 'by-key';
  open(table: ExchangeTable): KeyedSession;
}

/** What one datagram says. */
export interface DatagramMessage {
  readonly flow: Flow;
  /** Answers have that of their request. */
  readonly key: number;
  /** Empty: an answer that does not repeat the question. */
  readonly operation: string;
  /** Of an answer. */
  readonly status: string;
  readonly errorType: string | undefined;
  /** Of an answer: who asked several servers the same has what it wants to know, and takes no other. */
  readonly isEnough: boolean;
}

/** A protocol whose messages come whole, one per datagram. `read` may remember, within bounds, what names mean. */
export interface DatagramProtocol {
  readonly name: string;
  /** The message in [start, end), undefined when it is none. The object is reused: read it, do not keep it. */
  read(bytes: Buffer, start: number, end: number): DatagramMessage | undefined;
}

/** `match` says how responses find their request. */
export type Protocol = OrderedProtocol | KeyedProtocol;
