/** One end of a connection (TCP, Unix stream, or an exchange of datagrams) as the kernel side knows it, with its layer-7 state once the protocol is known. */
import type { TcpTotals, Tuple } from '../frames/types.ts';
import type { Flow, Protocol } from '../protocols/protocol.ts';
import { REQUEST, RESPONSE } from '../protocols/protocol.ts';
import type { Call, CallLayer, CallOwner, MatchLosses } from './calls.ts';
import { KeyedLayer } from './keyed-layer.ts';
import { Layer7 } from './layer7.ts';

/** Events kept while neither the kernel nor we know which protocol or role it is. */
const MAX_HELD_EVENTS = 8;
const MAX_HELD_BYTES = 4096;

const SEND = 0;
const RECV = 1;
export type SocketDirection = typeof SEND | typeof RECV;

interface HeldEvent {
  readonly direction: SocketDirection;
  readonly bytes: Buffer;
  readonly full: number;
  readonly atMs: number;
}

export type ConnectionRole = 'unknown' | 'client' | 'server';

/** What is told about a connection's calls. */
export interface ConnectionSink {
  onCall(connection: Connection, call: Call): void;
}

export class Connection implements CallOwner {
  readonly id: number;
  readonly netns: number;
  pid = 0;
  comm = '';
  cgroupId = 0;
  role: ConnectionRole = 'unknown';
  tuple: Tuple | undefined = undefined;
  layer7: CallLayer | undefined = undefined;
  /** Totals already counted; deltas are taken against them. */
  totals: TcpTotals | undefined = undefined;
  /** Seen from its first byte on: what its totals say has passed through `data`, or was lost. */
  isWhole = false;
  /** Its messages come in datagrams: nothing is counted of it but its calls. */
  isDatagram = false;
  /** An active open that has no answer yet. */
  connecting = false;
  /** The handshake was seen to be done. */
  established = false;
  /** When its handshake was done; NaN when that was not seen. */
  handshakeMs = Number.NaN;
  /** When it was found to be there already, its handshake done; NaN: it was not. */
  discoveredMs = Number.NaN;
  /** Where the index keeps it. */
  indexed: { readonly exact: string; readonly client: string | undefined; readonly role: ConnectionRole } | undefined =
    undefined;
  lastSeenMs = 0;
  /** An open that is not counted yet: the other end may become known a moment later. */
  opened: { readonly atMs: number; readonly connectUs: number } | undefined = undefined;
  /** When the connection ended for its process, and how its unanswered requests failed; NaN while it is open. */
  closedMs = Number.NaN;
  /** When its kernel was done with it. */
  goneMs = Number.NaN;
  closeError = '';
  /** Set by whoever names connections: resolved edge, and the state of knowledge it was resolved with. */
  edge: unknown = undefined;
  edgeVersion = -1;
  /** Name of the owner while its process could be looked at. */
  owner: unknown = undefined;
  readonly #sink: ConnectionSink;
  readonly #losses: MatchLosses;
  /** TCP sequence of the next byte per direction; -1 before the first event. */
  readonly #nextSequence: [number, number] = [-1, -1];
  /** Bytes per direction that events told of, or that were missing between them. */
  readonly #moved: [number, number] = [0, 0];
  #held: HeldEvent[] | undefined = undefined;
  #ignored = false;

  constructor(id: number, netns: number, sink: ConnectionSink, losses: MatchLosses) {
    this.id = id;
    this.netns = netns;
    this.#sink = sink;
    this.#losses = losses;
  }

  onCall(_layer: CallLayer, call: Call): void {
    this.#sink.onCall(this, call);
  }

  /**
   * Bytes moved by one system call: `captured` at `start` of `full`, the first with TCP sequence `sequence`.
   * `protocol` is what the kernel side made of the connection, undefined while it does not know.
   */
  data(
    direction: SocketDirection,
    protocol: Protocol | undefined,
    bytes: Buffer,
    start: number,
    captured: number,
    full: number,
    sequence: number,
    atMs: number,
  ): void {
    if (this.#ignored) return;
    this.lastSeenMs = atMs;
    const gap = this.#gap(direction, sequence, full);
    if (gap < 0) return;
    this.#moved[direction] += gap + full;
    if (this.layer7 === undefined && !this.#open(direction, protocol, bytes, start, captured)) {
      this.#hold(direction, bytes, start, captured, full, atMs);
      return;
    }
    const layer = this.layer7!;
    const flow = this.#flow(direction);
    if (gap > 0) layer.gap(flow, gap, atMs);
    layer.feed(flow, bytes, start, captured, full, atMs);
  }

  /** Ends the connection: unanswered requests failed. */
  finish(): void {
    this.#findLoss();
    this.layer7?.close(this.closedMs, this.closeError);
    this.layer7 = undefined;
    this.#ignored = true;
    this.#held = undefined;
  }

  /** Stops looking at the connection's payload; what was pending is dropped uncounted. */
  shed(): void {
    this.layer7?.stop();
    this.layer7 = undefined;
    this.#held = undefined;
    this.isWhole = false;
    this.#nextSequence[0] = -1;
    this.#nextSequence[1] = -1;
  }

  #flow(direction: SocketDirection): Flow {
    return (direction === SEND) === (this.role === 'client') ? REQUEST : RESPONSE;
  }

  /** Bytes between the last event of the direction and this one; -1 for an event that was overtaken. */
  #gap(direction: SocketDirection, sequence: number, full: number): number {
    const expected = this.#nextSequence[direction];
    const next = (sequence + full) >>> 0;
    if (expected < 0) {
      this.#nextSequence[direction] = next;
      return 0;
    }
    const gap = (sequence - expected) | 0;
    if (gap < 0) return -1;
    this.#nextSequence[direction] = next;
    return gap;
  }

  /** What the server has said by the totals, and no event told of, may have been the answers. */
  #findLoss(): void {
    const { layer7, totals } = this;
    if (layer7 === undefined || totals === undefined || !this.isWhole) return;
    const isClient = this.role === 'client';
    const said = isClient ? totals.bytesReceived - totals.unreadBytes : totals.bytesSent + totals.unsentBytes;
    const missing = said - this.#moved[isClient ? RECV : SEND];
    // A FIN may count as a byte.
    if (missing > 1) layer7.gap(RESPONSE, missing, this.closedMs);
  }

  /** Opens layer 7 when protocol and role are known; false when more must be seen first. */
  #open(
    direction: SocketDirection,
    protocol: Protocol | undefined,
    bytes: Buffer,
    start: number,
    captured: number,
  ): boolean {
    if (protocol === undefined) return false;
    if (this.role === 'unknown') {
      const flow = protocol.infer(bytes, start, start + captured);
      if (flow === undefined) return false;
      this.role = (direction === SEND) === (flow === REQUEST) ? 'client' : 'server';
    }
    this.layer7 = openLayer(protocol, this, this.role === 'server', this.#losses);
    const held = this.#held;
    this.#held = undefined;
    for (const event of held ?? []) {
      this.layer7.feed(this.#flow(event.direction), event.bytes, 0, event.bytes.length, event.full, event.atMs);
    }
    return true;
  }

  #hold(direction: SocketDirection, bytes: Buffer, start: number, captured: number, full: number, atMs: number): void {
    this.#held ??= [];
    if (this.#held.length >= MAX_HELD_EVENTS) this.#held.shift();
    const kept = Math.min(captured, MAX_HELD_BYTES);
    this.#held.push({ direction, bytes: Buffer.from(bytes.subarray(start, start + kept)), full, atMs });
  }
}

/** Layer 7 of a connection, by the way its protocol matches answers to requests. */
export function openLayer(protocol: Protocol, owner: CallOwner, isServer: boolean, losses: MatchLosses): CallLayer {
  return protocol.match === 'by-key'
    ? new KeyedLayer(protocol, owner, isServer, losses)
    : new Layer7(protocol, owner, isServer, losses);
}

export { RECV, SEND };
