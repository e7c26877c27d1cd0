/**
 * Event-time windows: calls, TCP counters and changes are summed into the window their time lies in and come out as
 * records when the window is flushed. Bounded: operations per edge and cells per window are capped and counted. What
 * comes after its window was flushed is counted as late and goes into the oldest open window, so that sums stay exact.
 */
import type { CallRecord, ChangeRecord, TcpRecord, TopologyRecord } from '../../src/model/records.ts';
import { ACTIVE } from '../../src/model/records.ts';
import { DEFAULT_WINDOW_MS } from '../../src/model/units.ts';
import type { Edge } from '../naming/edges.ts';
import { CallCell, TcpCell } from './cells.ts';
import { Topology } from './topology.ts';

export interface AggregatorOptions {
  readonly windowMs?: number;
  /** Further operations of an edge are summed under `other`. */
  readonly maxOperationsPerEdge?: number;
  /** Further call cells of a window are dropped and counted. */
  readonly maxCallCells?: number;
  readonly maxTcpCells?: number;
  readonly maxChanges?: number;
}

export interface WindowRecords {
  readonly windowStartMs: number;
  readonly windowMs: number;
  readonly calls: readonly CallRecord[];
  readonly tcp: readonly TcpRecord[];
  readonly topology: readonly TopologyRecord[];
  readonly changes: readonly ChangeRecord[];
  /** Records or events not produced because of a cap, by what. */
  readonly capped: Readonly<Record<string, number>>;
}

interface EdgeCalls {
  readonly edge: Edge;
  /** protocol -> operation -> cells by outcome */
  readonly protocols: Map<string, Map<string, CallCell[]>>;
  operations: number;
}

interface Window {
  readonly startMs: number;
  readonly calls: Map<number, EdgeCalls>;
  readonly tcp: Map<number, { readonly edge: Edge; readonly cell: TcpCell }>;
  readonly changes: ChangeRecord[];
  readonly capped: Map<string, number>;
  cells: number;
}

export const OTHER_OPERATION = 'other';
/** Open windows kept at once; events further ahead than that have a broken clock. */
const MAX_OPEN_WINDOWS = 16;

export class WindowAggregator {
  readonly windowMs: number;
  /** Events that came after their window was flushed. */
  late = 0;
  /** Listeners are watched: an edge without accept queue overflows has none. */
  knowsOverflows = false;
  readonly #options: Required<AggregatorOptions>;
  readonly #windows = new Map<number, Window>();
  readonly #topology = new Topology();
  #flushedUntilMs = -Infinity;
  #last: Window | undefined = undefined;

  constructor(options: AggregatorOptions = {}) {
    this.#options = {
      windowMs: DEFAULT_WINDOW_MS,
      maxOperationsPerEdge: 200,
      maxCallCells: 20_000,
      maxTcpCells: 20_000,
      maxChanges: 1_000,
      ...options,
    };
    this.windowMs = this.#options.windowMs;
  }

  /** Windows are flushed from this one on, empty ones too; what is older is late. */
  begin(startMs: number): void {
    this.#flushedUntilMs = startMs;
  }

  /** One finished call; the window is that of its end. */
  addCall(
    atMs: number,
    edge: Edge,
    protocol: string,
    operation: string,
    status: string,
    errorType: string | undefined,
    failed: boolean,
    durationUs: number,
    requestBytes: number,
    responseBytes: number,
  ): void {
    const window = this.#window(atMs);
    const cell = this.#cell(window, edge, protocol, operation, status, errorType);
    if (cell === undefined) count(window.capped, 'call');
    else cell.add(durationUs, failed, requestBytes, responseBytes);
  }

  /** A call that is in flight at the end of the window of `atMs`. */
  addActive(atMs: number, edge: Edge, protocol: string, operation: string, durationUs: number): void {
    const window = this.#window(atMs);
    const cell = this.#cell(window, edge, protocol, operation, ACTIVE, undefined);
    if (cell === undefined) count(window.capped, 'call');
    else cell.addActive(durationUs);
  }

  /** The TCP counters of an edge in the window of `atMs`; undefined when the cap is reached (counted). */
  tcp(atMs: number, edge: Edge): TcpCell | undefined {
    const window = this.#window(atMs);
    let entry = window.tcp.get(edge.id);
    if (entry === undefined) {
      if (window.tcp.size >= this.#options.maxTcpCells) {
        count(window.capped, 'tcp');
        return undefined;
      }
      entry = { edge, cell: new TcpCell() };
      window.tcp.set(edge.id, entry);
    }
    return entry.cell;
  }

  addChange(change: ChangeRecord): void {
    const window = this.#window(change.atMs);
    if (window.changes.length < this.#options.maxChanges) window.changes.push(change);
    else count(window.capped, 'change');
  }

  /** Start of the oldest window that is not flushed and ends at or before `untilMs`, in order; also empty ones. */
  due(untilMs: number): number | undefined {
    const first = this.#flushedUntilMs === -Infinity ? this.#oldest() : this.#flushedUntilMs;
    return first !== undefined && first + this.windowMs <= untilMs ? first : undefined;
  }

  /** Ends the window that begins at `startMs` and returns its records, in a stable order. */
  flush(startMs: number): WindowRecords {
    const window = this.#windows.get(startMs) ?? emptyWindow(startMs);
    this.#windows.delete(startMs);
    if (this.#last === window) this.#last = undefined;
    this.#flushedUntilMs = startMs + this.windowMs;
    const calls: CallRecord[] = [];
    const edges = new Set<Edge>();
    for (const { edge, protocols } of window.calls.values()) {
      edges.add(edge);
      for (const [protocol, operations] of protocols) {
        for (const [operation, cells] of operations) {
          for (const cell of cells) calls.push(cell.record(edge, protocol, operation));
        }
      }
    }
    const tcp: TcpRecord[] = [];
    for (const { edge, cell } of window.tcp.values()) {
      edges.add(edge);
      tcp.push(cell.record(edge, this.knowsOverflows));
    }
    return {
      windowStartMs: startMs,
      windowMs: this.windowMs,
      calls,
      tcp,
      topology: this.#topology.records(edges, startMs, startMs + this.windowMs),
      changes: window.changes.sort((a, b) => a.atMs - b.atMs),
      capped: Object.fromEntries(window.capped),
    };
  }

  #oldest(): number | undefined {
    let oldest: number | undefined;
    for (const start of this.#windows.keys()) if (oldest === undefined || start < oldest) oldest = start;
    return oldest;
  }

  #window(atMs: number): Window {
    let start = Math.floor(atMs / this.windowMs) * this.windowMs;
    if (this.#last !== undefined && this.#last.startMs === start) return this.#last;
    if (start < this.#flushedUntilMs) {
      this.late++;
      start = this.#flushedUntilMs;
    }
    let window = this.#windows.get(start);
    if (window === undefined) {
      if (this.#windows.size >= MAX_OPEN_WINDOWS) return this.#windows.get(this.#oldest() ?? start)!;
      window = emptyWindow(start);
      this.#windows.set(start, window);
    }
    this.#last = window;
    return window;
  }

  #cell(
    window: Window,
    edge: Edge,
    protocol: string,
    operation: string,
    status: string,
    errorType: string | undefined,
  ): CallCell | undefined {
    let calls = window.calls.get(edge.id);
    if (calls === undefined) {
      calls = { edge, protocols: new Map(), operations: 0 };
      window.calls.set(edge.id, calls);
    }
    let operations = calls.protocols.get(protocol);
    if (operations === undefined) {
      operations = new Map();
      calls.protocols.set(protocol, operations);
    }
    let cells = operations.get(operation);
    if (cells === undefined) {
      let name = operation;
      if (calls.operations >= this.#options.maxOperationsPerEdge) {
        name = OTHER_OPERATION;
        count(window.capped, 'operation');
      }
      cells = operations.get(name);
      if (cells === undefined) {
        cells = [];
        operations.set(name, cells);
        calls.operations++;
      }
    }
    for (const cell of cells) if (cell.status === status && cell.errorType === errorType) return cell;
    if (window.cells >= this.#options.maxCallCells) return undefined;
    window.cells++;
    const cell = new CallCell(status, errorType);
    cells.push(cell);
    return cell;
  }
}

function emptyWindow(startMs: number): Window {
  return { startMs, calls: new Map(), tcp: new Map(), changes: [], capped: new Map(), cells: 0 };
}

function count(map: Map<string, number>, name: string): void {
  map.set(name, (map.get(name) ?? 0) + 1);
}
