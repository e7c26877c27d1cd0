/** Which symptom to walk from: the service nearest to the users whose own numbers changed, and how it shows. */
import type { Comparison } from '../model/comparison.ts';
import type { Entity } from '../model/entity.ts';
import { compareNames, service } from '../model/entity.ts';
import type { Anomaly, Symptom } from '../model/incident.ts';
import type { LedgerKind } from '../model/walk.ts';
import { reach } from './latency-shares.ts';
import type { System } from './system.ts';
import { inbound } from './system.ts';

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

/**
 * Among services with a latency, error or traffic symptom: the one from which most of the other abnormal services are
 * reached; ties go to more traffic, then to the name. An edge's anomaly counts for its caller.
 */
export function chooseSymptom(
  system: System,
  comparison: Comparison,
  given: Entity | undefined,
): ChosenSymptom | undefined {
  const candidates = new Map<string, Anomaly[]>();
  for (const anomaly of comparison.anomalies) {
    const name = serviceOf(anomaly.entity, comparison);
    if (name === undefined || LEDGER_OF[anomaly.symptom] === undefined || system.service(name) === undefined) continue;
    candidates.set(name, [...(candidates.get(name) ?? []), anomaly]);
  }
  if (given !== undefined) {
    const name = serviceOf(given, comparison) ?? given.name;
    return { entity: service(name), kinds: kindsOf(candidates.get(name) ?? comparison.anomalies) };
  }
  const names = [...candidates.keys()];
  // More requests than usual are felt by nobody: they lead only where nothing else changed.
  const felt = names.filter((name) => candidates.get(name)!.some(({ symptom }) => symptom !== 'traffic_rise'));
  const ranked = (felt.length > 0 ? felt : names)
    .filter((name) => inbound(system.service(name)) !== undefined)
    .map((name) => {
      const reached = new Set(reach(system, name));
      const covers = names.filter((other) => reached.has(other)).length;
      return { name, covers, traffic: inbound(system.service(name))?.baseline.count ?? 0 };
    })
    .sort((a, b) => b.covers - a.covers || b.traffic - a.traffic || compareNames(a.name, b.name));
  const first = ranked[0];
  return first === undefined
    ? undefined
    : { entity: service(first.name), kinds: kindsOf(candidates.get(first.name) ?? []) };
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
