/** The sentences of a report. */
import type { Comparison } from '../model/comparison.ts';
import type { Entity } from '../model/entity.ts';
import { formatClock, formatTime, listOf } from '../model/format.ts';
import type { Anomaly, Incident, Symptom } from '../model/incident.ts';
import { FELT_SYMPTOMS, lastBout } from '../model/incident.ts';
import type { RankedCause, Report } from '../model/report.ts';
import type { Ledger, LedgerKind, Walk } from '../model/walk.ts';
import {
  accountsFor,
  comparedLedgers,
  ledgerChange,
  otherCauses,
  shareWords,
  toldCauses,
  toldLedgers,
} from './accounts.ts';
import { finite } from './canonical.ts';
import { metricUnit, metricWords, showMetric } from './metric-names.ts';

/** What leads a report, most telling first; more requests than usual are felt by nobody, and still tell something. */
const TELLING: readonly Symptom[] = [...FELT_SYMPTOMS, 'traffic_rise'];

/** Which ledger explains a symptom. */
const KIND: Partial<Record<Symptom, LedgerKind>> = {
  error_rise: 'errors',
  connect_failure_rise: 'errors',
  latency_rise: 'latency',
  traffic_drop: 'traffic',
  traffic_rise: 'traffic',
};

export function entityWords(entity: Entity): string {
  return entity.kind === 'edge' ? `${entity.from ?? '?'} → ${entity.to ?? '?'}` : entity.name;
}

/** What, since when, who is affected: every change that the summary explains is among what it says. */
export function phenomenon(
  incident: Incident,
  walk: Walk,
  affected: readonly Entity[],
  causes: readonly RankedCause[],
): string {
  const at = walk.symptom;
  const own = incident.anomalies.filter((a) => a.entity.kind === at.kind && a.entity.name === at.name);
  const telling = own.length > 0 ? mostTelling(own) : [];
  const said = new Set(telling.map(({ symptom }) => KIND[symptom]));
  const explained = toldLedgers(causes, walk.ledgers);
  const left = walk.ledgers.filter(
    (ledger, i) =>
      !said.has(ledger.kind) && (explained.includes(ledger) || (telling.length === 0 && i === 0 && isWorse(ledger))),
  );
  const changes = [
    ...telling.map((a) => changeWords(a)),
    ...left.flatMap((ledger) => {
      const shown = own.find(({ symptom }) => KIND[symptom] === ledger.kind);
      return shown === undefined ? ledgerWords(ledger) : [changeWords(shown)];
    }),
  ];
  const others = mostTelling(incident.anomalies).map((a) => `${entityWords(a.entity)} ${changeWords(a)}`);
  const what = changes.length > 0 ? changes.join(', ') : others.length > 0 ? others.join(', ') : 'behaves abnormally';
  const more = affected.filter((e) => e.kind === 'service' && e.name !== at.name).map((e) => e.name);
  const reach = more.length === 0 ? '' : ` Also affected: ${listOf(more, 6)}.`;
  const grew = telling.length > 0 && telling.every(({ grownMs }) => grownMs !== undefined);
  const since = `${grew ? 'little by little ' : ''}since ${formatTime(lastBout(incident).startMs)}${incident.again === undefined ? '' : ` again (first at ${formatClock(incident.startMs)})`}`;
  return `${entityWords(at)}: ${what}, ${since}.${reach}`;
}

/** Of the requests of before, a change that is worth a sentence. */
const NOTABLE_TRAFFIC = 0.2;

/** Faster, or with fewer errors, is nobody's symptom: then only a way to somebody is abnormal. */
function isWorse({ kind, change, baseline }: Ledger): boolean {
  return kind === 'traffic' ? Math.abs(change) >= NOTABLE_TRAFFIC * baseline : change > 0;
}

/** The change a ledger explains: what the symptom's service shows where it raised no alarm of its own. */
function ledgerWords(ledger: Ledger): string[] {
  if (!Number.isFinite(ledger.change) || ledger.change === 0) return [];
  const [words, unit] = {
    latency: ['mean latency', 'us'],
    errors: ['errors', 'ratio'],
    traffic: ['requests', 'requests_per_s'],
  }[ledger.kind] as [string, string];
  const verb = ledger.change > 0 ? 'rose' : 'fell';
  const [before, now] = [ledger.baseline, ledger.current].map((value) => showMetric(finite(value), unit));
  return [`${words} ${verb} from ${before} to ${now}`];
}

function mostTelling(anomalies: readonly Anomaly[]): Anomaly[] {
  const chosen: Anomaly[] = [];
  for (const symptom of TELLING) {
    const found = anomalies.find((a) => a.symptom === symptom);
    if (found !== undefined) chosen.push(found);
  }
  return (chosen.length > 0 ? chosen : [...anomalies]).slice(0, 2);
}

function changeWords(anomaly: Anomaly): string {
  const unit = metricUnit(anomaly.metric);
  const verb = anomaly.current >= anomaly.baseline ? 'rose' : 'fell';
  return `${metricWords(anomaly.metric, anomaly.operation)} ${verb} from ${showMetric(finite(anomaly.baseline), unit)} to ${showMetric(finite(anomaly.current), unit)}`;
}

/**
 * What happened to whom; what caused it, how much of it, how sure; what changed there; what has another cause.
 *
 * @param changed  at the first cause, most telling first
 */
export function summary(
  phenomenonText: string,
  walk: Walk,
  causes: readonly RankedCause[],
  endedMs: number | null,
  changed: readonly string[] = [],
): string {
  const end = phenomenonText.indexOf(' Also affected:');
  const first = end < 0 ? phenomenonText : phenomenonText.slice(0, end);
  const [cause] = causes;
  const over = endedMs === null ? '' : `, over since ${formatTime(endedMs)}`;
  const opening = `${first.replace(/\.$/, '')}${over}.`;
  if (cause === undefined) return `${opening} No suspect stands out: nothing in the telemetry explains it.`;
  const accounts = accountsFor(cause, walk.ledgers);
  const share = accounts === '' ? '' : `, which accounts for ${accounts}`;
  const [change] = changed;
  const further = [...(change === undefined ? [] : [`What changed there: ${change}.`]), ...furtherCauses(causes, walk)];
  if (cause.faultClass === 'unknown') {
    const arises = `The change arises at ${entityWords(cause.entity)}${share}, but no rule of the fault tree fits what is known of it.`;
    return [opening, arises, ...further].join(' ');
  }
  const hedge = walk.abstained ? 'Nothing stands out clearly; the best explanation is: ' : 'Cause: ';
  return [`${opening} ${hedge}${causeWords(cause)}${share}.`, ...further].join(' ');
}

/** Class and place, as headings and changes name a cause. */
export function causeName({ faultClass, entity }: RankedCause): string {
  return `${faultClass} at ${entityWords(entity)}`;
}

function causeWords(cause: RankedCause): string {
  const { title, confidence } = cause;
  return `${title} (${causeName(cause)}, confidence ${Math.round(confidence * 100)} %)`;
}

/** Two faults at once: what the first cause does not account for, and what has nothing to do with it. */
function furtherCauses(causes: readonly RankedCause[], walk: Walk): string[] {
  const others = otherCauses(causes, walk.ledgers).map(({ ledger, cause }) => {
    const share = shareWords(cause.shares[ledger.kind] ?? 0);
    return `Another cause accounts for ${share} of the ${ledgerChange(ledger)}: ${causeWords(cause)}.`;
  });
  const apart = causes.flatMap((cause) => {
    const own = (walk.further ?? []).find(
      ({ symptom, compared }) => symptom.name === cause.symptom?.name && compared?.current.fromMs === cause.sinceMs,
    );
    return own === undefined
      ? []
      : [`Apart from that: ${causeWords(cause)}, which accounts for ${accountsFor(cause, comparedLedgers(own))}.`];
  });
  return [...others, ...apart];
}

/** An entity with its kind, where several kinds stand side by side. */
export function entityWithKind(entity: Entity): string {
  const plain = entity.kind === 'service' || entity.kind === 'edge';
  return plain ? entityWords(entity) : `${entity.name} (${entity.kind})`;
}

/** What changed since the revision before, in words. */
export function changesSince(
  previous: Report | undefined,
  next: Omit<Report, 'id' | 'changedSincePrevious'>,
): string[] {
  if (previous === undefined) return [];
  const changes: string[] = [];
  if (previous.state !== next.state) changes.push(`state: ${previous.state} → ${next.state}`);
  const before = previous.causes[0];
  const after = next.causes[0];
  const name = (cause: RankedCause | undefined): string => (cause === undefined ? 'none' : causeName(cause));
  if (name(before) !== name(after)) changes.push(`first cause: ${name(before)} → ${name(after)}`);
  else if (before !== undefined && after !== undefined && before.confidence !== after.confidence) {
    changes.push(`confidence: ${Math.round(before.confidence * 100)} % → ${Math.round(after.confidence * 100)} %`);
  }
  const told = new Set(toldCauses(previous.causes, previous.ledgers).map(name));
  const joinedCauses = toldCauses(next.causes, next.ledgers).slice(1).map(name);
  for (const joined of joinedCauses.filter((one) => !told.has(one))) changes.push(`another cause: ${joined}`);
  const known = new Set(previous.affected.map((e) => `${e.kind}:${e.name}`));
  const joined = next.affected.filter((e) => !known.has(`${e.kind}:${e.name}`)).map(entityWords);
  if (joined.length > 0) changes.push(`affected too: ${listOf(joined, 6)}`);
  return changes;
}

/** Suggested checks: the first causes' own, then the missing telemetry. */
export function suggestedChecks(checks: readonly (readonly string[])[], comparison: Comparison): string[] {
  const all = [...new Set(checks.flat())].slice(0, 8);
  const silent = comparison.health.silentCollectors;
  if (silent.length > 0) all.push(`Restart or reach the silent collectors: ${listOf([...silent].sort(), 6)}`);
  return all;
}
