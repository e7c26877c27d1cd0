/**
 * What of a large environment belongs into a comparison: the services its anomalies speak of, their callers and callees,
 * and everything between them. Small environments are compared whole.
 */
import type { Anomaly } from '../model/incident.ts';
import { KEY_CALLEE, KEY_CALLER } from '../model/window.ts';
import type { Identities } from './window-builder.ts';

/** Leaves up to which everything is compared: about half a second. */
const WHOLE_UP_TO = 100_000;

/** True for a (caller, callee) pair of name ids that belongs into the comparison. */
export type Scope = (caller: number, callee: number) => boolean;

const EVERYTHING: Scope = () => true;

export function scopeOf(identities: Identities, anomalies: readonly Anomaly[]): Scope {
  const { calls, tcp, names } = identities;
  if (calls.size + tcp.size <= WHOLE_UP_TO || anomalies.length === 0) return EVERYTHING;
  const touched = new Set<number>();
  const machines = new Set<string>();
  for (const { entity } of anomalies) {
    if (entity.kind === 'service') touched.add(names.id(entity.name));
    else if (entity.kind === 'edge') {
      touched.add(names.id(entity.from ?? ''));
      touched.add(names.id(entity.to ?? ''));
    } else machines.add(entity.name);
  }
  for (const resource of identities.resources) {
    const hit = machines.has(resource.entity) || (resource.machine !== undefined && machines.has(resource.machine));
    if (hit && resource.service !== undefined) touched.add(names.id(resource.service));
  }
  const near = new Set(touched);
  for (let leaf = 0; leaf < calls.size; leaf++) {
    const caller = calls.keys[leaf * calls.width + KEY_CALLER]!;
    const callee = calls.keys[leaf * calls.width + KEY_CALLEE]!;
    if (touched.has(caller)) near.add(callee);
    if (touched.has(callee)) near.add(caller);
  }
  return (caller, callee) => touched.has(caller) || touched.has(callee) || (near.has(caller) && near.has(callee));
}
