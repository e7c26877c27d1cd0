/**
 * The edge check: do the network counters of an edge agree that something is wrong on it, and do all edges of one end
 * share it? Then the end is the culprit, not the link.
 */
import type { Comparison, MetricPair, TcpEdge } from '../model/comparison.ts';
import { HAD_ALREADY } from '../model/drop-reasons.ts';
import type { Observation } from '../model/walk.ts';
import type { CallEdge, System } from './system.ts';

export interface EdgeEvidence {
  /** Connections that have bytes and no segments: a Unix socket, with no network between its ends. */
  readonly isLocal: boolean;
  readonly retransmitRatioBefore: number;
  readonly retransmitRatioNow: number;
  /** Whether more is sent again; and more of what had not arrived yet: the rest came late, that is all. */
  readonly isSentAgain: boolean;
  readonly isLossy: boolean;
  /** Failed connects per second now above the baseline, by reason. */
  readonly refusedPerS: number;
  readonly timedOutPerS: number;
  readonly dropsPerS: number;
  /** Mean round trip now above before; NaN: unknown. */
  readonly rttRiseUs: number;
  readonly observations: readonly Observation[];
  /** Instances of the callee over which the evidence came. */
  readonly calleeInstances: readonly string[];
}

/** Retransmits of a healthy link on a LAN stay below this. */
const LOSSY_RATIO = 0.005;
/** Of the time that is waited, a round trip that takes more of it is the reason. */
export const ON_THE_WAY = 0.2;

export function edgeEvidence(comparison: Comparison, from: string, to: string): EdgeEvidence {
  const rows = comparison.tcp.filter((row) => row.caller === from && row.callee === to);
  const seconds = comparison.windowMs / 1000;
  const segments = total(rows, (metric) => metric === 'segmentsOut');
  const retransmits = total(rows, (metric) => metric === 'retransmits');
  const hadAlready = total(rows, (metric) => metric === `drops.${HAD_ALREADY}`);
  const drops = total(rows, (metric) => metric.startsWith('drops.') && !metric.endsWith('NO_SOCKET'));
  const refused = total(
    rows.filter((row) => row.side === 'client'),
    (metric) => metric === 'connectFailures.refused',
  );
  const timedOut = total(
    rows.filter((row) => row.side === 'client'),
    (metric) => metric === 'connectFailures.timed_out',
  );
  const rttSum = total(rows, (metric) => metric === 'rttSumUs');
  const rttCount = total(rows, (metric) => metric === 'rttCount');
  const rttRiseUs = rttSum.current / rttCount.current - rttSum.baseline / rttCount.baseline;
  const before = segments.baseline > 0 ? retransmits.baseline / segments.baseline : Number.NaN;
  const now = segments.current > 0 ? retransmits.current / segments.current : Number.NaN;
  // Where nothing is sent any more nothing is sent again.
  const lostRatio = (when: 'baseline' | 'current'): number =>
    segments[when] > 0 ? Math.max(0, retransmits[when] - hadAlready[when]) / segments[when] : 0;
  const bytes = total(rows, (metric) => metric === 'bytesOut' || metric === 'bytesIn');
  const isLocal = hasNoSegments(rows) && bytes.baseline + bytes.current > 0;
  const isSentAgain = now - (Number.isNaN(before) ? 0 : before) > LOSSY_RATIO;
  const refusedPerS = Math.max(0, refused.current - refused.baseline) / seconds;
  const timedOutPerS = Math.max(0, timedOut.current - timedOut.baseline) / seconds;
  const dropsPerS = Math.max(0, drops.current - drops.baseline) / seconds;
  const way = `${from} → ${to}`;
  const observations: Observation[] = [];
  if (isSentAgain) {
    observations.push({
      text: `${way}: ${percent(now)} of the segments were sent again (before: ${percent(before)})`,
      metric: 'retransmit_ratio',
      baseline: before,
      current: now,
    });
  }
  if (dropsPerS > 0.2)
    observations.push({
      text: `${way}: the kernel dropped ${dropsPerS.toFixed(1)} packets/s`,
      metric: 'drops_per_s',
      baseline: drops.baseline / seconds,
      current: drops.current / seconds,
    });
  if (refusedPerS > 0)
    observations.push({
      text: `${way}: ${refusedPerS.toFixed(1)} connects/s were refused`,
      metric: 'connect_failures_refused_per_s',
      baseline: refused.baseline / seconds,
      current: refused.current / seconds,
    });
  if (timedOutPerS > 0)
    observations.push({
      text: `${way}: ${timedOutPerS.toFixed(1)} connects/s timed out`,
      metric: 'connect_failures_timed_out_per_s',
      baseline: timedOut.baseline / seconds,
      current: timedOut.current / seconds,
    });
  const calleeInstances = [
    ...new Set(
      rows
        .filter((row) => evident(row.metrics))
        .flatMap((row) => (row.calleeInstance === undefined ? [] : [row.calleeInstance])),
    ),
  ].sort();
  return {
    isLocal,
    retransmitRatioBefore: before,
    retransmitRatioNow: now,
    isSentAgain,
    isLossy: lostRatio('current') - lostRatio('baseline') > LOSSY_RATIO,
    refusedPerS,
    timedOutPerS,
    dropsPerS,
    rttRiseUs,
    observations,
    calleeInstances,
  };
}

/** True when every other edge with traffic into the callee shows the same loss of calls: the callee's end is it. */
export function sharedByAllCallers(system: System, edge: CallEdge, affected: (other: CallEdge) => boolean): boolean {
  const callers = system.callers(edge.to).filter((other) => ((other.client ?? other.server)?.baseline.count ?? 0) > 0);
  return callers.length > 1 && callers.every(affected);
}

/** True when every edge out of the caller that both ends see shows the same, and there are several: the caller's end is it. */
export function sharedByAllCallees(system: System, edge: CallEdge, affected: (other: CallEdge) => boolean): boolean {
  const callees = system.callees(edge.from).filter(({ client, server }) => (client?.baseline.count ?? 0) > 0 && server);
  return callees.length > 1 && callees.every(affected);
}

function total(rows: readonly TcpEdge[], wanted: (metric: string) => boolean): { baseline: number; current: number } {
  const sum = { baseline: 0, current: 0 };
  for (const { metrics } of rows) {
    for (const { metric, baselineMean, currentMean } of metrics) {
      if (!wanted(metric)) continue;
      sum.baseline += Number.isNaN(baselineMean) ? 0 : baselineMean;
      sum.current += Number.isNaN(currentMean) ? 0 : currentMean;
    }
  }
  return sum;
}

/** Segments are counted, and there are none: not the same as not to be told of any. */
function hasNoSegments(rows: readonly TcpEdge[]): boolean {
  const pairs = rows.flatMap(({ metrics }) => metrics.filter(({ metric }) => /^segments(Out|In)$/.test(metric)));
  const values = pairs.flatMap(({ baselineMean, currentMean }) => [baselineMean, currentMean]);
  return values.some((value) => value === 0) && !values.some((value) => value > 0);
}

function evident(metrics: readonly MetricPair[]): boolean {
  return metrics.some(
    ({ metric, baselineMean, currentMean }) =>
      /^(retransmits|drops\.|connectFailures\.)/.test(metric) &&
      currentMean > (Number.isNaN(baselineMean) ? 0 : baselineMean) * 2,
  );
}

function percent(ratio: number): string {
  return Number.isNaN(ratio) ? 'unknown' : `${(ratio * 100).toFixed(ratio < 0.001 ? 3 : 1)} %`;
}
