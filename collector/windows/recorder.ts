/** Turns what the tracker reports into sums of windows: resolves the edge, then adds. */
import type { ConnFrame, ConnReason, FlowFrame, TcpTotals } from '../frames/types.ts';
import type { Edge, EdgeResolver } from '../naming/edges.ts';
import type { Connection } from '../tracker/connection.ts';
import type { Call } from '../tracker/layer7.ts';
import type { TrackerSink, TrafficDelta } from '../tracker/tracker.ts';
import { STATS_INTERVAL_MS } from '../tracker/tracker.ts';
import type { TupleIndex } from '../tracker/tuple-index.ts';
import type { WindowAggregator } from './aggregator.ts';
import type { TcpCell } from './cells.ts';
import { increase } from './cells.ts';

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

/** Calls kept until their connection's control event has come. */
const MAX_DEFERRED = 10_000;
const DEFER_MS = 2_000;
const MAX_PAIRS = 20_000;
/** An active open that the application gave up after this long without an answer timed out. */
const ABORT_TIMEOUT_MS = 200;

export class Recorder implements TrackerSink {
  /** Calls of connections that never got a tuple or role. */
  unnamed = 0;
  readonly #aggregator: WindowAggregator;
  readonly #resolver: EdgeResolver;
  readonly #options: Required<RecorderOptions>;
  #deferred: DeferredCall[] = [];
  /** Client's and server's address and the server's port -> edge last resolved for them, by side. */
  readonly #pairs = new Map<string, Edge>();
  index: TupleIndex | undefined = undefined;

  constructor(aggregator: WindowAggregator, resolver: EdgeResolver, options: RecorderOptions = {}) {
    this.#aggregator = aggregator;
    this.#resolver = resolver;
    this.#options = { excludedPorts: new Set(), excludedPids: new Set(), ...options };
  }

  onCall(connection: Connection, call: Call): void {
    if (this.#excluded(connection)) return;
    const edge = this.#resolve(connection, call.endMs);
    if (edge !== undefined) this.#add(connection, edge, call);
    else if (this.#deferred.length < MAX_DEFERRED) this.#deferred.push({ connection, call: { ...call } });
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
  }

  onClosed(): void {
    // The last counters came through onTraffic.
  }

  onTraffic(connection: Connection, delta: TrafficDelta, totals: TcpTotals, atMs: number): void {
    const cell = this.#cell(connection, atMs);
    if (cell === undefined) return;
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
    if (delta.segmentsIn > 0 && totals.minRttUs !== undefined) cell.rttMinUs = Math.min(cell.rttMinUs, totals.minRttUs);
    if (totals.sendWindowBytes === 0 && Number.isNaN(connection.closedMs)) cell.zeroWindows++;
  }

  /** Drops, resets and SYN-ACK retransmissions of packet flows. */
  onFlow(frame: FlowFrame): void {
    const { tuple } = frame;
    if (this.#options.excludedPorts.has(tuple.localPort) || this.#options.excludedPorts.has(tuple.remotePort)) return;
    const edge = frame.kind === 'drop' ? this.#dropEdge(frame) : this.#serverEdge(frame);
    const cell = this.#aggregator.tcp(frame.atMs - STATS_INTERVAL_MS / 2, edge);
    if (cell === undefined) return;
    if (frame.kind === 'drop') increase(cell.drops, frame.reason, frame.count);
    else if (frame.kind === 'reset_sent') cell.resetsSent += frame.count;
    else cell.retransmits += frame.count;
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
      if (cell !== undefined) cell.activeConnections++;
    }
  }

  #add(connection: Connection, edge: Edge, call: Call): void {
    this.#aggregator.addCall(
      call.endMs,
      edge,
      connection.protocolName,
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
      if (this.#pairs.size >= MAX_PAIRS) this.#pairs.clear();
      this.#pairs.set(pair, edge);
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

  #excluded(connection: Connection): boolean {
    const { excludedPorts, excludedPids } = this.#options;
    if (excludedPids.has(connection.pid)) return true;
    const tuple = connection.tuple;
    return tuple !== undefined && (excludedPorts.has(tuple.localPort) || excludedPorts.has(tuple.remotePort));
  }

  /** Edge of a dropped packet, seen from the end in whose namespace it was dropped (the sender's when in neither). */
  #dropEdge(frame: FlowFrame): Edge {
    const { tuple, netns, atMs } = frame;
    const sender = this.index?.find(netns, tuple);
    const receiver = sender === undefined ? this.index?.find(netns, mirror(tuple)) : this.index?.peer(sender);
    const near = receiver?.netns === netns && sender?.netns !== netns ? receiver : (sender ?? receiver);
    const edge = near === undefined ? undefined : this.#resolve(near, atMs);
    if (near !== undefined && edge !== undefined) {
      // Dropped at the other end, whose socket is not there (a filtered SYN): that side saw it.
      const far = near === sender ? tuple.remoteAddress : tuple.localAddress;
      const atFar = near.netns !== netns && this.#resolver.netnsOf(far) === netns;
      return atFar ? this.#resolver.fromSide(edge.side === 'client' ? 'server' : 'client', edge) : edge;
    }
    const toServer = this.#isEndpoint(tuple.remoteAddress, tuple.remotePort, netns)
      ? true
      : this.#isEndpoint(tuple.localAddress, tuple.localPort, netns)
        ? false
        : tuple.remotePort <= tuple.localPort;
    const client = toServer ? tuple.localAddress : tuple.remoteAddress;
    const server = toServer ? tuple.remoteAddress : tuple.localAddress;
    const port = toServer ? tuple.remotePort : tuple.localPort;
    const atServer = this.#resolver.netnsOf(server) === netns && this.#resolver.netnsOf(client) !== netns;
    return this.#byPair(
      atServer ? 'server' : 'client',
      client,
      toServer ? tuple.localPort : tuple.remotePort,
      server,
      port,
      netns,
    );
  }

  #serverEdge(frame: FlowFrame): Edge {
    const { tuple, netns } = frame;
    return this.#byPair('server', tuple.remoteAddress, tuple.remotePort, tuple.localAddress, tuple.localPort, netns);
  }

  #byPair(
    side: 'client' | 'server',
    client: string,
    clientPort: number,
    server: string,
    port: number,
    netns: number,
  ): Edge {
    const known =
      this.#pairs.get(`${side} ${client}>${server}:${port}`) ??
      this.#pairs.get(`${side === 'client' ? 'server' : 'client'} ${client}>${server}:${port}`);
    const caller =
      known === undefined
        ? this.#resolver.byAddress(client, clientPort, netns, false)
        : { service: known.caller, instance: known.callerInstance, machine: known.callerMachine };
    const callee =
      known === undefined
        ? this.#resolver.byAddress(server, port, netns, true)
        : { service: known.callee, instance: known.calleeInstance, machine: known.calleeMachine };
    return this.#resolver.intern(side, caller, callee, port);
  }

  #isEndpoint(address: string, port: number, netns: number): boolean {
    return this.#resolver.isEndpoint(address, port, netns);
  }
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
