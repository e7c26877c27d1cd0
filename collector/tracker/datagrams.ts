/**
 * Calls over datagrams: whoever exchanges them is taken as a connection while it does, of which no TCP counters are told.
 * Bounded: who says nothing any more is forgotten, of too many the oldest one.
 */
import { isWildcard } from '../frames/address.ts';
import type { DatagramFrame, WireProtocol } from '../frames/types.ts';
import { Dns } from '../protocols/dns/index.ts';
import type { DatagramProtocol } from '../protocols/protocol.ts';
import { REQUEST, RESPONSE } from '../protocols/protocol.ts';
import type { MatchLosses } from './calls.ts';
import type { ConnectionSink } from './connection.ts';
import { Connection } from './connection.ts';
import { ANSWER_TIMEOUT_MS, DatagramLayer } from './datagram-layer.ts';
import { TupleIndex } from './tuple-index.ts';

/** Two ends that have nothing to wait for are forgotten after this long without a message; others may be answered late. */
const IDLE_MS = 2_000;
const LATE_MS = 15_000;
const MAX_CONNECTIONS = 20_000;
/** Whose socket talks to more servers than this asks each of them something else: it is a resolver. */
const MAX_ASKED_AT_ONCE = 16;
/** errno -> error.type of a question that will not be answered. */
const ERRORS: Readonly<Record<number, string>> = {
  1: 'not_permitted',
  13: 'not_permitted',
  100: 'unreachable',
  101: 'unreachable',
  111: 'connection_refused',
  112: 'unreachable',
  113: 'unreachable',
};

export interface DatagramCounters {
  readonly losses: MatchLosses;
  evicted: number;
}

interface Exchange {
  readonly connection: Connection;
  readonly layer: DatagramLayer;
  readonly key: string;
  /** Of a client: its socket, which may ask several servers the same. */
  readonly socket: string | undefined;
}

export class Datagrams {
  /** Apart from that of TCP, which has ports of its own. */
  readonly index = new TupleIndex();
  readonly #exchanges = new Map<string, Exchange>();
  readonly #sockets = new Map<string, Set<Exchange>>();
  readonly #protocols: Partial<Record<WireProtocol, DatagramProtocol>> = { dns: new Dns() };
  readonly #sink: ConnectionSink;
  readonly #counters: DatagramCounters;
  readonly #maxConnections: number;
  #lastId = 0;

  constructor(sink: ConnectionSink, counters: DatagramCounters, maxConnections: number = MAX_CONNECTIONS) {
    this.#sink = sink;
    this.#counters = counters;
    this.#maxConnections = maxConnections;
  }

  get size(): number {
    return this.#exchanges.size;
  }

  *connections(): Iterable<Connection> {
    for (const { connection } of this.#exchanges.values()) yield connection;
  }

  take(frame: DatagramFrame): void {
    const { head, atMs, errno } = frame;
    const bytes = Buffer.isBuffer(head) ? head : Buffer.from(head.buffer, head.byteOffset, head.length);
    const protocol = this.#protocols[frame.protocol];
    if (protocol === undefined) return;
    let isClient = frame.role === 'client';
    if (frame.role === 'unknown') {
      // Both ports are the protocol's.
      const message = protocol.read(bytes, 0, bytes.length);
      if (message === undefined) return;
      isClient = (frame.direction === 'send') === (message.flow === REQUEST);
    }
    const { connection, layer } = this.#get(frame, isClient, protocol);
    connection.lastSeenMs = Math.max(connection.lastSeenMs, atMs);
    if (errno !== 0) {
      // What a server could not send counts as sent: its client waits, and tells.
      if (isClient) layer.fail(ERRORS[errno] ?? 'send_failed', atMs);
      return;
    }
    const flow = (frame.direction === 'send') === isClient ? REQUEST : RESPONSE;
    // Ports of clients come again at once: who asks now may be another process.
    if (flow === REQUEST && !isClient) connection.edge = undefined;
    layer.feed(flow, bytes, 0, bytes.length, Math.max(frame.fullLength, bytes.length), atMs);
  }

  /** Payload was lost until `atMs`. Datagrams have no sequence: what is not answered may have been. */
  doubt(atMs: number): void {
    for (const { layer } of this.#exchanges.values()) layer.doubt(atMs);
  }

  tick(nowMs: number): void {
    for (const exchange of this.#exchanges.values()) {
      const { connection, layer } = exchange;
      if (layer.pendingCount > 0) layer.expire(nowMs - ANSWER_TIMEOUT_MS, nowMs);
      if (connection.lastSeenMs < nowMs - (layer.pendingCount > 0 ? LATE_MS : IDLE_MS)) this.#forget(exchange);
    }
  }

  reset(): void {
    this.#exchanges.clear();
    this.#sockets.clear();
    this.index.clear();
  }

  #get(frame: DatagramFrame, isClient: boolean, protocol: DatagramProtocol): Exchange {
    const { tuple, netns, pid } = frame;
    const socket = `${netns}/${pid}/${tuple.localPort}`;
    const key = `${isClient ? 'client' : 'server'} ${socket}>${tuple.remoteAddress}:${tuple.remotePort}`;
    const known = this.#exchanges.get(key);
    if (known === undefined) return this.#open(frame, isClient, protocol, key, isClient ? socket : undefined);
    const { connection } = known;
    // Servers that are bound to all addresses name theirs when they answer.
    if (isWildcard(connection.tuple?.localAddress ?? '') && !isWildcard(tuple.localAddress)) {
      connection.tuple = tuple;
      this.index.add(connection);
    }
    return known;
  }

  #open(
    frame: DatagramFrame,
    isClient: boolean,
    protocol: DatagramProtocol,
    key: string,
    socket: string | undefined,
  ): Exchange {
    if (this.#exchanges.size >= this.#maxConnections) this.#evictOldest();
    const { losses } = this.#counters;
    const connection = new Connection(--this.#lastId, frame.netns, this.#sink, losses);
    const layer = new DatagramLayer(protocol, connection, !isClient, losses, (answered, id, operation) =>
      this.#abandonOthers(socket, answered, id, operation),
    );
    connection.isDatagram = true;
    connection.pid = frame.pid;
    connection.comm = frame.comm;
    connection.cgroupId = frame.cgroupId;
    connection.role = isClient ? 'client' : 'server';
    connection.tuple = frame.tuple;
    connection.established = true;
    connection.handshakeMs = frame.atMs;
    connection.layer7 = layer;
    this.index.add(connection);
    const exchange: Exchange = { connection, layer, key, socket };
    this.#exchanges.set(key, exchange);
    if (socket === undefined) return exchange;
    const others = this.#sockets.get(socket);
    if (others === undefined) this.#sockets.set(socket, new Set([exchange]));
    else others.add(exchange);
    return exchange;
  }

  /** Some ask all their servers at once and take the first answer: the others keep nobody waiting. */
  #abandonOthers(socket: string | undefined, answered: DatagramLayer, id: number, operation: string): void {
    const exchanges = socket === undefined ? undefined : this.#sockets.get(socket);
    if (exchanges === undefined || exchanges.size > MAX_ASKED_AT_ONCE) return;
    for (const { layer } of exchanges) if (layer !== answered) layer.abandon(id, operation);
  }

  #evictOldest(): void {
    const oldest = this.#exchanges.values().next().value;
    if (oldest === undefined) return;
    this.#counters.evicted++;
    this.#forget(oldest);
  }

  #forget(exchange: Exchange): void {
    const { connection, layer, key, socket } = exchange;
    layer.close();
    connection.layer7 = undefined;
    this.#exchanges.delete(key);
    this.index.remove(connection);
    if (socket === undefined) return;
    const others = this.#sockets.get(socket);
    others?.delete(exchange);
    if (others?.size === 0) this.#sockets.delete(socket);
  }
}
