/**
 * A closed window: every record of one environment and window, merged and columnar. Built by ingest, read by detect.
 * Row order inside a table depends on arrival; sums do not (they are exact). Nothing downstream may depend on row order.
 */
import type { ChangeRecord, HealthRecord, LogRecord, SampleRecord } from './records.ts';

/** Names <-> dense ids. Id 0 is the empty string: absent. Ids are local to a process, never published. */
export interface Names {
  readonly size: number;
  id(name: string): number;
  name(id: number): string;
}

/**
 * The identities of call leaves, by leaf id (dense, stable while the directory object stays the same). Columns may be
 * longer than `size`. Name columns hold ids of `Names`.
 */
export interface CallDirectory {
  readonly size: number;
  readonly caller: Uint32Array;
  readonly callee: Uint32Array;
  readonly callerInstance: Uint32Array;
  readonly calleeInstance: Uint32Array;
  readonly callerMachine: Uint32Array;
  readonly calleeMachine: Uint32Array;
  /** 0 client, 1 server. */
  readonly side: Uint32Array;
  readonly protocol: Uint32Array;
  readonly operation: Uint32Array;
  readonly status: Uint32Array;
  readonly errorType: Uint32Array;
  readonly tags: Uint32Array;
  /** Id of the collector that reports the leaf; MANY_COLLECTORS when more than one did. */
  readonly collector: Uint32Array;
}

export const MANY_COLLECTORS = 0xffffffff;

export interface TcpDirectory {
  readonly size: number;
  readonly caller: Uint32Array;
  readonly callee: Uint32Array;
  readonly callerInstance: Uint32Array;
  readonly calleeInstance: Uint32Array;
  readonly callerMachine: Uint32Array;
  readonly calleeMachine: Uint32Array;
  readonly side: Uint32Array;
  /** Port + 1; 0: absent. */
  readonly calleePort: Uint32Array;
  readonly collector: Uint32Array;
}

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
  /** One column per TCP_FIELDS (src/model/columns.ts). NaN: unknown. */
  readonly values: readonly Float64Array[];
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
  readonly callDirectory: CallDirectory;
  readonly tcpDirectory: TcpDirectory;
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
  /** `collector/type` of batches known to be missing (a gap in the sequence numbers), sorted. */
  readonly incomplete: readonly string[];
}
