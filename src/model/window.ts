/**
 * A closed window: every record of one environment and window, merged and columnar. Built by ingest, read by detect.
 * Row order inside a table depends on arrival; sums do not (they are exact). Nothing downstream may depend on row order.
 */
import type { ChangeRecord, HealthRecord, LogRecord, SampleRecord } from './records.ts';

/**
 * Names <-> dense ids. Id 0 is the empty string: absent. Ids are local to a process, never published. While the object is
 * the same one, an id stands for one name; names that nobody uses any more are forgotten, and then there is a new object.
 */
export interface Names {
  readonly size: number;
  id(name: string): number;
  name(id: number): string;
}

/** Positions in the key of a call or tcp leaf; the values are ids of `Names`. */
export const KEY_CALLER = 0;
export const KEY_CALLEE = 1;
export const KEY_CALLER_INSTANCE = 2;
export const KEY_CALLEE_INSTANCE = 3;
export const KEY_CALLER_MACHINE = 4;
export const KEY_CALLEE_MACHINE = 5;
/** Not a name: 0 client, 1 server. */
export const KEY_SIDE = 6;
/** Calls only. */
export const KEY_PROTOCOL = 7;
export const KEY_OPERATION = 8;
export const KEY_STATUS = 9;
export const KEY_ERROR_TYPE = 10;
export const KEY_TAGS = 11;
export const CALL_KEY_WIDTH = 12;
/** Tcp only, not a name: port + 1; 0: absent. */
export const KEY_PORT = 7;
export const TCP_KEY_WIDTH = 8;

/**
 * The identities of leaves, by leaf id: `keys` holds `width` numbers per leaf in the order of the KEY_ constants. Arrays may
 * be longer than `size` and are replaced as they grow. A leaf that nothing refers to any more is forgotten, and its id goes
 * to another: who remembers something by leaf id asks `since` before each window what to remember anew. The leaves of a
 * window stay what they are until the batch after the one that closed it is taken.
 */
export interface LeafDirectory {
  /** Ids are below it. */
  readonly size: number;
  /** Leaves made so far, those that are gone included. */
  readonly made: number;
  readonly width: number;
  readonly keys: Uint32Array;
  /** Of calls: id of the collector that closed windows have the leaf from; MANY_COLLECTORS when it is more than one. */
  readonly collector: Uint32Array;
  /** 0: no closed window had the leaf, an open one has it; which of them do depends on the order of batches. */
  readonly seen: Uint32Array;
  /** Ids of the leaves that were made since `made` was so, and are still there, in the order they were made. */
  since(made: number): Uint32Array;
}

export const MANY_COLLECTORS = 0xffffffff;

export interface CallTable {
  readonly rows: number;
  readonly leaf: Uint32Array;
  readonly count: Float64Array;
  readonly errors: Float64Array;
  /** NaN: not reported. */
  readonly durationSumUs: Float64Array;
}

/** Duration sketches of the window, one row per (caller, callee, side), at scale 3 with HISTOGRAM_BUCKETS buckets. */
export interface HistogramTable {
  readonly rows: number;
  readonly caller: Uint32Array;
  readonly callee: Uint32Array;
  readonly side: Uint8Array;
  /** Buckets of row r are counts[start[r] .. start[r + 1]), the first of them with index first[r]. */
  readonly first: Int32Array;
  readonly start: Uint32Array;
  readonly counts: Float64Array;
}

export interface TcpTable {
  readonly rows: number;
  readonly leaf: Uint32Array;
  /** One column per TCP_FIELDS (src/model/columns.ts); undefined: nobody reported it. NaN: unknown. */
  readonly values: readonly (Float64Array | undefined)[];
  /** 1 when drops (connect failures) were reported at all, so that a missing reason means zero. */
  readonly hasDrops: Uint8Array;
  readonly hasConnectFailures: Uint8Array;
  /** Sparse entries: row, id of the reason, value. */
  readonly dropRow: Uint32Array;
  readonly dropReason: Uint32Array;
  readonly dropValue: Float64Array;
  readonly failureRow: Uint32Array;
  readonly failureReason: Uint32Array;
  readonly failureValue: Float64Array;
}

/** Resources as sparse triples: entity (index into `entities`), metric (name id, e.g. cpuUsedUs), value. */
export interface ResourceTable {
  readonly entities: readonly ResourceIdentity[];
  readonly rows: number;
  readonly entity: Uint32Array;
  readonly metric: Uint32Array;
  readonly value: Float64Array;
}

export interface ResourceIdentity {
  readonly entityKind: 'instance' | 'machine';
  readonly entity: string;
  readonly service?: string;
  readonly machine?: string;
  readonly collector: string;
}

export interface CollectorHealth {
  readonly collector: string;
  readonly record: HealthRecord;
}

export interface ClosedWindow {
  readonly environment: string;
  readonly startMs: number;
  readonly windowMs: number;
  readonly names: Names;
  readonly callDirectory: LeafDirectory;
  readonly tcpDirectory: LeafDirectory;
  readonly calls: CallTable;
  readonly histograms: HistogramTable;
  readonly tcp: TcpTable;
  readonly resources: ResourceTable;
  /** Relations first seen or confirmed in this window, sorted. */
  readonly topology: readonly (readonly [relation: string, from: string, to: string])[];
  readonly changes: readonly ChangeRecord[];
  readonly health: readonly CollectorHealth[];
  readonly logs: readonly LogRecord[];
  readonly samples: readonly SampleRecord[];
  /** Collectors from which anything arrived for this window, sorted. Others are unknown, not zero. */
  readonly collectors: readonly string[];
  /** `collector/type` of records known to be missing (src/ingest/arrivals.ts), sorted. */
  readonly incomplete: readonly string[];
}

/** An entry of `incomplete`; names of collectors may hold slashes, types do not. */
export function splitIncomplete(entry: string): { readonly collector: string; readonly type: string } {
  const slash = entry.lastIndexOf('/');
  return { collector: entry.slice(0, slash), type: entry.slice(slash + 1) };
}

/** Collectors whose records of a type are known to be missing. */
export function incompleteCollectors(incomplete: readonly string[], type: string): string[] {
  return incomplete
    .map(splitIncomplete)
    .filter((entry) => entry.type === type)
    .map(({ collector }) => collector);
}
