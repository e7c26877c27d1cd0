/**
 * The evidence of one incident: the same quantities before (baseline) and during it. Built by ingest's series store,
 * read by attribute, demarcate and classify. Sums cover the whole span; divide by the span's seconds for rates.
 */
import type { Anomaly } from './incident.ts';
import type { ChangeRecord, HealthRecord, Side, Tags } from './records.ts';

export interface Span {
  /** Inclusive, epoch ms. */
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
  /** Windows in the span for which telemetry arrived at all. */
  readonly windows: number;
}

/** One leaf of calls: everything that identifies a CallRecord, with sums before and during. */
export interface CallLeaf {
  readonly caller: string;
  readonly callee: string;
  readonly callerInstance?: string;
  readonly calleeInstance?: string;
  readonly callerMachine?: string;
  readonly calleeMachine?: string;
  readonly side: Side;
  readonly protocol: string;
  readonly operation: string;
  readonly status: string;
  readonly errorType?: string;
  readonly tags?: Tags;
  readonly baseline: CallSums;
  readonly current: CallSums;
}

export interface CallSums {
  readonly count: number;
  readonly errors: number;
  /** NaN: not reported. */
  readonly durationSumUs: number;
  /** Sum over windows of squared per-window mean duration deviations is not kept; variance comes from here: sum over windows of (durationSumUs_w)^2 / count_w. NaN: not reported. */
  readonly durationSquareUs2: number;
}

/**
 * The baseline once more, cut into stretches of about equal length, oldest first: what differs between them is noise.
 * A stretch of 0 windows says nothing.
 */
export interface Stretches {
  readonly windows: readonly number[];
  readonly edges: readonly EdgeStretches[];
}

/** Sums of an edge as one side saw it, stretch by stretch. */
export interface EdgeStretches {
  readonly caller: string;
  readonly callee: string;
  readonly side: Side;
  readonly count: ArrayLike<number>;
  readonly errors: ArrayLike<number>;
  /** NaN: not reported. */
  readonly durationSumUs: ArrayLike<number>;
}

/** One metric of an entity or of an edge and side, e.g. retransmits, drops.NETFILTER_DROP, cpuThrottledUs. */
export interface MetricPair {
  /** Field name of the record; map entries are `drops.REASON`, `connectFailures.refused`. */
  readonly metric: string;
  /** Sum per window, mean over the span's windows with a value; NaN: unknown. */
  readonly baselineMean: number;
  /** Robust spread (scaled MAD) of the per-window values; NaN when fewer than 5 windows. */
  readonly baselineSpread: number;
  readonly currentMean: number;
  readonly currentMax: number;
  /** Windows with a value. */
  readonly baselineWindows: number;
  readonly currentWindows: number;
  /** First window (start, ms) in the current span that left the baseline band; absent when none did. */
  readonly onsetMs?: number;
}

export interface TcpEdge {
  readonly caller: string;
  readonly callee: string;
  readonly callerInstance?: string;
  readonly calleeInstance?: string;
  readonly callerMachine?: string;
  readonly calleeMachine?: string;
  readonly side: Side;
  readonly calleePort?: number;
  readonly metrics: readonly MetricPair[];
}

export interface ResourceEntity {
  readonly entityKind: 'instance' | 'machine';
  readonly entity: string;
  readonly service?: string;
  readonly machine?: string;
  readonly metrics: readonly MetricPair[];
}

export interface Topology {
  /** Service -> service. */
  readonly calls: readonly (readonly [caller: string, callee: string])[];
  /** Instance -> service. */
  readonly partOf: readonly (readonly [instance: string, service: string])[];
  /** Instance -> machine. */
  readonly runsOn: readonly (readonly [instance: string, machine: string])[];
}

export interface TelemetryHealth {
  /** Last health record of each collector in the span. */
  readonly collectors: readonly {
    readonly collector: string;
    readonly lastMs: number;
    readonly record: HealthRecord;
  }[];
  /** Events lost during the incident span, by buffer. */
  readonly lost: Readonly<Record<string, number>>;
  readonly eventsReceived: number;
  /** Collectors that reported in the baseline but not during the incident. */
  readonly silentCollectors: readonly string[];
  /** Records known to be lost between collector and engine during the incident: whose, of which type, in how many windows. */
  readonly lostRecords: readonly {
    readonly collector: string;
    readonly type: string;
    readonly windows: number;
    readonly ofWindows: number;
  }[];
}

export interface Comparison {
  readonly environment: string;
  readonly windowMs: number;
  readonly baseline: Span;
  readonly current: Span;
  readonly calls: readonly CallLeaf[];
  /** Absent where nobody kept single windows: noise is unknown then. */
  readonly stretches?: Stretches;
  readonly tcp: readonly TcpEdge[];
  readonly resources: readonly ResourceEntity[];
  readonly topology: Topology;
  /** Changes from a little before the incident to its end. */
  readonly changes: readonly ChangeRecord[];
  readonly anomalies: readonly Anomaly[];
  readonly health: TelemetryHealth;
}
