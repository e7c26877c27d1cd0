/** Facts of the service: its shares of the ledgers, its traffic, its errors, and of the suspect itself. */
import type { CallLeaf } from '../model/comparison.ts';
import { compareNames } from '../model/entity.ts';
import { isServerFailure } from '../model/error-types.ts';
import { ofInstances } from '../model/metric-part.ts';
import { newcomersOf } from '../model/newcomer.ts';
import { ACTIVE } from '../model/records.ts';
import type { Ledger, LedgerEntry, LedgerKind, LedgerTerm } from '../model/walk.ts';
import type { FactSheet } from './fact-sheet.ts';
import { setFact } from './fact-sheet.ts';
import { askedOf, bestSide, errorRises, errorTypeOf, mainTypes, shareOf, sumCalls } from './facts-edge.ts';
import { known, minus, over, sumOf } from './metric-sum.ts';
import { asked } from './repeats.ts';
import type { Scope } from './scope.ts';

/** Fewer failed answers than this, or fewer windows, say nothing of how even their durations are. */
const MIN_FAILED = 10;
const MIN_WINDOWS = 3;

export function suspectFacts(scope: Scope, sheet: FactSheet): void {
  const { suspect, comparison } = scope;
  setFact(sheet, 'suspect.kind', suspect.entity.kind);
  setFact(sheet, 'suspect.term', suspect.term);
  setFact(sheet, 'suspect.contribution', known(suspect.contribution));
  setFact(sheet, 'suspect.symptoms', [...suspect.symptoms]);
  setFact(
    sheet,
    'suspect.onset_before_symptom_s',
    suspect.onsetMs === undefined ? null : (scope.symptomMs - suspect.onsetMs) / 1000,
  );
  const symptoms = new Set<string>(comparison.anomalies.map((anomaly) => anomaly.symptom));
  setFact(sheet, 'incident.symptoms', [...symptoms].sort(compareNames));
}

/**
 * Largest share of any ledger of the kind whose entries match. 0 when there is such a ledger, it explains at least half
 * of its change, and the entity is not in it; unknown otherwise.
 */
export function ledgerShare(
  ledgers: readonly Ledger[],
  kind: LedgerKind,
  match: (entry: LedgerEntry) => boolean,
): number | null {
  let best: number | null = null;
  for (const ledger of ledgers) {
    if (ledger.kind !== kind) continue;
    const entries = ledger.entries.filter(match);
    const share = entries.length > 0 ? known(entries.reduce((sum, e) => sum + e.share, 0)) : explains(ledger);
    if (share !== null && (best === null || share > best)) best = share;
  }
  return best;
}

function explains(ledger: Ledger): number | null {
  const rest = ledger.entries.filter((e) => e.term === 'unexplained').reduce((sum, e) => sum + e.share, 0);
  return Number.isFinite(rest) && Math.abs(rest) < 0.5 ? 0 : null;
}

export function serviceFacts(scope: Scope, sheet: FactSheet): void {
  const { service, entity, walk, comparison } = scope;
  const ofNode =
    (term: LedgerTerm) =>
    (entry: LedgerEntry): boolean =>
      entry.term === term &&
      entry.entity !== undefined &&
      entry.entity.kind !== 'edge' &&
      entry.entity.name === service;
  const share = (kind: LedgerKind, term: LedgerTerm): number | null =>
    service === null ? null : ledgerShare(walk.ledgers, kind, ofNode(term));
  setFact(sheet, 'service.self_time_share', share('latency', 'self'));
  setFact(sheet, 'service.self_error_share', share('errors', 'originated'));
  setFact(
    sheet,
    'service.visits_share',
    ledgerShare(walk.ledgers, 'latency', (e) => {
      if (e.term !== 'visits' || e.entity === undefined) return false;
      return e.entity.name === (entity.kind === 'edge' ? entity.name : service);
    }),
  );
  setFact(
    sheet,
    'service.calls_share',
    service === null
      ? null
      : ledgerShare(walk.ledgers, 'latency', ({ term, entity: edge }) => term === 'calls' && edge?.from === service),
  );
  setFact(
    sheet,
    'edge.network_time_share',
    ledgerShare(walk.ledgers, 'latency', (e) => {
      if (e.term !== 'network' || e.entity === undefined) return false;
      if (entity.kind === 'edge')
        return e.entity.name === entity.name || sameServices(scope, e.entity.from, e.entity.to);
      return service !== null && e.entity.to === service;
    }),
  );

  const inbound = inboundCalls(scope);
  trafficFacts(scope, sheet, inbound);
  setFact(sheet, 'service.calls_per_caller_request_ratio', perCallerRequest(scope, inbound));
  const seconds = { baseline: scope.baselineSeconds, current: scope.currentSeconds };
  const rates = asked(comparison, inbound, seconds);
  setFact(sheet, 'service.asked_ratio', rates === null ? null : rates.now / rates.before);
  setFact(sheet, 'service.asked_rise_per_s', rates === null ? null : rates.now - rates.before);
  timeFacts(sheet, inbound);
  errorFacts(scope, sheet, inbound);
  const newcomers = service === null ? undefined : newcomersOf(comparison, service);
  // With its siblings' before in place of its own it does not look like a new one.
  const isNew = scope.isNew || newcomers?.names.includes(entity.name) === true ? 1 : 0;
  setFact(
    sheet,
    'service.new_instances_share',
    newcomers === undefined ? null : entity.kind === 'instance' ? isNew : newcomers.share,
  );
}

function sameServices(scope: Scope, from: string | undefined, to: string | undefined): boolean {
  return scope.calls.some((leaf) => leaf.caller === from && leaf.callee === to);
}

/** Every call into the service (or the one instance), whatever edge the suspect is. Server side when it was seen. */
function inboundCalls(scope: Scope): readonly CallLeaf[] {
  const { service, entity, comparison } = scope;
  if (entity.kind === 'machine') return bestSide(scope.calls, 'server');
  const into = comparison.calls.filter((leaf) =>
    entity.kind === 'instance' ? leaf.calleeInstance === entity.name : leaf.callee === service,
  );
  return bestSide(into, 'server');
}

/** Calls of those callers that have requests of their own, for each of these, now / before. */
function perCallerRequest({ comparison }: Scope, inbound: readonly CallLeaf[]): number | null {
  const asked = askedOf(comparison, inbound);
  const known = new Set(asked.map(({ callee }) => callee));
  const made = inbound.filter(({ caller }) => known.has(caller));
  const per = (span: 'baseline' | 'current'): number | null =>
    over(sumCalls(made, span).count, sumCalls(asked, span).count);
  return made.length === 0 ? null : over(per('current'), per('baseline'));
}

function trafficFacts(scope: Scope, sheet: FactSheet, inbound: readonly CallLeaf[]): void {
  const before = sumCalls(inbound, 'baseline');
  const now = sumCalls(inbound, 'current');
  const observed = inbound.length > 0 && scope.baselineSeconds > 0 && scope.currentSeconds > 0;
  const rateBefore = observed ? before.count / scope.baselineSeconds : null;
  const rateNow = observed ? now.count / scope.currentSeconds : null;
  setFact(sheet, 'service.traffic_ratio', over(rateNow, rateBefore));
  setFact(sheet, 'service.traffic_rise_per_s', minus(rateNow, rateBefore));
  setFact(sheet, 'service.latency_ratio', over(now.meanUs, before.meanUs));
  const cpu = sumOf(
    scope.instances.map((r) => r.metrics),
    'cpuUsedUs',
    ofInstances(scope.comparison, 'cpuUsedUs'),
  );
  setFact(
    sheet,
    'service.cpu_per_request_ratio',
    over(over(cpu.current, rateNow), over(cpu.baseline, rateBefore)),
    cpu.onsetMs,
  );
}

/** Where its time goes: answered calls, by operation. */
function timeFacts(sheet: FactSheet, inbound: readonly CallLeaf[]): void {
  const spentUs = new Map<string, number>();
  for (const { operation, status, current } of inbound) {
    const us = status === ACTIVE ? null : known(current.durationSumUs);
    if (us !== null) spentUs.set(operation, (spentUs.get(operation) ?? 0) + us);
  }
  const [most] = [...spentUs].sort((a, b) => b[1] - a[1] || compareNames(a[0], b[0]));
  const all = [...spentUs.values()].reduce((sum, us) => sum + us, 0);
  setFact(sheet, 'service.busiest_operation', most?.[0] ?? null);
  setFact(sheet, 'service.busiest_operation_share', over(most?.[1] ?? null, all));
}

function errorFacts(scope: Scope, sheet: FactSheet, inbound: readonly CallLeaf[]): void {
  const before = sumCalls(inbound, 'baseline');
  const now = sumCalls(inbound, 'current');
  const observed = inbound.length > 0;
  const ratioNow = observed ? over(now.errors, now.count) : null;
  setFact(sheet, 'service.error_ratio', ratioNow);
  setFact(sheet, 'service.error_ratio_delta', minus(ratioNow, observed ? over(before.errors, before.count) : null));
  setFact(sheet, 'service.failed_duration_variation_ratio', variationOfFailed(scope, inbound));
  const types = errorRises(inbound, scope, errorTypeOf);
  setFact(sheet, 'service.error_types', observed ? mainTypes(types) : null);
  const statuses = errorRises(inbound, scope, (leaf) => leaf.status);
  setFact(sheet, 'service.status_5xx_share', shareOf(statuses, isServerFailure));
  const operations = errorRises(inbound, scope, (leaf) => leaf.operation);
  const top = [...operations.keys()][0];
  setFact(sheet, 'service.top_error_operation', top ?? null);
  setFact(
    sheet,
    'service.error_operation_share',
    shareOf(operations, (operation) => operation === top),
  );
  const instances = errorRises(
    inbound.filter((leaf) => leaf.calleeInstance !== undefined),
    scope,
    (leaf) => leaf.calleeInstance ?? '',
  );
  const worst = [...instances.keys()][0];
  setFact(
    sheet,
    'service.error_instance_share',
    shareOf(instances, (name) => name === worst),
    null,
    worst ?? null,
  );
}

/**
 * Standard deviation of the durations of its failed answers over their mean, between windows and operations: near 0, all
 * gave up after the same time.
 */
function variationOfFailed({ comparison }: Scope, inbound: readonly CallLeaf[]): number | null {
  const failed = inbound.filter(({ status, current }) => status !== ACTIVE && current.errors > 0);
  const sum = (read: (leaf: CallLeaf) => number): number => failed.reduce((all, leaf) => all + read(leaf), 0);
  const count = sum(({ current }) => current.count);
  const mean = sum(({ current }) => current.durationSumUs) / count;
  if (count < MIN_FAILED || comparison.current.windows < MIN_WINDOWS || !(mean > 0)) return null;
  const variance = sum(({ current }) => current.durationSquareUs2) / count - mean ** 2;
  return Number.isFinite(variance) ? Math.sqrt(Math.max(0, variance)) / mean : null;
}
