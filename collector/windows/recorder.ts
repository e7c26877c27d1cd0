/** Turns what the tracker reports into sums of windows: resolves the edge, then adds. */
import { isWildcard, UNIX_FAMILY } from '../frames/address.ts';
import type { ConnFrame, ConnReason, FlowFrame, ListenerStatsFrame, TcpTotals } from '../frames/types.ts';
import type { Edge, EdgeResolver } from '../naming/edges.ts';
import { EXTERNAL } from '../naming/edges.ts';
import type { Call } from '../tracker/calls.ts';
import type { Connection } from '../tracker/connection.ts';
import type { TrackerSink, TrafficDelta } from '../tracker/tracker.ts';
import { STATS_INTERVAL_MS } from '../tracker/tracker.ts';
import type { TupleIndex } from '../tracker/tuple-index.ts';
import type { WindowAggregator } from './aggregator.ts';
import type { TcpCell } from './cells.ts';
import { increase } from './cells.ts';
import { overflowShares } from './overflows.ts';

export interface RecorderOptions {
  /** Connections from or to these ports are not reported (the bus itself). */
  readonly excludedPorts?: ReadonlySet<number>;
  /** Processes whose connections are not reported (the collector itself). Live: may be added to. */
  readonly excludedPids?: ReadonlySet<number>;
}

interface DeferredCall {
  readonly connection: Connection;
  readonly call: Call;
}

/** Edge last resolved for a pair of addresses; another caller under the same names makes it ambiguous. */
interface Pair {
  readonly edge: Edge;
  readonly version: number;
  readonly isAmbiguous: boolean;
}

/** Calls kept until their connection's control event has come. */
const MAX_DEFERRED = 10_000;
const DEFER_MS = 2_000;
const MAX_OVERFLOWS = 10_000;
const MAX_PAIRS = 20_000;
/** Calls in flight are told from this long on: what is slow for a moment is told when it ends. */
const ACTIVE_FROM_MS = 1_000;
/** From connect on a Unix socket: the listener's queue is full. */
const EAGAIN = 11;
/** An active open that the application gave up after this long without an answer timed out. */
const ABORT_TIMEOUT_MS = 200;

export class Recorder implements TrackerSink {
  /** Calls of connections that never got a tuple or role. */
  unnamed = 0;
  readonly #aggregator: WindowAggregator;
  readonly #resolver: EdgeResolver;
  readonly #options: Required<RecorderOptions>;
  #deferred: DeferredCall[] = [];
  #overflows: ListenerStatsFrame[] = [];
  /** Flows (per interval) whose connection, or which end of it served, nobody knows. */
  unattributed = 0;
  /** Client's and server's address and the server's port -> who was found to call there, by side. */
  readonly #pairs = new Map<string, Pair>();
  index: TupleIndex | undefined = undefined;

  constructor(aggregator: WindowAggregator, resolver: EdgeResolver, options: RecorderOptions = {}) {
    this.#aggregator = aggregator;
    this.#resolver = resolver;
    this.#options = { excludedPorts: new Set(), excludedPids: new Set(), ...options };
  }

  onCall(connection: Connection, call: Call): void {
    if (this.#excluded(connection)) return;
    const edge = this.#resolve(connection, call.endMs);
    // Without a handshake the other end may not have been told when its question is answered.
    const isEarly = connection.isDatagram && !this.#resolver.isJoined(connection);
    if (edge !== undefined && !isEarly) this.#add(connection, edge, call);
    else if (this.#deferred.length < MAX_DEFERRED) this.#deferred.push({ connection, call: { ...call } });
    else if (edge !== undefined) this.#add(connection, edge, call);
    else this.unnamed++;
  }

  onOpened(connection: Connection, frame: ConnFrame): void {
    // Counted with the connection's next event, when the other end is known too.
    const connectUs = connection.role === 'client' && frame.connectNs !== undefined ? frame.connectNs / 1000 : 0;
    connection.opened = { atMs: frame.atMs, connectUs };
  }

  onFailed(connection: Connection, frame: ConnFrame): void {
    const cell = this.#cell(connection, frame.atMs);
    if (cell === undefined) return;
    increase(cell.connectFailures, failureName(frame), 1);
    if (connection.tuple?.family === UNIX_FAMILY && frame.errno === EAGAIN) this.#overflow(connection, frame.atMs);
  }

  /** A Unix listener's full queue is the caller's to tell: its kernel counts nothing. */
  #overflow(connection: Connection, atMs: number): void {
    const edge = this.#resolve(connection, atMs);
    const cell = edge === undefined ? undefined : this.#aggregator.tcp(atMs, this.#resolver.fromSide('server', edge));
    if (cell !== undefined) cell.acceptQueueOverflows++;
  }

  onClosed(): void {
    // The last counters came through onTraffic.
  }

  onTraffic(connection: Connection, delta: TrafficDelta, totals: TcpTotals, atMs: number): void {
    const cell = this.#cell(connection, atMs);
    if (cell === undefined) return;
    this.#tellEndpoint(connection, cell, atMs);
    cell.bytesOut += delta.bytesSent;
    cell.bytesIn += delta.bytesReceived;
    cell.segmentsOut += delta.segmentsOut;
    cell.segmentsIn += delta.segmentsIn;
    cell.retransmits += delta.retransmits;
    cell.resetsSent += delta.resetsSent;
    cell.resetsReceived += delta.resetsReceived;
    // Gauges count where the connection was in use, so that idle ones do not water them down.
    if (delta.segmentsIn > 0 && totals.srttUs !== undefined) {
      cell.rttSumUs += totals.srttUs;
      cell.rttCount++;
    }
    // The smallest of the samples: one a second and connection.
    if (delta.segmentsIn > 0 && totals.lastRttUs !== undefined)
      cell.rttMinUs = Math.min(cell.rttMinUs, totals.lastRttUs);
    // Before the first answer the window is not closed: it is not known.
    const answered = totals.srttUs !== undefined;
    if (answered && totals.sendWindowBytes === 0 && Number.isNaN(connection.closedMs)) cell.zeroWindows++;
  }

  /** Drops, resets and SYN-ACK retransmissions of packet flows. */
  onFlow(frame: FlowFrame): void {
    const { tuple } = frame;
    if (this.#options.excludedPorts.has(tuple.localPort) || this.#options.excludedPorts.has(tuple.remotePort)) return;
    const near = this.#connectionOf(frame);
    if (near !== undefined && this.#excluded(near)) return;
    const edge = (near === undefined ? undefined : this.#edgeAt(near, frame)) ?? this.#edgeByAddresses(frame);
    if (edge === undefined) {
      this.unattributed++;
      return;
    }
    const cell = this.#aggregator.tcp(frame.atMs - STATS_INTERVAL_MS / 2, edge);
    if (cell === undefined) return;
    if (frame.kind === 'drop') increase(cell.drops, frame.reason, frame.count);
    else if (frame.kind === 'reset_sent') cell.resetsSent += frame.count;
    else cell.retransmits += frame.count;
  }

  /** Kept until the connections that waited for the listener are known. */
  onListenerStats(frame: ListenerStatsFrame): void {
    if (this.#options.excludedPorts.has(frame.tuple.localPort) || this.#options.excludedPids.has(frame.pid)) return;
    if (this.#overflows.length < MAX_OVERFLOWS) this.#overflows.push(frame);
    else this.unattributed++;
  }

  /** Gives what listeners lost to the edges to them. */
  settleOverflows(connections: Iterable<Connection>): void {
    const { index } = this;
    if (this.#overflows.length === 0 || index === undefined) return;
    const frames = this.#overflows;
    this.#overflows = [];
    const all = [...connections, ...index.ended()];
    for (const frame of frames) {
      const shares = overflowShares(frame, all, this.#resolver, index, (connection) =>
        this.#excluded(connection) ? undefined : this.#resolve(connection, frame.atMs),
      );
      if (shares.length === 0) this.unattributed++;
      for (const { edge, count } of shares) {
        const cell = this.#aggregator.tcp(frame.atMs - STATS_INTERVAL_MS / 2, edge);
        if (cell !== undefined) cell.acceptQueueOverflows += count;
      }
    }
  }

  /** Adds the calls whose connection has become known, gives up those that waited too long. */
  retryDeferred(nowMs: number): void {
    if (this.#deferred.length === 0) return;
    const waiting = this.#deferred;
    this.#deferred = [];
    for (const { connection, call } of waiting) {
      const edge = this.#resolve(connection, call.endMs);
      if (edge !== undefined) this.#add(connection, edge, call);
      else if (call.endMs > nowMs - DEFER_MS) this.#deferred.push({ connection, call });
      else this.unnamed++;
    }
  }

  /** Open connections per edge, as of now, into the window of `atMs`. */
  countActive(connections: Iterable<Connection>, atMs: number): void {
    for (const connection of connections) {
      if (!Number.isNaN(connection.closedMs) || connection.connecting || connection.tuple === undefined) continue;
      const cell = this.#cell(connection, atMs);
      if (cell === undefined) continue;
      cell.activeConnections++;
      this.#tellEndpoint(connection, cell, atMs);
    }
  }

  /** Calls that wait for their answer at the end of the window, `endMs`. */
  countUnanswered(connections: Iterable<Connection>, endMs: number): void {
    for (const connection of connections) {
      const { layer7 } = connection;
      if (layer7 === undefined || layer7.pendingCount === 0 || !Number.isNaN(connection.closedMs)) continue;
      if (this.#excluded(connection)) continue;
      const edge = this.#resolve(connection, endMs);
      if (edge === undefined) continue;
      layer7.forEachUnanswered(endMs - ACTIVE_FROM_MS, (operation, startMs, protocol) => {
        this.#aggregator.addActive(endMs - 1, edge, protocol, operation, (endMs - startMs) * 1000);
      });
    }
  }

  #add(connection: Connection, edge: Edge, call: Call): void {
    // Datagrams have no counters that would tell it.
    const endpoint = connection.isDatagram ? endpointOf(connection, edge) : undefined;
    if (endpoint !== undefined) this.#aggregator.tcp(call.endMs, edge)?.clientEndpoints.add(endpoint);
    this.#aggregator.addCall(
      call.endMs,
      edge,
      call.protocol,
      call.operation,
      call.status,
      call.errorType,
      call.failed,
      (call.endMs - call.startMs) * 1000,
      call.requestBytes,
      call.responseBytes,
    );
  }

  #resolve(connection: Connection, atMs: number): Edge | undefined {
    const before = connection.edge;
    const edge = this.#resolver.resolve(connection, atMs);
    if (edge !== undefined && connection.edge !== before && connection.tuple !== undefined) {
      const { localAddress, remoteAddress, localPort, remotePort } = connection.tuple;
      const isClient = connection.role === 'client';
      const pair = isClient
        ? `client ${localAddress}>${remoteAddress}:${remotePort}`
        : `server ${remoteAddress}>${localAddress}:${localPort}`;
      this.#learnPair(pair, edge);
    }
    return edge;
  }

  #cell(connection: Connection, atMs: number): TcpCell | undefined {
    if (this.#excluded(connection)) return undefined;
    const edge = this.#resolve(connection, atMs);
    if (edge === undefined) return undefined;
    const { opened } = connection;
    if (opened !== undefined) {
      connection.opened = undefined;
      const cell = this.#aggregator.tcp(opened.atMs, edge);
      if (cell !== undefined) {
        cell.connects++;
        cell.connectTimeSumUs += opened.connectUs;
      }
    }
    return this.#aggregator.tcp(atMs, edge);
  }

  /** The other end is on another host, or nobody's: its collector may know the connection by its client's end. */
  #tellEndpoint(connection: Connection, cell: TcpCell, atMs: number): void {
    const edge = this.#resolve(connection, atMs);
    const endpoint = edge === undefined ? undefined : endpointOf(connection, edge);
    if (endpoint !== undefined) cell.clientEndpoints.add(endpoint);
  }

  #excluded(connection: Connection): boolean {
    const { excludedPorts, excludedPids } = this.#options;
    if (excludedPids.has(connection.pid)) return true;
    const tuple = connection.tuple;
    return tuple !== undefined && (excludedPorts.has(tuple.localPort) || excludedPorts.has(tuple.remotePort));
  }

  /** Names change with the state of knowledge; what differs within one state is two callers. */
  #learnPair(name: string, edge: Edge): void {
    const { version } = this.#resolver;
    const known = this.#pairs.get(name);
    if (known === undefined && this.#pairs.size >= MAX_PAIRS) this.#pairs.clear();
    // An end that is only an address will get its name, or has none.
    if (known !== undefined && known.edge.callerInstance !== undefined && edge.callerInstance === undefined) return;
    const isSame = known === undefined || known.version !== version || known.edge.callerInstance === undefined;
    const isAmbiguous = !isSame && (known.isAmbiguous || !haveSameCaller(known.edge, edge));
    this.#pairs.set(name, { edge, version, isAmbiguous });
  }

  /**
   * The end that tells of a flow: of a dropped packet the one in whose namespace it was dropped (the sender's when in
   * neither), else the one that sent. Only its own record says whose it is: what process runs while a packet is handled
   * has nothing to do with it.
   */
  #connectionOf(frame: FlowFrame): Connection | undefined {
    const { tuple, netns } = frame;
    const sender = this.index?.find(netns, tuple);
    const receiver = sender === undefined ? this.index?.find(netns, mirror(tuple)) : this.index?.peer(sender);
    if (frame.kind !== 'drop') return sender ?? receiver;
    return receiver?.netns === netns && sender?.netns !== netns ? receiver : (sender ?? receiver);
  }

  #edgeAt(near: Connection, frame: FlowFrame): Edge | undefined {
    const edge = this.#resolve(near, frame.atMs);
    if (edge === undefined) return undefined;
    const { tuple, netns } = frame;
    const isSender = near.tuple?.localPort === tuple.localPort && near.tuple.localAddress === tuple.localAddress;
    const other = (): Edge => this.#resolver.fromSide(edge.side === 'client' ? 'server' : 'client', edge);
    // Told by the sender whose own record is not there.
    if (frame.kind !== 'drop') return isSender ? edge : other();
    // Dropped at the other end, whose socket is not there (a filtered SYN): that side saw it.
    const far = isSender ? tuple.remoteAddress : tuple.localAddress;
    return near.netns !== netns && this.#resolver.netnsOf(far) === netns ? other() : edge;
  }

  /** A flow of no connection that is known: by who listens, and who else was seen between these addresses. */
  #edgeByAddresses(frame: FlowFrame): Edge | undefined {
    const { tuple, netns, kind } = frame;
    const role = kind === 'synack_retransmit' ? 'server' : this.#resolver.roleOf(tuple, netns);
    if (role === 'unknown') return undefined;
    const { localAddress, localPort, remoteAddress, remotePort } = role === 'client' ? tuple : mirror(tuple);
    const isAtServer =
      this.#resolver.netnsOf(remoteAddress) === netns && this.#resolver.netnsOf(localAddress) !== netns;
    const side = kind === 'drop' ? (isAtServer ? 'server' : 'client') : role;
    const pair = `${localAddress}>${remoteAddress}:${remotePort}`;
    const known =
      this.#pairs.get(`${side} ${pair}`) ?? this.#pairs.get(`${side === 'client' ? 'server' : 'client'} ${pair}`);
    const caller =
      known === undefined || known.isAmbiguous
        ? this.#resolver.byAddress(localAddress, localPort, netns, false)
        : { service: known.edge.caller, instance: known.edge.callerInstance, machine: known.edge.callerMachine };
    const callee =
      known === undefined
        ? this.#resolver.byAddress(remoteAddress, remotePort, netns, true)
        : { service: known.edge.callee, instance: known.edge.calleeInstance, machine: known.edge.calleeMachine };
    return this.#resolver.intern(side, caller, callee, remotePort);
  }
}

/** The client's end of a connection whose other end is not known here; undefined where it is, or is nobody's to know. */
function endpointOf({ tuple }: Connection, edge: Edge): string | undefined {
  if (tuple === undefined || tuple.family === UNIX_FAMILY) return undefined;
  const isClient = edge.side === 'client';
  const [service, instance] = isClient ? [edge.callee, edge.calleeInstance] : [edge.caller, edge.callerInstance];
  if (service === EXTERNAL || instance !== undefined) return undefined;
  const [address, port] = isClient ? [tuple.localAddress, tuple.localPort] : [tuple.remoteAddress, tuple.remotePort];
  return isWildcard(address) ? undefined : `${address}:${port}`;
}

function haveSameCaller(one: Edge, other: Edge): boolean {
  return one.caller === other.caller && one.callerInstance === other.callerInstance;
}

function mirror(tuple: FlowFrame['tuple']): FlowFrame['tuple'] {
  return {
    family: tuple.family,
    localAddress: tuple.remoteAddress,
    localPort: tuple.remotePort,
    remoteAddress: tuple.localAddress,
    remotePort: tuple.localPort,
  };
}

const FAILURES: Readonly<Record<ConnReason, string>> = {
  none: 'other',
  refused: 'refused',
  timed_out: 'timed_out',
  unreachable: 'unreachable',
  reset: 'reset',
  no_port: 'no_port',
  aborted: 'other',
  other: 'other',
};

/** An application that stops waiting for an answer to its SYN saw a timeout, its own instead of the kernel's. */
function failureName(frame: ConnFrame): string {
  const waited = (frame.connectNs ?? 0) / 1e6;
  if (frame.reason === 'aborted' && (frame.synRetransmits > 0 || waited >= ABORT_TIMEOUT_MS)) return 'timed_out';
  return FAILURES[frame.reason];
}
