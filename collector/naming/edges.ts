/** Which edge a connection belongs to: both ends named, the remote one joined by tuple or by address. */
import type { Side } from '../../src/model/records.ts';
import { isLoopback, isUnix, isWildcard, unixClientPid } from '../frames/address.ts';
import type { Tuple } from '../frames/types.ts';
import type { Connection, ConnectionRole } from '../tracker/connection.ts';
import type { TupleIndex } from '../tracker/tuple-index.ts';
import type { Identity, Namer } from './namer.ts';
import type { PortRange } from './ports.ts';
import { isEphemeral } from './ports.ts';

/** Interned: the same ends and side are the same object. */
export interface Edge {
  readonly id: number;
  readonly side: Side;
  readonly caller: string;
  readonly callee: string;
  readonly callerInstance: string | undefined;
  readonly calleeInstance: string | undefined;
  readonly callerMachine: string | undefined;
  readonly calleeMachine: string | undefined;
  readonly calleePort: number;
}

interface End {
  readonly service: string;
  readonly instance?: string | undefined;
  readonly machine?: string | undefined;
}

export const EXTERNAL = 'external';
/** A remote end that was not found is looked for at each of the first uses, then at most this often. */
const EAGER_ATTEMPTS = 10;
const RETRY_MS = 500;
/** Addresses that may stand as names of unknown ends. */
const MAX_ADDRESS_NAMES = 2_000;
const MAX_EDGES = 100_000;

/** RFC 1918, carrier-grade NAT, link-local, loopback, unique local, Unix sockets. */
export function isPrivate(address: string): boolean {
  if (isUnix(address)) return true;
  if (address.includes(':')) return /^(::1$|f[cd]|fe[89ab])/.test(address);
  return /^(10|127)\.|^192\.168\.|^169\.254\.|^172\.(1[6-9]|2\d|3[01])\.|^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./.test(
    address,
  );
}

interface Cached {
  readonly edge: Edge;
  /** The remote end is not named: look again at this time. */
  readonly retryAtMs: number;
  readonly attempts: number;
}

export class EdgeResolver {
  readonly #namer: Namer;
  readonly #index: TupleIndex;
  readonly #datagrams: TupleIndex;
  readonly #edges = new Map<string, Edge>();
  readonly #addressNames = new Set<string>();
  #nextId = 0;
  /** Unknown ends that became `external` because too many addresses were named already. */
  capped = 0;
  readonly #ephemeral: PortRange;

  /**
   * @param ephemeral  ports the kernel gives to clients
   * @param datagrams  the index of exchanges of datagrams
   */
  constructor(namer: Namer, index: TupleIndex, ephemeral: PortRange, datagrams: TupleIndex) {
    this.#namer = namer;
    this.#index = index;
    this.#datagrams = datagrams;
    this.#ephemeral = ephemeral;
  }

  /** The edge of a connection; undefined while its tuple or role is not known. Cached on the connection. */
  resolve(connection: Connection, nowMs: number): Edge | undefined {
    const cached = connection.edge as Cached | undefined;
    if (cached !== undefined && connection.edgeVersion === this.#namer.version && nowMs < cached.retryAtMs) {
      return cached.edge;
    }
    const tuple = connection.tuple;
    if (tuple === undefined) return undefined;
    this.#namer.learnAddress(tuple.localAddress, connection.netns);
    if (connection.role === 'unknown') this.#inferRole(connection, tuple);
    if (connection.role === 'unknown') return undefined;
    const own = this.#ownEnd(connection, tuple);
    const isClient = connection.role === 'client';
    const index = connection.isDatagram ? this.#datagrams : this.#index;
    if (connection.isDatagram && connection.role === 'server') this.#learnClient(connection, tuple);
    const peer = index.peer(connection);
    const joined = peer === undefined ? this.#byAddress(connection) : this.own(peer);
    const other = joined ?? this.#unknown(connection);
    const edge = isClient
      ? this.intern('client', own, other, tuple.remotePort)
      : this.intern('server', other, own, tuple.localPort);
    const attempts = (cached?.attempts ?? 0) + 1;
    const again = attempts < EAGER_ATTEMPTS ? -Infinity : nowMs + RETRY_MS;
    // Joined by the client's port alone, the true other end may still become known.
    const isSure = joined !== undefined && (peer === undefined || index.hasMirror(connection));
    connection.edge = { edge, attempts, retryAtMs: isSure ? Infinity : again } satisfies Cached;
    connection.edgeVersion = this.#namer.version;
    return edge;
  }

  /** Whether both ends of a connection were found when its edge was resolved last. */
  isJoined(connection: Connection): boolean {
    return (connection.edge as Cached | undefined)?.retryAtMs === Infinity;
  }

  /** Rises whenever a name may have changed. */
  get version(): number {
    return this.#namer.version;
  }

  /** Identity of the connection's own end; undefined when nothing tells it: no listener, no owner. */
  own(connection: Connection): Identity | undefined {
    const { tuple, netns, pid, comm } = connection;
    if (connection.role === 'server' && tuple !== undefined) {
      const pooled = this.#namer.findPooled(pid, netns);
      if (pooled !== undefined) {
        this.#namer.learnPool(tuple.localAddress, tuple.localPort, netns, pooled);
        return pooled;
      }
      const listener = this.#namer.endpoint(tuple.localAddress, tuple.localPort, netns, netns);
      if (listener !== undefined) return listener;
    }
    // Sockets outlive their process (what it sent is still retransmitted): they keep the name it had.
    const found = this.#namer.findProcess(pid, netns) ?? (connection.owner as Identity | undefined);
    if (found !== undefined) {
      connection.owner = found;
      return found;
    }
    return pid === 0 && comm === '' ? undefined : this.#namer.process(pid, netns, comm);
  }

  /**
   * Which end of a flow serves, where neither end's record tells: the one that is known to listen, else the one whose
   * port is not of those the kernel gives to clients, else the one with the lower port.
   *
   * @param netns  namespace in which the flow was seen
   * @returns the role of the local end; `unknown` when the callee's port would be a client's
   */
  roleOf(tuple: Tuple, netns: number): ConnectionRole {
    const local = this.isEndpoint(tuple.localAddress, tuple.localPort, netns);
    const remote = this.isEndpoint(tuple.remoteAddress, tuple.remotePort, netns);
    if (local !== remote) return local ? 'server' : 'client';
    const localEphemeral = isEphemeral(this.#ephemeral, tuple.localPort);
    const remoteEphemeral = isEphemeral(this.#ephemeral, tuple.remotePort);
    if (localEphemeral !== remoteEphemeral) return remoteEphemeral ? 'server' : 'client';
    if (localEphemeral || tuple.localPort === tuple.remotePort) return 'unknown';
    return tuple.localPort < tuple.remotePort ? 'server' : 'client';
  }

  /** True when something is known to listen there. */
  isEndpoint(address: string, port: number, netns: number | undefined): boolean {
    return this.#namer.endpoint(address, port, netns) !== undefined;
  }

  /** The network namespace an address belongs to, when known. */
  netnsOf(address: string): number | undefined {
    return this.#namer.netnsOf(address);
  }

  /** An end by its address: listener or naming file, else machine, else the address. */
  byAddress(address: string, port: number, netns: number | undefined, isCallee: boolean): End {
    const known = this.#namer.endpoint(address, port, netns);
    return known ?? this.#named(address, isCallee ? port : undefined);
  }

  /** The edge of a listener's callers that nobody knows; undefined when the listener has no name. */
  listenerEdge(tuple: Tuple, netns: number, pid: number): Edge | undefined {
    const callee =
      this.#namer.endpoint(tuple.localAddress, tuple.localPort, netns, netns) ?? this.#namer.findProcess(pid, netns);
    return callee === undefined ? undefined : this.intern('server', { service: EXTERNAL }, callee, tuple.localPort);
  }

  /** The same edge as the other side sees it. */
  fromSide(side: Side, edge: Edge): Edge {
    const caller = { service: edge.caller, instance: edge.callerInstance, machine: edge.callerMachine };
    const callee = { service: edge.callee, instance: edge.calleeInstance, machine: edge.calleeMachine };
    return this.intern(side, caller, callee, edge.calleePort);
  }

  /** The one object for this side, these ends and port. */
  intern(side: Side, caller: End, callee: End, calleePort: number): Edge {
    const key = `${side}\0${caller.service}\0${callee.service}\0${caller.instance ?? ''}\0${callee.instance ?? ''}\0${caller.machine ?? ''}\0${callee.machine ?? ''}\0${calleePort}`;
    const known = this.#edges.get(key);
    if (known !== undefined) return known;
    if (this.#edges.size >= MAX_EDGES) this.#edges.clear();
    const edge: Edge = {
      id: this.#nextId++,
      side,
      caller: caller.service,
      callee: callee.service,
      callerInstance: caller.instance,
      calleeInstance: callee.instance,
      callerMachine: caller.machine,
      calleeMachine: callee.machine,
      calleePort,
    };
    this.#edges.set(key, edge);
    return edge;
  }

  /** A connection older than the collector whose bytes have not told. */
  #inferRole(connection: Connection, tuple: Tuple): void {
    const role = this.roleOf(tuple, connection.netns);
    if (role === 'unknown') return;
    connection.role = role;
    this.#index.add(connection);
  }

  /** A client whose socket is bound to all addresses: who answers it knows which one it uses. */
  #learnClient({ netns }: Connection, { family, remoteAddress, remotePort }: Tuple): void {
    const where = isLoopback(remoteAddress) ? netns : this.#namer.netnsOf(remoteAddress);
    if (where === undefined) return;
    const client = this.#datagrams.unboundClient(where, family, remotePort);
    if (client?.tuple === undefined || !isWildcard(client.tuple.localAddress)) return;
    client.tuple = { ...client.tuple, localAddress: remoteAddress };
    this.#datagrams.add(client);
  }

  #ownEnd(connection: Connection, tuple: Tuple): End {
    const own = this.own(connection);
    if (own !== undefined) return own;
    const named = this.#named(tuple.localAddress, connection.role === 'server' ? tuple.localPort : undefined);
    return { ...named, machine: this.#namer.machine(connection.netns) };
  }

  #byAddress(connection: Connection): End | undefined {
    if (connection.tuple === undefined) return undefined;
    // Who connected over a Unix socket and has gone since, while it waited to be accepted.
    const pid = connection.role === 'server' ? unixClientPid(connection.tuple.remoteAddress) : undefined;
    if (pid !== undefined) return this.#namer.findProcess(pid, connection.netns);
    if (connection.role !== 'client') return undefined;
    return this.#namer.endpoint(connection.tuple.remoteAddress, connection.tuple.remotePort, connection.netns);
  }

  #unknown(connection: Connection): End {
    const tuple = connection.tuple;
    if (tuple === undefined) return { service: EXTERNAL };
    return this.#named(tuple.remoteAddress, connection.role === 'client' ? tuple.remotePort : undefined);
  }

  /** Private addresses name themselves (a service of another host), up to a bound; all others are `external`. */
  #named(address: string, port: number | undefined): End {
    const machine = this.#namer.machineByAddress(address);
    if (!isPrivate(address) || unixClientPid(address) !== undefined) return { service: EXTERNAL, machine };
    const name = port === undefined ? address : `${address}:${port}`;
    if (!this.#addressNames.has(name)) {
      if (this.#addressNames.size >= MAX_ADDRESS_NAMES) {
        this.capped++;
        return { service: EXTERNAL, machine };
      }
      this.#addressNames.add(name);
    }
    return { service: name, machine };
  }
}
