/**
 * An incident goes on, and something else begins: what waited floods its callees when a hung process wakes up, or a second
 * fault strikes. What began later cannot have caused what was there before, but it would be in every mean; so the first
 * trouble is walked in the windows before it, and the later one by itself.
 */
import type { Comparison } from '../model/comparison.ts';
import { entityKey } from '../model/entity.ts';
import type { Anomaly } from '../model/incident.ts';
import { firstOnsetMs } from '../model/onset.ts';
import { LEDGER_OF } from './symptom.ts';

/**
 * Windows of the first trouble that are enough to judge it by; what begins sooner may be its spreading. And of the later
 * one: what lasts for less is an echo of how the first one ended.
 */
export const ENOUGH_WINDOWS = 6;

/**
 * Start of the first window in which a service got slow or failing that is no caller, near or far, of one that was before:
 * trouble rises to callers in its own time. undefined: there is none.
 * Cost: O(anomalies + edges).
 */
export function laterTroubleMs(comparison: Comparison): number | undefined {
  const { anomalies, topology } = comparison;
  const late = beganMs(comparison) + ENOUGH_WINDOWS * comparison.windowMs;
  const began = new Map<string, number>();
  for (const { entity, onsetMs } of anomalies.filter(isFelt))
    began.set(entity.name, Math.min(began.get(entity.name) ?? Number.POSITIVE_INFINITY, onsetMs));
  const before = [...began].flatMap(([name, onsetMs]) => (onsetMs < late ? [name] : []));
  const above = callersOf(before, topology.calls);
  const later = [...began].filter(([name, onsetMs]) => onsetMs >= late && !above.has(name));
  return later.length === 0 ? undefined : Math.min(...later.map(([, onsetMs]) => onsetMs));
}

/** A service got slow, or fails. */
function isFelt({ entity, symptom }: Anomaly): boolean {
  const kind = LEDGER_OF[symptom];
  return entity.kind === 'service' && (kind === 'latency' || kind === 'errors');
}

/** The latest the incident may have begun: sparse series tell it to a block of windows. Resources may show it long before. */
function beganMs({ anomalies, current }: Comparison): number {
  const onsetMs = firstOnsetMs(
    anomalies.filter(({ entity, symptom }) => entity.kind === 'service' && symptom in LEDGER_OF),
  );
  return Number.isFinite(onsetMs) ? Math.max(current.fromMs, onsetMs) : current.fromMs;
}

/** At most so many are looked at: each costs a comparison and a walk. */
const MAX_STEPS = 2;

/**
 * Starts of the windows, long enough after the incident began and apart from each other, in which most entities became
 * abnormal anew: where other faults may have struck whoever suffers already. Ascending.
 * @param troubleMs  `laterTroubleMs` of the same: always one of them
 */
export function laterStepsMs(comparison: Comparison, troubleMs: number | undefined): number[] {
  const { anomalies, windowMs } = comparison;
  const enoughMs = ENOUGH_WINDOWS * windowMs;
  const late = beganMs(comparison) + enoughMs;
  const fresh = new Map<number, Set<string>>();
  for (const { entity, onsetMs } of anomalies) {
    if (onsetMs >= late) fresh.set(onsetMs, (fresh.get(onsetMs) ?? new Set()).add(entityKey(entity)));
  }
  const steps = troubleMs === undefined ? [] : [troubleMs];
  for (const [onsetMs] of [...fresh].sort(([a, some], [b, others]) => others.size - some.size || a - b)) {
    if (steps.length === MAX_STEPS) break;
    if (steps.every((step) => Math.abs(onsetMs - step) >= enoughMs)) steps.push(onsetMs);
  }
  return steps.sort((a, b) => a - b);
}

/** All that calls one of them, directly or not. */
function callersOf(names: readonly string[], calls: readonly (readonly [string, string])[]): ReadonlySet<string> {
  const callers = new Map<string, string[]>();
  for (const [from, to] of calls) {
    const known = callers.get(to);
    if (known === undefined) callers.set(to, [from]);
    else known.push(from);
  }
  const found = new Set<string>();
  const open = [...names];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const caller of callers.get(name) ?? []) {
      if (found.has(caller)) continue;
      found.add(caller);
      open.push(caller);
    }
  }
  return found;
}
