/** Everything known of an incident becomes one report. A function of its input; its id derives from its content. */
import { comparedOf, comparedSince } from '../model/compared.ts';
import type { Comparison } from '../model/comparison.ts';
import type { Entity } from '../model/entity.ts';
import { compareNames, entityKey } from '../model/entity.ts';
import { formatClock } from '../model/format.ts';
import type { Incident } from '../model/incident.ts';
import { lastBout } from '../model/incident.ts';
import type { KeyMetric, RankedCause, Report, ReportLedger, ReportLedgerEntry } from '../model/report.ts';
import type { Ledger, Walk } from '../model/walk.ts';
import type { ComparedLedger } from './accounts.ts';
import { comparedLedgers } from './accounts.ts';
import { blindSpots } from './blind-spots.ts';
import { contentId, finite } from './canonical.ts';
import { allCauses, uniqueEntities } from './causes.ts';
import { changesAt, withChanges } from './changes.ts';
import { keepShown } from './kept.ts';
import { metricUnit, withRates } from './metric-names.ts';
import { withoutNoise } from './shown-ledgers.ts';
import type { ReportInput } from './types.ts';
import { changesSince, phenomenon, suggestedChecks, summary } from './words.ts';

/** Of a gauge that was last seen to fill longer ago than so many windows nobody knows when it is full. */
const FRESH_WINDOWS = 30;
const MAX_KEY_METRICS = 20;
/** Entries kept per ledger besides `unexplained`; the rest is summed into one entry. */
const MAX_LEDGER_ENTRIES = 30;

/** Cost: O(suspects + ledger entries + anomalies). */
export function buildReport(input: ReportInput): Report {
  const { comparison, verdicts, previous } = input;
  const walk = withoutNoise(input.walk);
  const incident = withRates(input.incident, comparison.windowMs);
  const evidenceOf = ({ sinceMs }: RankedCause): Comparison => comparedSince(comparison, input.steps ?? [], sinceMs);
  const found = allCauses(walk, verdicts, input.furtherVerdicts ?? [], lastBout(incident).startMs).map((cause) =>
    withChanges(cause, evidenceOf(cause)),
  );
  const recurredMs = incident.again?.startMs;
  const causes = keepShown(found, previous?.recurredMs === recurredMs ? previous : undefined);
  const [first] = causes;
  const affected = affectedOf(incident);
  const what = phenomenon(incident, walk, affected, causes);
  const resolvedMs = incident.resolvedMs ?? null;
  const endedMs = resolvedMs === null ? null : Math.min(incident.lastSymptomMs + comparison.windowMs, resolvedMs);
  const leads = causes.slice(0, 2).map(({ rank, entity, faultClass }) => ({ rank, entity, faultClass }));
  const checks = leads.map(({ entity, faultClass }) => {
    const verdict = [...verdicts, ...(input.furtherVerdicts ?? []).flat()].find(
      (v) => v.faultClass === faultClass && entityKey(v.blames ?? v.suspect) === entityKey(entity),
    );
    return verdict?.checks ?? [];
  });
  const isKept = causes.some(({ fromRevision }) => fromRevision !== undefined);
  const draft = {
    schemaVersion: 1 as const,
    incidentId: incident.id,
    revision: previous === undefined ? 1 : previous.revision + 1,
    provisional: input.provisional ?? false,
    environment: incident.environment,
    state: incident.state,
    startMs: incident.startMs,
    openedMs: incident.openedMs,
    ...(recurredMs === undefined ? {} : { recurredMs }),
    reportedMs: input.reportedMs,
    resolvedMs,
    endedMs,
    phenomenon: what,
    summary: summary(what, walk, causes, endedMs, first === undefined ? [] : changesAt(first, evidenceOf(first))),
    compared: comparedOf(comparison),
    keyMetrics: keyMetrics(incident, input.reportedMs - FRESH_WINDOWS * comparison.windowMs),
    causes,
    propagation: causes[0]?.path ?? [],
    affected,
    attribution: input.attribution ?? [],
    ledgers: ledgersOf(walk),
    blindSpots: [...leftOut(input), ...blindSpotsOf(input, walk, causes), ...walk.notes],
    checks: suggestedChecks(isKept ? [...checks, previous?.checks ?? []] : checks, comparison),
    configHash: input.configHash,
    rulesHash: input.rulesHash,
  };
  const content = { ...draft, changedSincePrevious: changesSince(previous, draft) };
  // Through JSON once: what is hashed, stored and sent is one and the same.
  const plain = JSON.parse(JSON.stringify(content)) as typeof content;
  return { ...plain, id: contentId('rep_', plain) };
}

/** Of the symptom, and of those that it does not account for and that have a cause. */
function ledgersOf(walk: Walk): ReportLedger[] {
  return [walk, ...(walk.further ?? [])].flatMap(comparedLedgers).map(toReportLedger);
}

/** Of the first trouble and of what began later; each once. */
function blindSpotsOf({ comparison, steps = [] }: ReportInput, walk: Walk, causes: readonly RankedCause[]): string[] {
  return [...new Set([comparison, ...steps].flatMap((one) => blindSpots(one, walk, causes)))];
}

/** Its figures stop where something else begins: a reader who looks at a dashboard sees more than they say. */
function leftOut({ leftOutFromMs }: ReportInput): string[] {
  if (leftOutFromMs === undefined) return [];
  return [
    `something else began at ${formatClock(leftOutFromMs)}, too late to have caused the first trouble: ledgers, drill-down and evidence of the first cause leave out what came from then on`,
  ];
}

/**
 * Distinct entity and metric, service symptoms first as the incident orders them.
 * @param freshMs  what was seen last before this says nothing of what comes
 */
function keyMetrics(incident: Incident, freshMs: number): KeyMetric[] {
  const seen = new Set<string>();
  const metrics: KeyMetric[] = [];
  for (const anomaly of incident.anomalies) {
    const key = `${entityKey(anomaly.entity)}|${anomaly.metric}`;
    if (seen.has(key)) continue;
    seen.add(key);
    metrics.push({
      entity: anomaly.entity,
      metric: anomaly.metric,
      ...(anomaly.operation === undefined ? {} : { operation: anomaly.operation }),
      unit: metricUnit(anomaly.metric),
      baseline: finite(anomaly.baseline),
      current: finite(anomaly.current),
      onsetMs: anomaly.onsetMs,
      ...(anomaly.limitAtMs === undefined || anomaly.lastMs < freshMs
        ? {}
        : { limitAtMs: Math.round(anomaly.limitAtMs) }),
    });
    if (metrics.length === MAX_KEY_METRICS) break;
  }
  return metrics;
}

/** Every entity with an anomaly: services, then instances, machines, edges. */
function affectedOf(incident: Incident): Entity[] {
  const order = { service: 0, instance: 1, machine: 2, edge: 3 } as const;
  return uniqueEntities(incident.anomalies.map((anomaly) => anomaly.entity)).sort(
    (a, b) => order[a.kind] - order[b.kind] || compareNames(a.name, b.name),
  );
}

function toReportLedger(ledger: ComparedLedger): ReportLedger {
  const size = (value: number): number => (Number.isFinite(value) ? Math.abs(value) : 0);
  const ordered = ledger.entries
    .map((entry, i) => ({ entry, i }))
    .sort(
      (a, b) =>
        Number(a.entry.term === 'unexplained') - Number(b.entry.term === 'unexplained') ||
        size(b.entry.contribution) - size(a.entry.contribution) ||
        a.i - b.i,
    )
    .map(({ entry }) => entry);
  const rest = ordered.filter((entry) => entry.term !== 'unexplained').slice(MAX_LEDGER_ENTRIES);
  const kept = ordered.filter((entry) => !rest.includes(entry));
  const entries: ReportLedgerEntry[] = kept.map((entry) => ({
    entity: entry.entity ?? null,
    term: entry.term,
    contribution: finite(entry.contribution),
    share: finite(entry.share),
    standardError: finite(entry.standardError),
    baseline: finite(entry.baseline),
    current: finite(entry.current),
    ...(entry.note === undefined ? {} : { note: entry.note }),
  }));
  if (rest.length > 0) {
    const sum = (pick: (entry: Ledger['entries'][number]) => number): number | null =>
      finite(rest.reduce((total, entry) => total + pick(entry), 0));
    entries.push({
      entity: null,
      term: 'rest',
      contribution: sum((e) => e.contribution),
      share: sum((e) => e.share),
      standardError: finite(Math.sqrt(rest.reduce((total, entry) => total + entry.standardError ** 2, 0))),
      baseline: sum((e) => e.baseline),
      current: sum((e) => e.current),
      note: `${rest.length} small entries together`,
    });
  }
  return {
    kind: ledger.kind,
    entry: ledger.entry,
    unit: ledger.unit,
    baseline: finite(ledger.baseline),
    current: finite(ledger.current),
    change: finite(ledger.change),
    entries,
    ...(ledger.compared === undefined ? {} : { compared: ledger.compared }),
  };
}
