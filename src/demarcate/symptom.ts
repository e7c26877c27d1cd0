/** Which symptom to walk from: the service nearest to the users whose own numbers changed, and how it shows. */
import type { Comparison } from '../model/comparison.ts';
import type { Entity } from '../model/entity.ts';
import { compareNames, service } from '../model/entity.ts';
import type { Anomaly, Symptom } from '../model/incident.ts';
import type { LedgerKind } from '../model/walk.ts';
import { reach } from './latency-shares.ts';
import type { System } from './system.ts';
import { inbound, meanUs } from './system.ts';

export const LEDGER_OF: Partial<Record<Symptom, LedgerKind>> = {
  latency_rise: 'latency',
  error_rise: 'errors',
  traffic_drop: 'traffic',
  traffic_rise: 'traffic',
};

export interface ChosenSymptom {
  readonly entity: Entity;
  /** Ledgers its anomalies call for, the strongest symptom first. */
  readonly kinds: readonly LedgerKind[];
}

/** A service whose mean duration, or error ratio, is beyond these of before has changed itself. */
const FELT_RATIO = 1.1;
const FELT_ERRORS = 0.01;

/** Calls per request that changed by less than this factor are as many as before. */
const SAME_CALLS = 1.5;

/** So many more requests than before in flight at a window's end are no chance. */
const HANGING = 3;

/**
 * Among services with a latency, error or traffic symptom, of all their requests if there are such: the one from which
 * most of the other abnormal services are reached; ties go to more traffic, then to the name. An edge's anomaly counts for
 * its caller, or, where the caller is well (it does not wait for the call, or calls again), for its callee if that changed.
 */
export function chooseSymptom(
  system: System,
  comparison: Comparison,
  given: Entity | undefined,
): ChosenSymptom | undefined {
  const candidates = new Map<string, Anomaly[]>();
  for (const anomaly of comparison.anomalies) {
    const kind = LEDGER_OF[anomaly.symptom];
    // Who stops is replaced, and what one instance loses its siblings take over: the service's own traffic tells.
    if (kind === 'traffic' && anomaly.entity.kind === 'instance') continue;
    const name = kind === undefined ? undefined : feltBy(system, comparison, anomaly.entity, kind);
    if (name === undefined || system.service(name) === undefined) continue;
    candidates.set(name, [...(candidates.get(name) ?? []), anomaly]);
  }
  if (given !== undefined) {
    const name = serviceOf(given, comparison) ?? given.name;
    return { entity: service(name), kinds: kindsOf(candidates.get(name) ?? comparison.anomalies) };
  }
  const names = [...candidates.keys()];
  const able = names.filter((name) => inbound(system.service(name)) !== undefined);
  const having = (isFelt: (anomaly: Anomaly) => boolean): string[] =>
    able.filter((name) => candidates.get(name)!.some(isFelt));
  // More requests than usual are felt by nobody: they lead only where nothing else changed.
  const felt = having(({ symptom, operation }) => symptom !== 'traffic_rise' && operation === undefined);
  const partly = having(({ operation }) => operation !== undefined);
  const first =
    felt.length === 0 && partly.length > 0
      ? mostChanged(system, partly)
      : mostCovering(system, felt.length > 0 ? felt : able, names);
  if (first === undefined) return undefined;
  const kinds = kindsOf(candidates.get(first) ?? []);
  if (kinds.every((kind) => kind === 'traffic')) {
    const hanging = mostCovering(
      system,
      able.filter((name) => hangs(system, name)),
      names,
    );
    if (hanging !== undefined) return { entity: service(hanging), kinds: ['latency'] };
  }
  const name = kinds.every((kind) => kind === 'traffic') ? upstream(system, first) : first;
  return { entity: service(name), kinds };
}

/**
 * Whether requests that are missing have come and have no answer yet. Whose users went away has fewer in flight, not more; who
 * has no worker left holds few of all that wait.
 */
function hangs(system: System, name: string): boolean {
  const { held, waiting } = system.service(name) ?? {};
  const more = [held, waiting].map((open) =>
    open === undefined
      ? 0
      : open.current.count * system.spans.current.seconds - open.baseline.count * system.spans.baseline.seconds,
  );
  return Math.max(...more) >= HANGING;
}

/**
 * Of services of which only some operations are slower: the one whose mean rose by the largest factor. Others' noise is as
 * large as the change there, the more so the nearer to the users. Ties go by name.
 */
function mostChanged(system: System, names: readonly string[]): string | undefined {
  const rise = (name: string): number => {
    const { baseline, current } = inbound(system.service(name))!;
    const ratio = meanUs(current) / meanUs(baseline);
    return Number.isNaN(ratio) ? 0 : ratio;
  };
  const [first] = names
    .map((name) => ({ name, ratio: rise(name) }))
    .sort((a, b) => b.ratio - a.ratio || compareNames(a.name, b.name));
  return first?.name;
}

/** The service from which most of `covered` are reached; ties go to more traffic, then to the name. */
export function mostCovering(
  system: System,
  services: readonly string[],
  covered: readonly string[],
): string | undefined {
  const [first] = services
    .map((name) => {
      const reached = new Set(reach(system, name));
      const covers = covered.filter((other) => reached.has(other)).length;
      return { name, covers, traffic: inbound(system.service(name))?.baseline.count ?? 0 };
    })
    .sort((a, b) => b.covers - a.covers || b.traffic - a.traffic || compareNames(a.name, b.name));
  return first?.name;
}

/**
 * Where a change of nothing but traffic comes from: up from a service to the caller that brings most of it, as long as
 * that caller has requests of its own and these changed alike.
 */
function upstream(system: System, from: string): string {
  const seen = new Set([from]);
  for (let name = from; ; ) {
    const callers = system.callers(name).flatMap(({ from: caller, client, server }) => {
      const side = server ?? client;
      const own = inbound(system.service(caller));
      if (side === undefined || own === undefined || seen.has(caller)) return [];
      const perRequest = (when: 'baseline' | 'current'): number => side[when].count / own[when].count;
      const ratio = perRequest('current') / perRequest('baseline');
      const isAlike = ratio < SAME_CALLS && ratio > 1 / SAME_CALLS;
      return isAlike ? [{ caller, change: Math.abs(side.current.count - side.baseline.count) }] : [];
    });
    const most = callers.sort((a, b) => b.change - a.change || compareNames(a.caller, b.caller))[0];
    if (most === undefined) return name;
    name = most.caller;
    seen.add(name);
  }
}

function feltBy(system: System, comparison: Comparison, entity: Entity, kind: LedgerKind): string | undefined {
  const name = serviceOf(entity, comparison);
  if (entity.kind !== 'edge' || name === undefined || entity.to === undefined) return name;
  return !hasChanged(system, name, kind) && hasChanged(system, entity.to, kind) ? entity.to : name;
}

/** Whether a service itself got slower, or fails more, enough to be felt by who calls it. */
export function hasChanged(system: System, name: string, kind: LedgerKind): boolean {
  const flows = inbound(system.service(name));
  if (flows === undefined) return false;
  const { baseline, current } = flows;
  if (kind === 'latency') return meanUs(current) > FELT_RATIO * meanUs(baseline);
  if (kind === 'errors') return current.errors / current.count > baseline.errors / baseline.count + FELT_ERRORS;
  return true;
}

function kindsOf(anomalies: readonly Anomaly[]): LedgerKind[] {
  const best = new Map<LedgerKind, number>();
  for (const { symptom, score } of anomalies) {
    const kind = LEDGER_OF[symptom];
    if (kind !== undefined) best.set(kind, Math.max(best.get(kind) ?? 0, score));
  }
  // Who waits or fails sends less: traffic leads only where nothing else changed.
  const last = (kind: LedgerKind): number => Number(kind === 'traffic');
  return [...best]
    .sort((a, b) => last(a[0]) - last(b[0]) || b[1] - a[1] || compareNames(a[0], b[0]))
    .map(([kind]) => kind);
}

export function serviceOf(entity: Entity, comparison: Comparison): string | undefined {
  if (entity.kind === 'service') return entity.name;
  if (entity.kind === 'edge') return entity.from;
  if (entity.kind === 'instance') return comparison.topology.partOf.find(([instance]) => instance === entity.name)?.[1];
  return undefined;
}
