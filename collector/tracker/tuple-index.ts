/** Finds the other end of a connection when both ends are on this host. */
import { isLoopback, isWildcard } from '../frames/address.ts';
import type { Tuple } from '../frames/types.ts';
import type { Connection } from './connection.ts';

/** Loopback and wildcard addresses mean another thing in each network namespace; all others are taken as one address space. */
function scope(address: string, netns: number): string {
  return isLoopback(address) || isWildcard(address) ? `${netns}/${address}` : address;
}

function key(netns: number, from: string, fromPort: number, to: string, toPort: number): string {
  return `${scope(from, netns)}:${fromPort}>${scope(to, netns)}:${toPort}`;
}

/** Ends of closed connections that are kept for late packets. */
const MAX_ENDED = 50_000;

/**
 * Connections by tuple. The two ends of a connection have mirrored tuples; behind a destination NAT they differ in the
 * server's address, and the client's own address and port, which both see, joins them. That port alone is no proof: a
 * client may use it towards several servers at once, so an end that has a mirror of its own is nobody else's.
 */
export class TupleIndex {
  readonly #exact = new Map<string, Connection>();
  /** Client's address and port -> its ends, and the servers' ends. */
  readonly #clients = new Map<string, Connection[]>();
  readonly #servers = new Map<string, Connection[]>();
  /** In order of their end. */
  #ended: { readonly connection: Connection; readonly untilMs: number }[] = [];
  #firstEnded = 0;

  /** Also after its tuple or role became known: it is then found under them. */
  add(connection: Connection): void {
    const tuple = connection.tuple;
    if (tuple === undefined || tuple.family === 0) return;
    this.remove(connection);
    const exact = key(connection.netns, tuple.localAddress, tuple.localPort, tuple.remoteAddress, tuple.remotePort);
    const client = clientKey(connection);
    this.#exact.set(exact, connection);
    connection.indexed = { exact, client, role: connection.role };
    if (client === undefined) return;
    const ends = connection.role === 'client' ? this.#clients : this.#servers;
    const known = ends.get(client);
    if (known === undefined) ends.set(client, [connection]);
    else known.push(connection);
  }

  remove(connection: Connection): void {
    const { indexed } = connection;
    if (indexed === undefined) return;
    connection.indexed = undefined;
    if (this.#exact.get(indexed.exact) === connection) this.#exact.delete(indexed.exact);
    if (indexed.client === undefined) return;
    const ends = indexed.role === 'client' ? this.#clients : this.#servers;
    const known = ends.get(indexed.client);
    // The oldest one, as a rule: a resolver's socket has thousands.
    const at = known?.indexOf(connection) ?? -1;
    if (known === undefined || at < 0) return;
    if (known.length > 1) known.splice(at, 1);
    else ends.delete(indexed.client);
  }

  /** The connection has ended, but what is told of its packets may still come until `untilMs`. */
  removeLater(connection: Connection, untilMs: number): void {
    if (connection.indexed === undefined) return;
    this.#ended.push({ connection, untilMs });
    if (this.#ended.length - this.#firstEnded > MAX_ENDED) this.#removeFirstEnded();
  }

  /** Connections that ended a moment ago. */
  *ended(): Iterable<Connection> {
    for (let i = this.#firstEnded; i < this.#ended.length; i++) {
      const ended = this.#ended[i];
      if (ended !== undefined) yield ended.connection;
    }
  }

  /** Forgets the ended connections whose time is over. */
  expire(nowMs: number): void {
    while ((this.#ended[this.#firstEnded]?.untilMs ?? Infinity) <= nowMs) this.#removeFirstEnded();
  }

  /** The end at `local` of a connection to `remote`. */
  find(netns: number, tuple: Tuple): Connection | undefined {
    return this.#exact.get(key(netns, tuple.localAddress, tuple.localPort, tuple.remoteAddress, tuple.remotePort));
  }

  /** The client of a namespace that used this port last, where its socket is bound to all addresses and its own is not known. */
  unboundClient(netns: number, family: number, port: number): Connection | undefined {
    return this.#clients.get(`${scope(family === 6 ? '::' : '0.0.0.0', netns)}:${port}`)?.at(-1);
  }

  /** True when the other end is known by the very addresses and ports of this one. */
  hasMirror(connection: Connection): boolean {
    return this.#mirror(connection) !== undefined;
  }

  /** The other end of a connection, undefined when it is not on this host. */
  peer(connection: Connection): Connection | undefined {
    const mirrored = this.#mirror(connection);
    if (mirrored !== undefined) return mirrored === connection ? undefined : mirrored;
    const client = clientKey(connection);
    // Without a handshake there is no other end, whoever else uses that port.
    if (client === undefined || !connection.established) return undefined;
    const ends = (connection.role === 'client' ? this.#servers : this.#clients).get(client);
    return ends?.find(
      (end) => end !== connection && end.established && this.#mirror(end) === undefined && areOne(connection, end),
    );
  }

  clear(): void {
    this.#exact.clear();
    this.#clients.clear();
    this.#servers.clear();
    this.#ended = [];
    this.#firstEnded = 0;
  }

  get size(): number {
    return this.#exact.size;
  }

  #mirror(connection: Connection): Connection | undefined {
    const tuple = connection.tuple;
    if (tuple === undefined) return undefined;
    return this.#exact.get(
      key(connection.netns, tuple.remoteAddress, tuple.remotePort, tuple.localAddress, tuple.localPort),
    );
  }

  #removeFirstEnded(): void {
    const first = this.#ended[this.#firstEnded];
    if (first !== undefined) this.remove(first.connection);
    this.#firstEnded++;
    if (this.#firstEnded < 1024 || this.#firstEnded * 2 < this.#ended.length) return;
    this.#ended = this.#ended.slice(this.#firstEnded);
    this.#firstEnded = 0;
  }
}

/** Clocks are one; what differs is the way of the last segment of the handshake, and its retransmission. */
const HANDSHAKE_EARLIER_MS = 50;
const HANDSHAKE_LATER_MS = 3_000;

/**
 * Whether two ends may be one connection's: the server's handshake was done when the client's was, or a bit later. That of an
 * end that was there already was done before it was found.
 */
function areOne(one: Connection, other: Connection): boolean {
  const [client, server] = one.role === 'client' ? [one, other] : [other, one];
  const later = server.handshakeMs - client.handshakeMs;
  if (later < -HANDSHAKE_EARLIER_MS || later > HANDSHAKE_LATER_MS) return false;
  if (server.handshakeMs - client.discoveredMs > HANDSHAKE_LATER_MS) return false;
  if (client.handshakeMs - server.discoveredMs > HANDSHAKE_EARLIER_MS) return false;
  return !(server.handshakeMs > client.closedMs) && !(client.handshakeMs > server.closedMs);
}

function clientKey(connection: Connection): string | undefined {
  const tuple = connection.tuple;
  if (tuple === undefined) return undefined;
  if (connection.role === 'client') return `${scope(tuple.localAddress, connection.netns)}:${tuple.localPort}`;
  if (connection.role === 'server') return `${scope(tuple.remoteAddress, connection.netns)}:${tuple.remotePort}`;
  return undefined;
}
