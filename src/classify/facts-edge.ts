/** Facts of the network: TCP counters and calls over the suspect's edges. */
import type { CallLeaf, CallSums, Comparison, MetricPair } from '../model/comparison.ts';
import { HAD_ALREADY } from '../model/drop-reasons.ts';
import { compareNames } from '../model/entity.ts';
import { isGivenUp } from '../model/error-types.ts';
import type { Side } from '../model/records.ts';
import { ACTIVE } from '../model/records.ts';
import type { FactSheet } from './fact-sheet.ts';
import { setFact } from './fact-sheet.ts';
import type { Pair } from './metric-sum.ts';
import {
  addPairs,
  earliest,
  find,
  known,
  minus,
  over,
  plus,
  sumOf,
  sumOfMap,
  sumWithoutBusiest,
  times,
  totalRiseSigma,
} from './metric-sum.ts';
import type { Scope } from './scope.ts';

type Lists = readonly (readonly MetricPair[])[];

/** Error types that speak of the connection, not of the application behind it. */
const CONNECTION_ERRORS =
  /^(timeout|timed_out|connect.*|connection.*|refused|reset|econn.*|epipe|broken_pipe|no_response|none|closed|eof|unreachable|etimedout|ehostunreach)$/i;

export const FAILURES = ['refused', 'timed_out', 'unreachable', 'no_port', 'reset', 'other'];

/**
 * True when every collector has such a probe (or its fallback) attached, so that what it counts and did not report is
 * zero; false when one has not, or when no health record came: then it is unknown.
 */
export function probeAttached(scope: Scope, name: RegExp): boolean {
  const { collectors } = scope.comparison.health;
  return (
    collectors.length > 0 &&
    collectors.every(({ record }) => record.probes.some((p) => name.test(p.name) && p.state === 'attached'))
  );
}

/** The protocol in which names are looked up. */
export const NAME_LOOKUP = 'dns';

export function edgeFacts(scope: Scope, sheet: FactSheet): void {
  const windowSeconds = scope.comparison.windowMs / 1000;
  const lists = scope.tcp.map((row) => row.metrics);
  const client = scope.tcp.filter((row) => row.side === 'client').map((row) => row.metrics);
  const perSecond = (pair: Pair): number | null => times(minus(pair.current, pair.baseline), 1 / windowSeconds);

  const segments = sumOf(lists, 'segmentsOut');
  const retransmits = sumOf(lists, 'retransmits');
  const ratio = over(retransmits.current, segments.current);
  const ratioBefore = over(retransmits.baseline, segments.baseline);
  setFact(sheet, 'edge.retransmit_ratio', ratio, retransmits.onsetMs);
  setFact(sheet, 'edge.retransmit_ratio_baseline', ratioBefore);
  setFact(sheet, 'edge.retransmit_ratio_delta', minus(ratio, ratioBefore), retransmits.onsetMs);
  const sigma = totalRiseSigma(retransmits, scope.comparison.current.windows, scope.comparison.baseline.windows);
  setFact(sheet, 'edge.retransmits_rise_sigma', sigma, retransmits.onsetMs);

  dropFacts(scope, sheet, lists, segments, perSecond);
  spuriousFact(sheet, lists, retransmits, perSecond);
  connectFacts(scope, sheet, client.length > 0 ? client : lists, perSecond);

  const rtt = meanPair(sumOf(lists, 'rttSumUs'), sumOf(lists, 'rttCount'));
  setFact(sheet, 'edge.rtt_ratio', over(rtt.current, rtt.baseline), rtt.onsetMs);
  setFact(sheet, 'edge.rtt_rise_us', minus(rtt.current, rtt.baseline), rtt.onsetMs);
  setFact(sheet, 'edge.rtt_min_ratio', smallestRtt(lists));
  setFact(sheet, 'edge.rtt_min_of_rise_ratio', smallestOfRise(lists), rtt.onsetMs);
  const resets = addPairs(sumOf(lists, 'resetsSent'), sumOf(lists, 'resetsReceived'));
  setFact(sheet, 'edge.resets_rise_per_s', perSecond(resets), resets.onsetMs);
  const zero = sumOf(lists, 'zeroWindows');
  setFact(sheet, 'edge.zero_windows_rise_per_s', perSecond(zero), zero.onsetMs);
  const overflows = sumOf(lists, 'acceptQueueOverflows');
  setFact(sheet, 'edge.accept_queue_overflows_rise_per_s', perSecond(overflows), overflows.onsetMs);
  const bytes = sumOf(lists, 'bytesOut');
  setFact(sheet, 'edge.bytes_ratio', over(bytes.current, bytes.baseline));
  setFact(sheet, 'edge.answered_bytes_ratio', answeredBytes(scope));
  callFacts(scope, sheet);
}

/** What the called end sends, without the busiest window / before: who was stopped answers all that waited at once. */
function answeredBytes({ tcp }: Scope): number | null {
  const answers = (side: Side, metric: string): MetricPair[] =>
    tcp.flatMap((row) => (row.side === side ? (find(row.metrics, metric) ?? []) : []));
  const server = answers('server', 'bytesOut');
  const sent = server.length > 0 ? server : answers('client', 'bytesIn');
  return over(sumWithoutBusiest(sent), sent.map(({ baselineMean }) => known(baselineMean)).reduce(plus, null));
}

function dropFacts(
  scope: Scope,
  sheet: FactSheet,
  lists: Lists,
  segments: Pair,
  perSecond: (pair: Pair) => number | null,
): void {
  const reported = lists.length > 0 && probeAttached(scope, /kfree_skb|tcp_drop/);
  const all = sumOfMap(lists, 'drops', undefined, reported);
  const seen = reasons(lists, 'drops');
  let top: string | null = null;
  let topRise = 0;
  for (const reason of new Set([...seen, 'NETFILTER_DROP', 'NO_SOCKET', 'QDISC_DROP', 'SOCKET_RCVBUFF'])) {
    const pair = sumOfMap(lists, 'drops', reason, reported);
    const rise = perSecond(pair);
    if (!/^[A-Z][A-Z0-9_]*$/.test(reason)) continue;
    setFact(sheet, `edge.drops_rise_per_s.${reason}`, rise, pair.onsetMs);
    if (rise !== null && rise > topRise) [top, topRise] = [reason, rise];
  }
  setFact(sheet, 'edge.drops_rise_per_s', perSecond(all), all.onsetMs);
  setFact(sheet, 'edge.drop_ratio', over(all.current, segments.current), all.onsetMs);
  setFact(sheet, 'edge.top_drop_reason', top);
}

/** Duplicates that receivers threw away, of the rise of retransmits. A kernel without drop reasons shows none. */
function spuriousFact(
  sheet: FactSheet,
  lists: Lists,
  retransmits: Pair,
  perSecond: (pair: Pair) => number | null,
): void {
  const again = perSecond(retransmits);
  const duplicates = Math.max(0, perSecond(sumOfMap(lists, 'drops', HAD_ALREADY, true)) ?? 0);
  const ratio = again === null ? null : again > 0 ? Math.min(1, duplicates / again) : 0;
  setFact(sheet, 'edge.spurious_retransmit_ratio', ratio, retransmits.onsetMs);
}

function connectFacts(scope: Scope, sheet: FactSheet, lists: Lists, perSecond: (pair: Pair) => number | null): void {
  const connects = sumOf(lists, 'connects');
  const reported = lists.length > 0 && probeAttached(scope, /inet_sock_set_state|tcp_connect/);
  const failures = sumOfMap(lists, 'connectFailures', undefined, reported);
  for (const reason of FAILURES) {
    const pair = sumOfMap(lists, 'connectFailures', reason, reported);
    setFact(sheet, `edge.connect_failures_rise_per_s.${reason}`, perSecond(pair), pair.onsetMs);
  }
  setFact(sheet, 'edge.connect_failures_rise_per_s', perSecond(failures), failures.onsetMs);
  const share = (failed: number | null, ok: number | null): number | null =>
    failed === null ? null : over(failed, plus(failed, ok ?? 0));
  const now = share(failures.current, connects.current);
  const before = share(failures.baseline, connects.baseline);
  setFact(sheet, 'edge.connect_failure_ratio', now, failures.onsetMs);
  setFact(sheet, 'edge.connect_failure_ratio_delta', minus(now, before ?? (now === null ? null : 0)), failures.onsetMs);
}

function reasons(lists: Lists, map: string): string[] {
  const found = lists.flatMap((metrics) =>
    metrics.flatMap(({ metric }) => (metric.startsWith(`${map}.`) ? [metric.slice(map.length + 1)] : [])),
  );
  return [...new Set(found)].sort(compareNames);
}

function meanPair(sum: Pair, count: Pair): Pair {
  return {
    baseline: over(sum.baseline, count.baseline),
    current: over(sum.current, count.current),
    spread: null,
    onsetMs: earliest(sum.onsetMs, null),
  };
}

/** Smallest rttMin of any row, now / before. */
function smallestRtt(lists: Lists): number | null {
  const values = (pick: (metric: MetricPair) => number): number | null => {
    const found = lists.flatMap((metrics) =>
      metrics.filter((m) => m.metric === 'rttMinUs').flatMap((m) => known(pick(m)) ?? []),
    );
    return found.length === 0 ? null : Math.min(...found);
  };
  return over(
    values((m) => m.currentMean),
    values((m) => m.baselineMean),
  );
}

/** Rise of the smallest round trip / rise of the mean, over the rows whose mean rose: others are other paths. */
function smallestOfRise(lists: Lists): number | null {
  let [ofSmallest, ofMean] = [0, 0];
  for (const metrics of lists) {
    const mean = meanPair(sumOf([metrics], 'rttSumUs'), sumOf([metrics], 'rttCount'));
    const smallest = sumOf([metrics], 'rttMinUs');
    const samples = sumOf([metrics], 'rttCount').current;
    const rise = minus(mean.current, mean.baseline);
    const rose = minus(smallest.current, smallest.baseline);
    if (samples === null || rise === null || rose === null || rise <= 0) continue;
    ofMean += samples * rise;
    ofSmallest += samples * Math.max(0, rose);
  }
  return ofMean > 0 ? ofSmallest / ofMean : null;
}

export interface Calls {
  readonly count: number;
  readonly errors: number;
  /** Mean duration of those whose duration is known; null: of none. */
  readonly meanUs: number | null;
}

/** Sums of leaves, before or now. */
export function sumCalls(leaves: readonly CallLeaf[], span: 'baseline' | 'current'): Calls {
  let count = 0;
  let errors = 0;
  let timed = 0;
  let durationSumUs = 0;
  for (const leaf of leaves) {
    const sums: CallSums = leaf[span];
    count += sums.count;
    errors += sums.errors;
    const durationUs = known(sums.durationSumUs);
    if (durationUs === null) continue;
    timed += sums.count;
    durationSumUs += durationUs;
  }
  return { count, errors, meanUs: over(durationSumUs, timed) };
}

/** The leaves of the side to trust for counts: the wanted one when it saw anything at all, else the other. */
export function bestSide(leaves: readonly CallLeaf[], wanted: 'client' | 'server'): readonly CallLeaf[] {
  const chosen = leaves.filter((leaf) => leaf.side === wanted);
  return chosen.length > 0 ? chosen : leaves;
}

/** Error type (or status) -> rise of its rate per second; only rises. */
export function errorRises(
  leaves: readonly CallLeaf[],
  scope: Scope,
  key: (leaf: CallLeaf) => string,
): Map<string, number> {
  const rises = new Map<string, number>();
  for (const leaf of leaves) {
    if (leaf.baseline.errors === 0 && leaf.current.errors === 0) continue;
    const rise =
      leaf.current.errors / Math.max(scope.currentSeconds, 1) -
      leaf.baseline.errors / Math.max(scope.baselineSeconds, 1);
    rises.set(key(leaf), (rises.get(key(leaf)) ?? 0) + rise);
  }
  const risen = [...rises].filter(([, rise]) => rise > 0);
  return new Map(risen.sort((a, b) => b[1] - a[1] || compareNames(a[0], b[0])));
}

export function errorTypeOf(leaf: CallLeaf): string {
  return leaf.errorType ?? leaf.status;
}

export function shareOf(rises: ReadonlyMap<string, number>, pick: (key: string) => boolean): number | null {
  let total = 0;
  let part = 0;
  for (const [key, rise] of rises) {
    total += rise;
    if (pick(key)) part += rise;
  }
  return total > 0 ? part / total : null;
}

/** Types that make up at least 1 % of the rise, largest first. */
export function mainTypes(rises: ReadonlyMap<string, number>): string[] {
  const total = [...rises.values()].reduce((sum, rise) => sum + rise, 0);
  return [...rises].filter(([, rise]) => rise >= 0.01 * total).map(([key]) => key);
}

/** Calls into the callers of these calls. */
export function askedOf({ calls }: Comparison, made: readonly CallLeaf[]): readonly CallLeaf[] {
  const callers = new Set(made.map(({ caller }) => caller));
  return bestSide(
    calls.filter(({ callee }) => callers.has(callee)),
    'server',
  );
}

/** Calls per second now / before; null when there were none. */
export function rateRatio({ baselineSeconds, currentSeconds }: Scope, leaves: readonly CallLeaf[]): number | null {
  const now = over(sumCalls(leaves, 'current').count, currentSeconds);
  return over(now, over(sumCalls(leaves, 'baseline').count, baselineSeconds));
}

/** Requests the callers of these calls get themselves, now / before, at most 1: who is asked less calls less. */
function askedLess(scope: Scope, made: readonly CallLeaf[]): number {
  const ratio = rateRatio(scope, askedOf(scope.comparison, made));
  return ratio === null || ratio === 0 ? 1 : Math.min(1, ratio);
}

/** Leaves of the same caller and callee, both sides together. */
export function byEdge(leaves: readonly CallLeaf[]): readonly (readonly CallLeaf[])[] {
  return [...Map.groupBy(leaves, ({ caller, callee }) => `${caller}\0${callee}`).values()];
}

/** Of edges that both ends see; unknown where nobody waits on one. */
function readShare(calls: readonly CallLeaf[]): number | null {
  const sees = (leaves: readonly CallLeaf[], side: 'client' | 'server'): boolean =>
    leaves.some((leaf) => leaf.side === side);
  const open = byEdge(calls)
    .filter((leaves) => sees(leaves, 'client') && sees(leaves, 'server'))
    .flat()
    .filter(({ status }) => status === ACTIVE);
  const waiting = (side: 'client' | 'server'): number =>
    sumCalls(
      open.filter((leaf) => leaf.side === side),
      'current',
    ).count;
  const share = over(waiting('server'), waiting('client'));
  return share === null ? null : Math.min(1, share);
}

/** Calls that were answered, and not with an error. */
function succeeded(leaves: readonly CallLeaf[], span: 'baseline' | 'current'): number {
  const { count, errors } = sumCalls(
    leaves.filter(({ status }) => status !== ACTIVE),
    span,
  );
  return count - errors;
}

function callFacts(scope: Scope, sheet: FactSheet): void {
  const seen = bestSide(scope.calls, 'client');
  const before = sumCalls(seen, 'baseline');
  const now = sumCalls(seen, 'current');
  const observed = seen.length > 0;
  const rate = (value: number, seconds: number): number | null => (observed && seconds > 0 ? value / seconds : null);
  const goodBefore = rate(succeeded(seen, 'baseline'), scope.baselineSeconds);
  const goodNow = rate(succeeded(seen, 'current'), scope.currentSeconds);
  setFact(sheet, 'edge.is_name_lookup', observed ? seen.every(({ protocol }) => protocol === NAME_LOOKUP) : null);
  setFact(sheet, 'edge.calls_ratio', rateRatio(scope, seen));
  setFact(sheet, 'edge.success_ratio', over(over(goodNow, goodBefore), askedLess(scope, seen)));
  const errorsNow = observed ? over(now.errors, now.count) : null;
  const errorsBefore = observed ? over(before.errors, before.count) : null;
  setFact(sheet, 'edge.error_ratio', errorsNow);
  setFact(sheet, 'edge.error_ratio_delta', minus(errorsNow, errorsBefore));
  const rises = errorRises(seen, scope, errorTypeOf);
  setFact(sheet, 'edge.error_types', observed ? mainTypes(rises) : null);
  setFact(
    sheet,
    'edge.connection_error_share',
    shareOf(rises, (type) => CONNECTION_ERRORS.test(type)),
  );
  setFact(sheet, 'edge.given_up_share', shareOf(rises, isGivenUp));
  setFact(sheet, 'edge.read_share', readShare(scope.calls));

  const serverSeen =
    scope.calls.some((leaf) => leaf.side === 'server') || scope.tcp.some((row) => row.side === 'server');
  setFact(sheet, 'edge.server_seen', observed || scope.tcp.length > 0 ? serverSeen : null);
}
