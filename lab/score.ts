/** Scores what a system reported against what was really done: who, what kind, how often, how soon. */
import type { Entity } from '../src/model/entity.ts';
import { entityKey } from '../src/model/entity.ts';
import type { RankedCause } from '../src/model/report.ts';
import type { DeliveredReport } from './system-under-test.ts';
import type { InjectedFault, Truth } from './types.ts';

/** An incident may begin a little before its fault (windows are 5 s) and come to an end some time after it. */
const EARLY_MS = 10_000;
const LATE_MS = 60_000;

export interface FaultScore {
  readonly kind: string;
  readonly truth: Truth;
  /** Faults at work at the same time, this one included. So many causes, and so many incidents, may be right. */
  readonly together: number;
  /**
   * First cause of the last report of the first incident; of faults at once the one of their first causes, in the first
   * incident that has it, that names this fault. null: no report.
   */
  readonly top1: { readonly entity: Entity; readonly faultClass: string; readonly confidence: number } | null;
  /** It is the true entity, or one of `acceptEntities`, or its service narrowed to the true instance. */
  readonly top1Entity: boolean;
  /** It is exactly the true entity. */
  readonly top1Exact: boolean;
  readonly classMatch: boolean;
  readonly classExact: boolean;
  /** Rank of the first right entity among the causes, 1 for the first; null: none. */
  readonly rank: number | null;
  /** Incidents that overlap the fault: one, at most `together`. */
  readonly incidents: number;
  /** Seconds from the onset to the first report since, and to the first with a right first cause; null: none came. */
  readonly onsetToReportS: number | null;
  readonly onsetToRightReportS: number | null;
}

export interface Score {
  readonly faults: readonly FaultScore[];
  /** Incidents that overlap no fault. */
  readonly falseIncidents: readonly {
    readonly incidentId: string;
    readonly phenomenon: string;
    readonly startMs: number;
  }[];
  readonly reports: number;
}

function sameEntity(a: Entity, b: Entity): boolean {
  return entityKey(a) === entityKey(b);
}

/** True when a cause names what is at fault, by the truth's own entity or one that is as right. */
export function namesTruth(cause: RankedCause, truth: Truth): boolean {
  const { entity, acceptEntities = [] } = truth;
  if ([entity, ...acceptEntities].some((right) => sameEntity(cause.entity, right))) return true;
  return entity.kind === 'instance' && cause.entity.kind === 'service' && cause.instances.join() === entity.name;
}

function classFits(faultClass: string, truth: Truth): boolean {
  return [truth.faultClass, ...(truth.acceptClasses ?? [])].some((right) => right === faultClass);
}

/** Reports of one incident, in the order of arrival. */
interface IncidentReports {
  readonly incidentId: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly reports: readonly DeliveredReport[];
}

function byIncident(reports: readonly DeliveredReport[]): IncidentReports[] {
  const groups = new Map<string, DeliveredReport[]>();
  for (const one of reports) {
    const group = groups.get(one.report.incidentId);
    if (group === undefined) groups.set(one.report.incidentId, [one]);
    else group.push(one);
  }
  return [...groups].map(([incidentId, group]) => ({
    incidentId,
    startMs: Math.min(...group.map(({ report }) => report.startMs)),
    endMs: Math.max(...group.map(({ report }) => report.resolvedMs ?? Number.POSITIVE_INFINITY)),
    reports: group.toSorted((a, b) => a.receivedMs - b.receivedMs),
  }));
}

function overlaps(incident: IncidentReports, fault: InjectedFault): boolean {
  return incident.startMs >= fault.fromMs - EARLY_MS && incident.startMs <= fault.toMs + LATE_MS;
}

/** Faults at work at the same time as this one, itself included. */
function withOthers(fault: InjectedFault, faults: readonly InjectedFault[]): InjectedFault[] {
  return faults.filter((other) => other === fault || (other.fromMs < fault.toMs && fault.fromMs < other.toMs));
}

function scoreFault(
  fault: InjectedFault,
  faults: readonly InjectedFault[],
  incidents: readonly IncidentReports[],
): FaultScore {
  const { truth } = fault;
  const all = withOthers(fault, faults);
  const together = all.length;
  // The incident of a fault that came before goes on: a second one is told in it.
  const mine = incidents
    .filter((incident) => all.some((one) => overlaps(incident, one)))
    .toSorted((a, b) => (a.reports[0]?.receivedMs ?? 0) - (b.reports[0]?.receivedMs ?? 0));
  const leads = (report: DeliveredReport | undefined): readonly RankedCause[] =>
    report?.report.causes.slice(0, together) ?? [];
  const naming = (report: DeliveredReport | undefined) => leads(report).find((cause) => namesTruth(cause, truth));
  const first = mine.find(({ reports }) => naming(reports.at(-1)) !== undefined) ?? mine[0];
  const judged = first?.reports.at(-1)?.report;
  const top = naming(first?.reports.at(-1)) ?? judged?.causes[0];
  const rank = judged?.causes.findIndex((cause) => namesTruth(cause, truth)) ?? -1;
  const seconds = (report: DeliveredReport | undefined): number | null =>
    report === undefined ? null : (report.receivedMs - fault.fromMs) / 1_000;
  const right = first?.reports.find((report) => naming(report) !== undefined);
  return {
    kind: fault.kind,
    truth,
    together,
    top1: top === undefined ? null : { entity: top.entity, faultClass: top.faultClass, confidence: top.confidence },
    top1Entity: top !== undefined && namesTruth(top, truth),
    top1Exact: top !== undefined && sameEntity(top.entity, truth.entity),
    classMatch: top !== undefined && classFits(top.faultClass, truth),
    classExact: top?.faultClass === truth.faultClass,
    rank: rank < 0 ? null : rank + 1,
    incidents: mine.length,
    onsetToReportS: seconds(first?.reports.find(({ receivedMs }) => receivedMs >= fault.fromMs)),
    onsetToRightReportS: seconds(right),
  };
}

/** Pure: the same faults and reports give the same score. */
export function score(faults: readonly InjectedFault[], reports: readonly DeliveredReport[]): Score {
  const incidents = byIncident(reports);
  const strays = incidents.filter((incident) => !faults.some((fault) => overlaps(incident, fault)));
  return {
    faults: faults.map((fault) => scoreFault(fault, faults, incidents)),
    falseIncidents: strays.map(({ incidentId, startMs, reports: own }) => ({
      incidentId,
      phenomenon: own.at(-1)?.report.phenomenon ?? '',
      startMs,
    })),
    reports: reports.length,
  };
}

/** One incident, or of faults at once at most one for each. */
export function isOneIncident({ incidents, together }: FaultScore): boolean {
  return incidents >= 1 && incidents <= together;
}

export interface Summary {
  readonly runs: number;
  readonly faults: number;
  readonly top1Entity: number;
  readonly top1Exact: number;
  readonly classMatch: number;
  readonly classExact: number;
  readonly exactlyOneIncident: number;
  readonly falseIncidents: number;
  readonly onsetToReportMedianS: number | null;
  readonly onsetToReportWorstS: number | null;
  readonly healthyMinutes: number;
}

/** Sums over runs; `healthyS` is the time in which no fault was at work. */
export function summarise(runs: readonly { readonly score: Score; readonly healthyS: number }[]): Summary {
  const faults = runs.flatMap((run) => run.score.faults);
  const count = (test: (fault: FaultScore) => boolean): number => faults.filter(test).length;
  const times = faults.flatMap((fault) => (fault.onsetToReportS === null ? [] : [fault.onsetToReportS]));
  times.sort((a, b) => a - b);
  const middle = (times.length - 1) / 2;
  const median = ((times[Math.floor(middle)] ?? 0) + (times[Math.ceil(middle)] ?? 0)) / 2;
  return {
    runs: runs.length,
    faults: faults.length,
    top1Entity: count((fault) => fault.top1Entity),
    top1Exact: count((fault) => fault.top1Exact),
    classMatch: count((fault) => fault.classMatch),
    classExact: count((fault) => fault.classExact),
    exactlyOneIncident: count(isOneIncident),
    falseIncidents: runs.reduce((sum, run) => sum + run.score.falseIncidents.length, 0),
    onsetToReportMedianS: times.length === 0 ? null : median,
    onsetToReportWorstS: times.at(-1) ?? null,
    healthyMinutes: runs.reduce((sum, run) => sum + run.healthyS, 0) / 60,
  };
}
