/**
 * What of a large environment belongs into a comparison: the services its anomalies speak of, their callers and callees,
 * everything between them, their instances, whoever shares a machine with the first of them, and every machine. Small
 * environments are compared whole.
 */
import type { Anomaly } from '../model/incident.ts';
import type { Names, ResourceIdentity } from '../model/window.ts';
import { KEY_CALLEE, KEY_CALLER } from '../model/window.ts';
import type { Selection } from './compare-parts.ts';
import type { Identities } from './identities.ts';

export interface Scope {
  /** Of name ids. */
  holdsCall(caller: number, callee: number): boolean;
  holdsResource(identity: ResourceIdentity): boolean;
}

const EVERYTHING: Scope = { holdsCall: () => true, holdsResource: () => true };

/** Who was not seen since the first window of the comparison counts for nothing. Cost: O(leaves + resources). */
export function scopeOf(
  { calls, names, resources }: Identities,
  { fromMs, callLeaves, tcpLeaves }: Selection,
  anomalies: readonly Anomaly[],
  wholeLeaves: number,
): Scope {
  if (callLeaves.length + tcpLeaves.length <= wholeLeaves || anomalies.length === 0) return EVERYTHING;
  const { touched, machines } = touchedBy(anomalies, names, resources.seenSince(fromMs));
  const near = new Set(touched);
  for (const leaf of callLeaves) {
    const caller = calls.keys[leaf * calls.width + KEY_CALLER]!;
    const callee = calls.keys[leaf * calls.width + KEY_CALLEE]!;
    if (touched.has(caller)) near.add(callee);
    if (touched.has(callee)) near.add(caller);
  }
  const services = new Set([...near].map((id) => names.name(id)));
  return {
    holdsCall: (caller, callee) => touched.has(caller) || touched.has(callee) || (near.has(caller) && near.has(callee)),
    holdsResource: ({ entityKind, service, machine }) =>
      entityKind === 'machine' ||
      (service !== undefined && services.has(service)) ||
      (machine !== undefined && machines.has(machine)),
  };
}

/** Services the anomalies speak of, or that run on machines they speak of; and the machines of all of these. */
function touchedBy(
  anomalies: readonly Anomaly[],
  names: Names,
  resources: readonly ResourceIdentity[],
): { touched: ReadonlySet<number>; machines: ReadonlySet<string> } {
  const services = new Set<string>();
  const entities = new Set<string>();
  for (const { entity } of anomalies) {
    if (entity.kind === 'service') services.add(entity.name);
    else if (entity.kind === 'edge') services.add(entity.from ?? '').add(entity.to ?? '');
    else entities.add(entity.name);
  }
  for (const { entity, machine, service } of resources) {
    const isTouched = entities.has(entity) || (machine !== undefined && entities.has(machine));
    if (isTouched && service !== undefined) services.add(service);
  }
  const machines = new Set(entities);
  for (const { machine, service } of resources)
    if (machine !== undefined && service !== undefined && services.has(service)) machines.add(machine);
  return { touched: new Set([...services].map((name) => names.id(name))), machines };
}
