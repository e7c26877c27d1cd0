/** Facts of the calls a suspect makes itself: failures there explain errors it returns. */
import { answersOthers } from '../model/answers-others.ts';
import type { CallLeaf, TcpEdge } from '../model/comparison.ts';
import { compareNames } from '../model/entity.ts';
import { listOf } from '../model/format.ts';
import { ACTIVE } from '../model/records.ts';
import type { FactSheet } from './fact-sheet.ts';
import { setFact } from './fact-sheet.ts';
import { bestSide, errorRises, errorTypeOf, FAILURES, NAME_LOOKUP, probeAttached, sumCalls } from './facts-edge.ts';
import { poolFacts } from './facts-pool.ts';
import { minus, over, riseSigma, sumOf, sumOfMap, times } from './metric-sum.ts';
import type { Scope } from './scope.ts';

/** Callees named in a sentence. */
const MOST_NAMED = 3;

export function outFacts(scope: Scope, sheet: FactSheet): void {
  const { entity, comparison } = scope;
  if (entity.kind === 'edge' || entity.kind === 'machine') return;
  const own = ownRows(scope);
  const rows = comparison.tcp.filter((row) => row.side === 'client' && own(row));
  const calls = comparison.calls.filter((leaf) => own(leaf));
  if (rows.length === 0 && calls.length === 0 && isWatched(scope)) {
    callsNobody(sheet);
    return;
  }
  const lists = rows.map((row) => row.metrics);
  const perWindow = 1000 / comparison.windowMs;
  const reported = rows.length > 0 && probeAttached(scope, /inet_sock_set_state|tcp_connect/);
  for (const reason of [undefined, ...FAILURES]) {
    const pair = sumOfMap(lists, 'connectFailures', reason, reported);
    const name = `out.connect_failures_rise_per_s${reason === undefined ? '' : `.${reason}`}`;
    setFact(sheet, name, times(minus(pair.current, pair.baseline), perWindow), pair.onsetMs);
  }

  const byCallee = new Map<string, TcpEdge[]>();
  for (const row of rows) byCallee.set(row.callee, [...(byCallee.get(row.callee) ?? []), row]);
  let sigma: { value: number; callee: string; onsetMs: number | null } | undefined;
  let failing: { value: number; callee: string } | undefined;
  for (const [callee, edges] of [...byCallee].sort((a, b) => compareNames(a[0], b[0]))) {
    const metrics = edges.map((edge) => edge.metrics);
    const pair = sumOf(metrics, 'retransmits');
    const rise = riseSigma(pair);
    if (rise !== null && (sigma === undefined || rise > sigma.value))
      sigma = { value: rise, callee, onsetMs: pair.onsetMs };
    const failures = sumOfMap(metrics, 'connectFailures', undefined, reported);
    const more = minus(failures.current, failures.baseline);
    if (more !== null && more > 0 && (failing === undefined || more > failing.value)) failing = { value: more, callee };
  }
  setFact(sheet, 'out.retransmits_rise_sigma', sigma?.value ?? null, sigma?.onsetMs ?? null);

  slowCallee(scope, calls, sheet);
  inFlight(scope, calls, sheet);
  poolFacts(scope, rows, calls, sheet);
  lookups(calls, sheet);
  moreCalls(scope, calls, sheet);
  const received = errorRises(bestSide(calls, 'client'), scope, (leaf) => leaf.callee);
  const returned = errorRises(bestSide(scope.calls, 'server'), scope, errorTypeOf);
  const total = (rises: ReadonlyMap<string, number>): number =>
    [...rises.values()].reduce((sum, rise) => sum + rise, 0);
  setFact(sheet, 'out.error_rise_ratio', calls.length === 0 ? null : over(total(received), total(returned)));
  const erring = [...received.keys()][0];
  const lossy = sigma !== undefined && sigma.value > 4 ? sigma.callee : undefined;
  setFact(sheet, 'out.worst_callee', failing?.callee ?? lossy ?? erring ?? null);
}

/**
 * The callee that itself takes longer for this caller. Only what the callee's own side saw counts: a caller that is
 * starved sees every callee slow.
 */
function slowCallee(scope: Scope, calls: readonly CallLeaf[], sheet: FactSheet): void {
  const served = calls.filter((leaf) => leaf.side === 'server');
  const worst = largestRise(served, meanUs);
  setFact(sheet, 'out.callee_latency_ratio', worst?.ratio ?? null);
  setFact(sheet, 'out.callee_latency_rise_us', worst?.rise ?? null);
  setFact(sheet, 'out.slow_callee', worst?.callee ?? null);
  const waited = bestSide(scope.calls, 'client');
  const longer = minus(meanUs(waited, 'current'), meanUs(waited, 'baseline'));
  const part = longer !== null && longer > 0 ? over(worst?.rise ?? null, longer) : null;
  setFact(sheet, 'out.callee_rise_of_wait_ratio', part === null ? null : Math.max(0, part));
  const failed = bestSide(scope.calls, 'server').filter(({ current }) => current.errors > 0);
  const ofCallee = served.filter(({ callee }) => callee === worst?.callee);
  const ratio = over(meanUs(failed, 'current'), meanUs(ofCallee, 'current'));
  setFact(sheet, 'out.failed_of_callee_latency_ratio', ratio);
}

/**
 * Calls in flight to callees that leave others waiting, too, for each that it has read and not answered: threads that wait for
 * a callee are no sign that it hangs itself.
 */
function inFlight(scope: Scope, calls: readonly CallLeaf[], sheet: FactSheet): void {
  const waiting = (leaves: readonly CallLeaf[], side: 'client' | 'server'): readonly CallLeaf[] =>
    leaves.filter((leaf) => leaf.side === side && leaf.status === ACTIVE && leaf.current.count > 0);
  const out = waiting(calls, 'client').filter(({ caller, callee }) => !answersOthers(scope.comparison, caller, callee));
  const held = sumCalls(waiting(scope.calls, 'server'), 'current').count;
  const made = sumCalls(out, 'current').count;
  setFact(sheet, 'out.in_flight_of_held_ratio', calls.length > 0 && made === 0 ? 0 : over(made, held));
}

function meanUs(leaves: readonly CallLeaf[], span: Span): number | null {
  return sumCalls(leaves, span).meanUs;
}

/**
 * What it calls more often for each of its own requests: the callee that costs the ledger's entry most by it, and those
 * that cost half as much and more; where no ledger says, the one with the largest rise of calls.
 */
function moreCalls(scope: Scope, calls: readonly CallLeaf[], sheet: FactSheet): void {
  const own = bestSide(scope.calls, 'server');
  const requests = { baseline: sumCalls(own, 'baseline').count, current: sumCalls(own, 'current').count };
  const made = bestSide(calls, 'client');
  const costly = costliest(scope);
  const first = made.filter(({ callee }) => callee === costly[0]);
  const most = largestRise(first.length > 0 ? first : made, (leaves, span) =>
    over(sumCalls(leaves, span).count, requests[span]),
  );
  setFact(sheet, 'out.calls_per_request_ratio', most?.ratio ?? null);
  setFact(sheet, 'out.more_called', first.length > 0 ? listOf(costly, MOST_NAMED) : (most?.callee ?? null));
}

/** Callees whose more frequent calls cost most, largest first, down to half of the largest. */
function costliest({ walk, service }: Scope): string[] {
  const cost = new Map<string, number>();
  for (const { entity, term, contribution } of walk.ledgers.flatMap(({ kind, entries }) =>
    kind === 'latency' ? entries : [],
  )) {
    if (term !== 'calls' || entity?.from !== service || entity?.to === undefined) continue;
    cost.set(entity.to, (cost.get(entity.to) ?? 0) + contribution);
  }
  const found = [...cost].sort((a, b) => b[1] - a[1] || compareNames(a[0], b[0]));
  const largest = found[0]?.[1] ?? 0;
  return largest > 0 ? found.filter(([, each]) => each >= largest / 2).map(([callee]) => callee) : [];
}

/** Lookups of names, without which it cannot begin most of its other calls. */
function lookups(calls: readonly CallLeaf[], sheet: FactSheet): void {
  const made = bestSide(calls, 'client').filter(({ protocol }) => protocol === NAME_LOOKUP);
  if (made.length === 0) {
    if (calls.length > 0) noLookups(sheet);
    return;
  }
  const failed = (span: Span): number | null => {
    const { count, errors } = sumCalls(made, span);
    return over(errors, count);
  };
  const failing = largestRise(made, (leaves, span) => sumCalls(leaves, span).errors);
  const slow = largestRise(made, meanUs);
  setFact(sheet, 'out.lookup_latency_ratio', slow?.ratio ?? null);
  setFact(sheet, 'out.lookup_latency_rise_us', slow?.rise ?? null);
  setFact(sheet, 'out.lookup_error_ratio_delta', minus(failed('current'), failed('baseline') ?? 0));
  setFact(sheet, 'out.resolver', (failing !== undefined && failing.rise > 0 ? failing : slow)?.callee ?? null);
}

function noLookups(sheet: FactSheet): void {
  setFact(sheet, 'out.lookup_latency_rise_us', 0);
  setFact(sheet, 'out.lookup_error_ratio_delta', 0);
}

/** The callee of which something rose most, and by how much; ties by name. */
function largestRise(
  calls: readonly CallLeaf[],
  read: (leaves: readonly CallLeaf[], span: Span) => number | null,
): { readonly ratio: number; readonly rise: number; readonly callee: string } | undefined {
  let most: { ratio: number; rise: number; callee: string } | undefined;
  for (const callee of [...new Set(calls.map((leaf) => leaf.callee))].sort(compareNames)) {
    const leaves = calls.filter((leaf) => leaf.callee === callee);
    const [before, now] = [read(leaves, 'baseline'), read(leaves, 'current')];
    const [ratio, rise] = [over(now, before), minus(now, before)];
    if (ratio !== null && rise !== null && (most === undefined || rise > most.rise)) most = { ratio, rise, callee };
  }
  return most;
}

type Span = 'baseline' | 'current';
type Caller = { readonly caller: string; readonly callerInstance?: string };

/** The rows of the suspect's own calls; those of its whole service when rows do not name the calling instance. */
function ownRows(scope: Scope): (row: Caller) => boolean {
  const { entity, comparison, service } = scope;
  const ofService = (row: Caller): boolean => service !== null && row.caller === service;
  if (entity.kind !== 'instance') return ofService;
  const ofInstance = (row: Caller): boolean => row.callerInstance === entity.name;
  return [...comparison.tcp, ...comparison.calls].some(ofInstance) ? ofInstance : ofService;
}

/** The suspect's own side is observed, so calls of its own would have been seen. */
function isWatched(scope: Scope): boolean {
  return scope.calls.some((leaf) => leaf.side === 'server') || scope.tcp.some((row) => row.side === 'server');
}

function callsNobody(sheet: FactSheet): void {
  for (const reason of [undefined, ...FAILURES]) {
    setFact(sheet, `out.connect_failures_rise_per_s${reason === undefined ? '' : `.${reason}`}`, 0);
  }
  setFact(sheet, 'out.retransmits_rise_sigma', 0);
  setFact(sheet, 'out.error_rise_ratio', 0);
  setFact(sheet, 'out.callee_latency_rise_us', 0);
  setFact(sheet, 'out.callee_rise_of_wait_ratio', 0);
  setFact(sheet, 'out.in_flight_of_held_ratio', 0);
  noLookups(sheet);
}
