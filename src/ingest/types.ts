/** What the pipeline sees of ingest. */
import type { CallColumns, TcpColumns } from '../model/columns.ts';
import type { Comparison } from '../model/comparison.ts';
import type { Anomaly } from '../model/incident.ts';
import type { AnyBatch } from '../model/records.ts';
import type { ClosedWindow } from '../model/window.ts';

/** A decoded message: records (JSON, rare types) or columns (the hot path). */
export type DecodedBatch = AnyBatch | CallColumns | TcpColumns;

export interface BatchMeta {
  /** Where the message came from, for error texts: `topic/partition/offset` or a file position. */
  readonly origin?: string;
  /** Time the bus took the message (broker or log timestamp), epoch ms. Part of the input, so replays agree. */
  readonly receivedMs?: number;
  /** Hash of the message's bytes (see `contentHash`); computed from the decoded content when absent. */
  readonly contentHash?: string;
}

export type RejectReason = 'future' | 'past' | 'bad_window';

export interface TakeResult {
  /** What became of the batch itself. `rejected` belongs on the dead-letter topic. */
  readonly outcome: 'accepted' | 'late' | 'duplicate' | 'rejected';
  readonly reason?: RejectReason;
  readonly message?: string;
}

export interface PushResult extends TakeResult {
  /** Windows that closed because of this batch, oldest first. */
  readonly closed: readonly ClosedWindow[];
}

export interface IngestConfig {
  /** Length of a window; null: each environment takes that of its first batch. Other lengths are rejected. */
  readonly windowMs: number | null;
  /** How long a window stays open after the slowest active source passed its end. */
  readonly latenessMs: number;
  /** A source this far behind the newest one no longer holds windows open. */
  readonly idleTimeoutMs: number;
  /** A batch whose window ends this much after `receivedMs` is rejected. */
  readonly futureToleranceMs: number;
  /** Windows kept in full detail at least, and at most (bounded by detailBytes in between). */
  readonly detailWindows: number;
  readonly detailWindowsMax: number;
  readonly detailBytes: number;
  /** One-minute sums kept behind the detail without a gap; behind them half of them, a quarter, … to 16 times the age. */
  readonly minuteBlocks: number;
  /** Leaves up to which a comparison holds everything (half a second); above, what its anomalies touch and lie near. */
  readonly compareWholeLeaves: number;
  /** Who is in no window that is kept, open or in a minute's sums is forgotten every so many windows. */
  readonly forgetEveryWindows: number;
}

export interface IngestCounters {
  readonly batches: number;
  readonly records: number;
  readonly lateBatches: number;
  readonly lateRecords: number;
  readonly duplicateBatches: number;
  readonly rejectedBatches: number;
  readonly windowsClosed: number;
  /** Largest distance seen between a batch's window end and the time it was received: > 0 means a clock ahead. */
  readonly clockSkewMs: Readonly<Record<string, number>>;
}

export interface CompareOptions {
  readonly anomalies?: readonly Anomaly[];
  /** Only windows from here on are held against those before the incident: what grew is not all there before. */
  readonly currentFromMs?: number;
  /** Spans of other incidents: not healthy, left out of the baseline. */
  readonly exclude?: readonly { readonly fromMs: number; readonly toMs: number }[];
}

export interface Ingest {
  /**
   * Takes one decoded batch. Never throws on the content of a batch: what cannot be used is told in `outcome`. Windows that
   * are due because of it are asked for by `next`. Cost: O(rows).
   */
  take(batch: DecodedBatch, meta?: BatchMeta): TakeResult;
  /** Every open window is due (end of a recording). */
  finish(environment?: string): void;
  /**
   * Closes the oldest window that is due; undefined: none is. Until it is asked again, what `compare` knows is as of this
   * window, however many others are due: how many there are depends on the order of batches. Cost: O(rows of the window).
   */
  next(): ClosedWindow | undefined;
  /** `take`, and all that are due at once: for who looks at windows only, and compares nothing in between. */
  push(batch: DecodedBatch, meta?: BatchMeta): PushResult;
  /** `finish`, and all that are due at once. */
  flush(environment?: string): readonly ClosedWindow[];
  /**
   * The evidence of one incident: healthy windows before `incidentStartMs` against [incidentStartMs, end of the window
   * that holds nowMs]. Cost: O(retained rows).
   * @throws {RcaError} RCA_BAD_INPUT when the environment is unknown
   */
  compare(environment: string, incidentStartMs: number, nowMs: number, options?: CompareOptions): Comparison;
  environments(): readonly string[];
  counters(): IngestCounters;
}
