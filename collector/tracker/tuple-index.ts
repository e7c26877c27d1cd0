/** Finds the other end of a connection when both ends are on this host. */
import type { Tuple } from '../frames/types.ts';
import type { Connection } from './connection.ts';

/** Loopback addresses mean another thing in each network namespace; all others are taken as one address space. */
function scope(address: string, netns: number): string {
  return address.startsWith('127.') || address === '::1' ? `${netns}/${address}` : address;
}

function key(netns: number, from: string, fromPort: number, to: string, toPort: number): string {
  return `${scope(from, netns)}:${fromPort}>${scope(to, netns)}:${toPort}`;
}

/**
 * Connections by tuple. The two ends of a connection have mirrored tuples; behind a destination NAT they differ in the
 * server's address, and the client's own address and port, which both see, joins them.
 */
export class TupleIndex {
  readonly #exact = new Map<string, Connection>();
  /** Client's address and port -> its end, and the server's end. */
  readonly #clients = new Map<string, Connection>();
  readonly #servers = new Map<string, Connection>();

  add(connection: Connection): void {
    const tuple = connection.tuple;
    if (tuple === undefined || tuple.family === 0) return;
    this.#exact.set(
      key(connection.netns, tuple.localAddress, tuple.localPort, tuple.remoteAddress, tuple.remotePort),
      connection,
    );
    const client = clientKey(connection);
    if (client !== undefined) (connection.role === 'client' ? this.#clients : this.#servers).set(client, connection);
  }

  remove(connection: Connection): void {
    const tuple = connection.tuple;
    if (tuple === undefined || tuple.family === 0) return;
    drop(
      this.#exact,
      key(connection.netns, tuple.localAddress, tuple.localPort, tuple.remoteAddress, tuple.remotePort),
      connection,
    );
    const client = clientKey(connection);
    if (client === undefined) return;
    drop(this.#clients, client, connection);
    drop(this.#servers, client, connection);
  }

  /** The end at `local` of a connection to `remote`. */
  find(netns: number, tuple: Tuple): Connection | undefined {
    return this.#exact.get(key(netns, tuple.localAddress, tuple.localPort, tuple.remoteAddress, tuple.remotePort));
  }

  /** The other end of a connection, undefined when it is not on this host. */
  peer(connection: Connection): Connection | undefined {
    const tuple = connection.tuple;
    if (tuple === undefined) return undefined;
    const mirrored = this.#exact.get(
      key(connection.netns, tuple.remoteAddress, tuple.remotePort, tuple.localAddress, tuple.localPort),
    );
    if (mirrored !== undefined) return mirrored === connection ? undefined : mirrored;
    const client = clientKey(connection);
    if (client === undefined) return undefined;
    const other = (connection.role === 'client' ? this.#servers : this.#clients).get(client);
    return other === connection ? undefined : other;
  }

  clear(): void {
    this.#exact.clear();
    this.#clients.clear();
    this.#servers.clear();
  }

  get size(): number {
    return this.#exact.size;
  }
}

function clientKey(connection: Connection): string | undefined {
  const tuple = connection.tuple;
  if (tuple === undefined) return undefined;
  if (connection.role === 'client') return `${scope(tuple.localAddress, connection.netns)}:${tuple.localPort}`;
  if (connection.role === 'server') return `${scope(tuple.remoteAddress, connection.netns)}:${tuple.remotePort}`;
  return undefined;
}

function drop(map: Map<string, Connection>, name: string, connection: Connection): void {
  if (map.get(name) === connection) map.delete(name);
}
