/**
 * Telemetry records (DESIGN section 2). One record speaks of one entity or edge, one window, one observing side.
 * These names are also the JSON names on the bus; the protobuf schema is their snake_case form.
 * Every number is a sum over the window unless its name says otherwise. Absent means unknown, never zero.
 */
import type { Histogram } from './histogram.ts';

export const RECORD_TYPES = ['call', 'tcp', 'resource', 'topology', 'change', 'log', 'sample', 'health'] as const;
export type RecordType = (typeof RECORD_TYPES)[number];

export const SIDES = ['client', 'server'] as const;
export type Side = (typeof SIDES)[number];

export type Tags = Readonly<Record<string, string>>;

/**
 * Status of calls that have not ended: `count` of them were in flight at the window's end, began a second before it or
 * earlier and had no answer yet; `durationSumUs` is what they had taken by then. The record of their end counts them again.
 */
export const ACTIVE = 'active';

/** Calls of one edge, seen from one side, of one operation and one outcome. */
export interface CallRecord {
  /** service.name of the calling service; `external` when it could not be named. */
  readonly caller: string;
  readonly callee: string;
  readonly callerInstance?: string;
  readonly calleeInstance?: string;
  readonly callerMachine?: string;
  readonly calleeMachine?: string;
  readonly side: Side;
  /** http, grpc, fastcgi, postgresql, mysql, redis, dns, … */
  readonly protocol: string;
  /** Route template, SQL fingerprint, command: bounded cardinality. */
  readonly operation: string;
  /** HTTP status code, `OK`, `ERR`, SQLSTATE, `none` when no response came, or ACTIVE. */
  readonly status: string;
  readonly count: number;
  /** How many of `count` failed. */
  readonly errors: number;
  /** OpenTelemetry error.type of the failed ones: `500`, `timeout`, `connection_reset`, … */
  readonly errorType?: string;
  readonly durationSumUs?: number;
  readonly durationHistogram?: Histogram;
  readonly requestBytes?: number;
  readonly responseBytes?: number;
  /** zone, version, and the user's own dimensions. */
  readonly tags?: Tags;
}

/** TCP counters of one edge, seen from one side. */
export interface TcpRecord {
  readonly caller: string;
  readonly callee: string;
  readonly callerInstance?: string;
  readonly calleeInstance?: string;
  readonly callerMachine?: string;
  readonly calleeMachine?: string;
  readonly side: Side;
  readonly calleePort?: number;
  readonly segmentsOut?: number;
  readonly segmentsIn?: number;
  readonly bytesOut?: number;
  readonly bytesIn?: number;
  readonly retransmits?: number;
  /** Kernel drop reason -> packets, e.g. NETFILTER_DROP. */
  readonly drops?: Readonly<Record<string, number>>;
  readonly rttSumUs?: number;
  readonly rttCount?: number;
  readonly rttMinUs?: number;
  /** Connections established. */
  readonly connects?: number;
  /** refused | timed_out | unreachable | no_port | reset | other -> connections. */
  readonly connectFailures?: Readonly<Record<string, number>>;
  readonly connectTimeSumUs?: number;
  readonly resetsSent?: number;
  readonly resetsReceived?: number;
  readonly zeroWindows?: number;
  readonly acceptQueueOverflows?: number;
  readonly activeConnections?: number;
  /**
   * Where this side does not know the other end: the client's ends, `10.0.0.5:43210`, of a few of its connections. The
   * other end's collector tells the same ones, and so the two are joined (src/ingest/joins.ts).
   */
  readonly clientEndpoints?: readonly string[];
}

/** Resources of one instance or one machine. Gauges are the window's last value unless named otherwise. */
export interface ResourceRecord {
  readonly entityKind: 'instance' | 'machine';
  readonly entity: string;
  readonly service?: string;
  readonly machine?: string;
  readonly cpuUsedUs?: number;
  /** CPU time the quota allows in the window; absent without a quota. */
  readonly cpuLimitUs?: number;
  readonly cpuThrottledUs?: number;
  readonly cpuThrottledPeriods?: number;
  readonly cpuPeriods?: number;
  readonly cpuCount?: number;
  readonly runQueueDelayUs?: number;
  readonly psiCpuSomeUs?: number;
  readonly psiMemorySomeUs?: number;
  readonly psiIoSomeUs?: number;
  readonly memoryUsedBytes?: number;
  readonly memoryLimitBytes?: number;
  readonly majorFaults?: number;
  readonly oomKills?: number;
  readonly diskReadBytes?: number;
  readonly diskWriteBytes?: number;
  readonly diskIoTimeUs?: number;
  readonly diskOps?: number;
  readonly diskErrors?: number;
  readonly fdUsed?: number;
  readonly fdLimit?: number;
  readonly processCount?: number;
  readonly conntrackCount?: number;
  readonly conntrackMax?: number;
  readonly listenOverflows?: number;
  readonly softirqTimeUs?: number;
  readonly stealTimeUs?: number;
  /** Other gauges or counters of the user, by name with unit suffix. */
  readonly extra?: Readonly<Record<string, number>>;
}

export const TOPOLOGY_RELATIONS = ['calls', 'part_of', 'runs_on'] as const;
export type TopologyRelation = (typeof TOPOLOGY_RELATIONS)[number];

/** calls: service -> service; part_of: instance -> service; runs_on: instance -> machine. */
export interface TopologyRecord {
  readonly relation: TopologyRelation;
  readonly from: string;
  readonly to: string;
  readonly firstSeenMs?: number;
  readonly lastSeenMs?: number;
}

export const CHANGE_KINDS = [
  'process_start',
  'process_exit',
  'image',
  'version',
  'listener_opened',
  'listener_closed',
  'oom_kill',
  'limit_changed',
  'config',
  'other',
] as const;
export type ChangeKind = (typeof CHANGE_KINDS)[number];

export interface ChangeRecord {
  readonly atMs: number;
  readonly change: ChangeKind;
  readonly entityKind: 'service' | 'instance' | 'machine';
  readonly entity: string;
  readonly service?: string;
  readonly machine?: string;
  readonly signal?: number;
  readonly exitCode?: number;
  readonly detail?: Tags;
}

export interface LogRecord {
  readonly instance: string;
  readonly service?: string;
  readonly template: string;
  readonly level: string;
  readonly count: number;
  readonly example?: string;
}

export interface SampleRecord {
  readonly atMs: number;
  readonly caller: string;
  readonly callee: string;
  readonly callerInstance?: string;
  readonly calleeInstance?: string;
  readonly side: Side;
  readonly protocol: string;
  readonly operation: string;
  readonly status: string;
  readonly durationUs: number;
  readonly errorType?: string;
  readonly traceId?: string;
  /** A short readable text: the request line, the statement with its literals removed. */
  readonly summary?: string;
}

export interface ProbeState {
  readonly name: string;
  readonly state: 'attached' | 'missing';
  readonly reason?: string;
}

/** The collector's own state in the window. */
export interface HealthRecord {
  readonly machine: string;
  readonly probes: readonly ProbeState[];
  /** Ring buffer or map -> events lost. */
  readonly lost: Readonly<Record<string, number>>;
  readonly eventsReceived?: number;
  /** Records not produced because a cardinality cap was reached, by type. */
  readonly capped?: Readonly<Record<string, number>>;
  /**
   * Records this collector made for the window, by type, zero too: a reader that has fewer knows that some were lost,
   * and one that has as many that what is not there is zero.
   */
  readonly recordsProduced?: Readonly<Record<string, number>>;
  readonly breaker?: 'closed' | 'shedding_l7' | 'shedding_samples';
  readonly cpuUsedUs?: number;
  readonly memoryUsedBytes?: number;
}

export interface RecordOf {
  readonly call: CallRecord;
  readonly tcp: TcpRecord;
  readonly resource: ResourceRecord;
  readonly topology: TopologyRecord;
  readonly change: ChangeRecord;
  readonly log: LogRecord;
  readonly sample: SampleRecord;
  readonly health: HealthRecord;
}

/** A message on the bus: records of one type from one collector and one window. */
export interface Batch<T extends RecordType = RecordType> {
  readonly schemaVersion: 1;
  readonly type: T;
  /** deployment.environment.name */
  readonly environment: string;
  /** Name of the collector (normally host.name). */
  readonly collector: string;
  readonly windowStartMs: number;
  /** Window length; 5000 when absent in JSON. */
  readonly windowMs: number;
  /** Distinguishes several batches of the same type, collector and window; 0 when absent. */
  readonly sequence: number;
  readonly records: readonly RecordOf[T][];
}

export type AnyBatch = { [T in RecordType]: Batch<T> }[RecordType];
