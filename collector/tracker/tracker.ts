/**
 * The connection tracker: frames of the loader in, calls and TCP deltas out. Control and data events come through
 * separate rings, so either may be first: data of an unknown connection opens it, and a closed connection takes data
 * for a moment longer. Bounded: idle and surplus connections are evicted and counted.
 */

import { UNIX_FAMILY } from '../frames/address.ts';
import type {
  ConnFrame,
  ConnStatsFrame,
  DataFrame,
  DatagramFrame,
  TcpTotals,
  Tuple,
  WireProtocol,
} from '../frames/types.ts';
import { fastcgi } from '../protocols/fastcgi/index.ts';
import { http1 } from '../protocols/http1/index.ts';
import { http2 } from '../protocols/http2/index.ts';
import { mysql } from '../protocols/mysql/index.ts';
import { postgresql } from '../protocols/postgresql/index.ts';
import type { Protocol } from '../protocols/protocol.ts';
import { redis } from '../protocols/redis/index.ts';
import type { MatchLosses } from './calls.ts';
import type { ConnectionSink } from './connection.ts';
import { Connection, RECV, SEND } from './connection.ts';
import { Datagrams } from './datagrams.ts';
import { TupleIndex } from './tuple-index.ts';

const BY_WIRE: Partial<Record<WireProtocol, Protocol>> = { http1, postgresql, mysql, redis, fastcgi, h2: http2 };

export interface TrackerSink extends ConnectionSink {
  onOpened(connection: Connection, frame: ConnFrame): void;
  onFailed(connection: Connection, frame: ConnFrame): void;
  onClosed(connection: Connection, frame: ConnFrame): void;
  /** Counters since the last report of this connection. `totals` holds the gauges. */
  onTraffic(connection: Connection, delta: TrafficDelta, totals: TcpTotals, atMs: number): void;
}

export interface TrafficDelta {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly segmentsOut: number;
  readonly segmentsIn: number;
  readonly retransmits: number;
  readonly resetsSent: number;
  readonly resetsReceived: number;
}

export interface TrackerOptions {
  readonly maxConnections?: number;
  readonly maxDatagramConnections?: number;
  /** A request without a response for this long has failed with `timeout`. */
  readonly requestTimeoutMs?: number;
  /** Data may still come for a closed connection for this long. */
  readonly closeGraceMs?: number;
  /** A response that cannot be framed to its end is over when nothing came for this long. */
  readonly openResponseIdleMs?: number;
  readonly idleEvictionMs?: number;
}

export interface TrackerCounters {
  readonly losses: MatchLosses;
  evicted: number;
  dataEvents: number;
  /** Data events that came while payload was not looked at. */
  shedEvents: number;
  connections: number;
}

/** The kernel's TCP state of a connect without an answer. */
const SYN_SENT = 2;
/** The loader reports statistics once a second (--interval-ms). */
export const STATS_INTERVAL_MS = 1000;
/** Counts per packet flow come once per interval: how long after its end a connection is still found by its addresses. */
const LATE_PACKETS_MS = 3 * STATS_INTERVAL_MS;
/**
 * Of a connection that lives some report comes at least each twelfth interval. Where data is all that came, none will: a
 * Unix connection whose first bytes are of no protocol is never told, nor is its end.
 */
const UNTOLD_EVICTION_MS = 30 * STATS_INTERVAL_MS;

export class Tracker {
  readonly counters: TrackerCounters = {
    losses: { requests: 0, responses: 0, bytes: 0 },
    evicted: 0,
    dataEvents: 0,
    shedEvents: 0,
    connections: 0,
  };
  readonly index = new TupleIndex();
  readonly datagrams: Datagrams;
  /** While true, payload is not looked at. */
  shedding = false;
  readonly #connections = new Map<number, Connection>();
  readonly #closing = new Set<Connection>();
  readonly #sink: TrackerSink;
  readonly #options: Required<Omit<TrackerOptions, 'maxDatagramConnections'>>;

  constructor(sink: TrackerSink, options: TrackerOptions = {}) {
    this.#sink = sink;
    this.datagrams = new Datagrams(sink, this.counters, options.maxDatagramConnections);
    this.#options = {
      maxConnections: 100_000,
      requestTimeoutMs: 60_000,
      closeGraceMs: 250,
      openResponseIdleMs: 300,
      idleEvictionMs: 3_600_000,
      ...options,
    };
  }

  /** Those with TCP counters, or as good as: exchanges of datagrams are in `datagrams`. */
  get connections(): Iterable<Connection> {
    return this.#connections.values();
  }

  /** All that have calls. */
  *callers(): Iterable<Connection> {
    yield* this.#connections.values();
    yield* this.datagrams.connections();
  }

  data(frame: DataFrame): void {
    this.counters.dataEvents++;
    if (this.shedding) {
      this.counters.shedEvents++;
      return;
    }
    const connection = this.#get(frame.connId, frame.netns);
    const roleBefore = connection.role;
    connection.established = true;
    if (connection.pid === 0) connection.pid = frame.pid;
    if (connection.role === 'unknown' && frame.role !== 'unknown') connection.role = frame.role;
    const head = frame.head;
    const bytes = Buffer.isBuffer(head) ? head : Buffer.from(head.buffer, head.byteOffset, head.length);
    const sending = frame.direction === 'send';
    // What is sent has left when the call began, what is received was there when it ended: so the server's time never
    // contains the network's.
    const atMs = sending ? frame.enterMs : frame.exitMs;
    const captured = frame.fault ? 0 : head.length;
    connection.data(
      sending ? SEND : RECV,
      BY_WIRE[frame.protocol],
      bytes,
      0,
      captured,
      Math.max(frame.fullLength, captured),
      frame.streamSeq,
      atMs,
    );
    // The first bytes may have told it.
    if (connection.role !== roleBefore) this.index.add(connection);
  }

  datagram(frame: DatagramFrame): void {
    this.counters.dataEvents++;
    if (this.shedding) this.counters.shedEvents++;
    else this.datagrams.take(frame);
  }

  conn(frame: ConnFrame): void {
    const connection = this.#get(frame.connId, frame.netns);
    this.#identify(connection, frame);
    switch (frame.kind) {
      case 'opened':
        connection.totals ??= ZERO;
        connection.connecting = false;
        connection.isWhole = !this.shedding;
        connection.established = true;
        connection.handshakeMs = connection.role === 'server' ? frame.startMs : frame.atMs;
        this.#sink.onOpened(connection, frame);
        break;
      case 'discovered':
        connection.established = true;
        connection.discoveredMs = frame.atMs;
        connection.totals ??= frame.totals;
        break;
      case 'failed':
        connection.totals ??= ZERO;
        connection.closedMs = frame.atMs;
        connection.goneMs = frame.atMs;
        this.#traffic(connection, frame.totals, frame.atMs);
        this.#sink.onFailed(connection, frame);
        this.#end(connection);
        break;
      case 'closed':
        connection.established = true;
        connection.closedMs = frame.leftMs ?? frame.atMs;
        connection.goneMs = frame.atMs;
        this.#traffic(connection, frame.totals, frame.atMs);
        this.#sink.onClosed(connection, frame);
        connection.closeError = this.#closeError(connection, frame);
        this.#closing.add(connection);
        break;
    }
  }

  stats(frame: ConnStatsFrame): void {
    const connection = this.#get(frame.connId, frame.netns);
    const roleBefore = connection.role;
    if (connection.role === 'unknown') connection.role = frame.role;
    if (!isWhole(connection.tuple)) {
      connection.tuple = frame.tuple;
      this.index.add(connection);
    } else if (connection.role !== roleBefore) this.index.add(connection);
    if (frame.state !== SYN_SENT) connection.established = true;
    if (connection.pid === 0) connection.pid = frame.pid;
    if (frame.state === SYN_SENT && connection.totals === undefined) {
      // A connect that waits for its answer: its retransmissions count as they happen.
      connection.totals = ZERO;
      connection.connecting = true;
    }
    // What a report counts happened in the interval before it: its middle decides the window.
    this.#traffic(connection, frame.totals, frame.atMs - STATS_INTERVAL_MS / 2);
  }

  /** Time goes on: ends closed connections after their grace, expires requests, evicts idle connections. */
  tick(nowMs: number): void {
    for (const connection of this.#closing) {
      if (connection.goneMs + this.#options.closeGraceMs > nowMs) continue;
      connection.finish();
      this.#end(connection);
    }
    this.index.expire(nowMs);
    this.datagrams.tick(nowMs);
    const idleBefore = nowMs - this.#options.openResponseIdleMs;
    const expireBefore = nowMs - this.#options.requestTimeoutMs;
    for (const connection of this.#connections.values()) {
      const layer = connection.layer7;
      if (layer !== undefined) {
        layer.finishIdle(idleBefore);
        if (layer.pendingCount > 0) layer.expire(expireBefore, nowMs);
      }
      if (connection.lastSeenMs < nowMs - this.#options.idleEvictionMs) this.#evict(connection);
      else if (connection.tuple === undefined && connection.lastSeenMs < nowMs - UNTOLD_EVICTION_MS)
        this.#forget(connection);
    }
  }

  /** Ends everything that is closing, whatever its grace: the collector stops. */
  drain(): void {
    for (const connection of this.#closing) {
      connection.finish();
      this.#end(connection);
    }
    for (const connection of this.#connections.values()) connection.layer7?.finishIdle(Number.POSITIVE_INFINITY);
  }

  /** Forgets all connections: ids mean others from now on. */
  reset(): void {
    this.#connections.clear();
    this.#closing.clear();
    this.index.clear();
    this.datagrams.reset();
    this.counters.connections = 0;
  }

  /** Forgets all layer-7 state, when the breaker opens. */
  shed(): void {
    this.shedding = true;
    for (const connection of this.#connections.values()) connection.shed();
    this.datagrams.reset();
  }

  #get(id: number, netns: number): Connection {
    const known = this.#connections.get(id);
    if (known !== undefined) return known;
    if (this.#connections.size >= this.#options.maxConnections) {
      const oldest = this.#connections.values().next().value;
      if (oldest !== undefined) this.#evict(oldest);
    }
    const connection = new Connection(id, netns, this.#sink, this.counters.losses);
    this.#connections.set(id, connection);
    this.counters.connections = this.#connections.size;
    return connection;
  }

  #identify(connection: Connection, frame: ConnFrame): void {
    connection.lastSeenMs = Math.max(connection.lastSeenMs, frame.atMs);
    if (frame.pid !== 0) connection.pid = frame.pid;
    if (frame.comm !== '') connection.comm = frame.comm;
    if (frame.cgroupId !== 0) connection.cgroupId = frame.cgroupId;
    const roleBefore = connection.role;
    if (frame.role !== 'unknown') connection.role = frame.role;
    if (isWhole(connection.tuple)) {
      if (connection.role !== roleBefore) this.index.add(connection);
      return;
    }
    connection.tuple = frame.tuple;
    this.index.add(connection);
  }

  #traffic(connection: Connection, totals: TcpTotals, atMs: number): void {
    const last = connection.totals;
    connection.totals = totals;
    connection.lastSeenMs = Math.max(connection.lastSeenMs, atMs);
    // Without a starting point (neither opened nor discovered seen) this report becomes it.
    if (last === undefined) return;
    this.#sink.onTraffic(
      connection,
      {
        bytesSent: rise(totals.bytesSent, last.bytesSent),
        bytesReceived: rise(totals.bytesReceived, last.bytesReceived),
        segmentsOut: rise(totals.segmentsOut, last.segmentsOut),
        segmentsIn: rise(totals.segmentsIn, last.segmentsIn),
        retransmits: rise(totals.retransmits, last.retransmits),
        resetsSent: rise(totals.resetsSent, last.resetsSent),
        resetsReceived: rise(totals.resetsReceived, last.resetsReceived),
      },
      totals,
      atMs,
    );
  }

  /** OpenTelemetry error.type of a request that was open when its connection ended. */
  #closeError(connection: Connection, frame: ConnFrame): string {
    if (frame.reason === 'timed_out') return 'timeout';
    // A client that went away by itself while it waited; what its kernel was told afterwards is another matter.
    if (connection.role === 'client' && frame.leftMs !== undefined && connection.layer7?.head() !== undefined)
      return 'timeout';
    return frame.reason === 'reset' || frame.totals.resetsReceived > 0 ? 'connection_reset' : 'connection_closed';
  }

  #evict(connection: Connection): void {
    this.counters.evicted++;
    this.#forget(connection);
    this.index.remove(connection);
  }

  /** What is told of its packets comes at the end of the interval, and names no connection but its addresses. */
  #end(connection: Connection): void {
    this.#forget(connection);
    this.index.removeLater(connection, connection.goneMs + LATE_PACKETS_MS);
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection.id);
    this.#closing.delete(connection);
    this.counters.connections = this.#connections.size;
  }
}

const ZERO: TcpTotals = {
  bytesSent: 0,
  bytesReceived: 0,
  segmentsOut: 0,
  segmentsIn: 0,
  retransmits: 0,
  totalRetransmits: 0,
  resetsSent: 0,
  resetsReceived: 0,
  sendWindowBytes: 0,
  receiveWindowBytes: 0,
  unreadBytes: 0,
  unsentBytes: 0,
  unknownBytes: 0,
};

/** A connect's local port is chosen a moment after it is first seen. */
function isWhole(tuple: Tuple | undefined): boolean {
  return tuple !== undefined && (tuple.localPort !== 0 || tuple.family === UNIX_FAMILY);
}

function rise(now: number, before: number): number {
  return now > before ? now - before : 0;
}
