/**
 * An incident goes on, and something else begins: what waited floods its callees when a hung process wakes up, or a second
 * fault strikes. What began later cannot have caused what was there before, but it would be in every mean; so the first
 * trouble is walked in the windows before it, and the later one by itself.
 */
import type { Comparison } from '../model/comparison.ts';
import { entityKey, service } from '../model/entity.ts';
import type { Anomaly, Symptom } from '../model/incident.ts';
import { LEDGER_OF } from './symptom.ts';
import type { Flow } from './system.ts';
import { buildSystem, inbound, meanUs } from './system.ts';

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
  const symptoms = anomalies.filter(({ entity, symptom }) => entity.kind === 'service' && symptom in LEDGER_OF);
  const onsets = symptoms.map(({ onsetMs, onsetBlurMs = 0 }) => onsetMs + onsetBlurMs);
  return onsets.length === 0 ? current.fromMs : Math.max(current.fromMs, Math.min(...onsets));
}

/** At most so many are looked at: each costs a comparison and a walk. */
const MAX_STEPS = 2;

/**
 * Starts of the windows, long enough after the incident began and apart from each other, in which most entities became
 * abnormal anew: where other faults may have struck whoever suffers already. Ascending; later trouble is always one.
 */
export function laterStepsMs(comparison: Comparison): number[] {
  const { anomalies, windowMs } = comparison;
  const enoughMs = ENOUGH_WINDOWS * windowMs;
  const late = beganMs(comparison) + enoughMs;
  const fresh = new Map<number, Set<string>>();
  for (const { entity, onsetMs } of anomalies) {
    if (onsetMs >= late) fresh.set(onsetMs, (fresh.get(onsetMs) ?? new Set()).add(entityKey(entity)));
  }
  const trouble = laterTroubleMs(comparison);
  const steps = trouble === undefined ? [] : [trouble];
  for (const [onsetMs] of [...fresh].sort(([a, some], [b, others]) => others.size - some.size || a - b)) {
    if (steps.length === MAX_STEPS) break;
    if (steps.every((step) => Math.abs(onsetMs - step) >= enoughMs)) steps.push(onsetMs);
  }
  return steps.sort((a, b) => a - b);
}

/** A service's mean duration, or its errors, must have grown by this much since: as for an alarm, by default. */
const STEP_RATIO = 1.5;
/** Who waits for calls that became abnormal anew shows it by less, beside the trouble it had before. */
const WAITING_RATIO = 1.1;
const STEP_US = 3_000;
const STEP_ERRORS = 0.01;
const STEP_ERROR_COUNT = 5;
const MIN_REQUESTS = 10;

/** The anomalies of a step, and those of services that were abnormal before and are more so since. */
export function withSteps(step: Comparison): readonly Anomaly[] {
  const system = buildSystem(step);
  const known = new Set(step.anomalies.map(({ entity, symptom }) => `${entityKey(entity)}|${symptom}`));
  const waiting = new Set(
    step.anomalies.flatMap(({ entity, symptom }) =>
      entity.kind === 'edge' && symptom === 'latency_rise' ? [entity.from] : [],
    ),
  );
  const steps = system.services.flatMap((name): Anomaly[] => {
    const flows = inbound(system.service(name));
    if (flows === undefined) return [];
    const { baseline, current } = flows;
    const { seconds } = system.spans.current;
    if (Math.min(baseline.count * system.spans.baseline.seconds, current.count * seconds) < MIN_REQUESTS) return [];
    const found: Anomaly[] = [];
    const add = (symptom: Symptom, metric: string, was: number, is: number): void => {
      if (known.has(`${entityKey(service(name))}|${symptom}`)) return;
      found.push({
        entity: service(name),
        metric,
        symptom,
        onsetMs: step.current.fromMs,
        detectedMs: step.current.fromMs,
        lastMs: step.current.toMs - step.windowMs,
        baseline: was,
        current: is,
        score: 1,
        volume: current.count * seconds,
      });
    };
    const [wasUs, isUs] = [meanUs(baseline), meanUs(current)];
    const least = waiting.has(name) ? WAITING_RATIO : STEP_RATIO;
    if (isUs > least * wasUs && isUs > wasUs + STEP_US) add('latency_rise', 'duration_mean_us', wasUs, isUs);
    const share = ({ errors, count }: Flow): number => errors / count;
    const more = (current.errors - share(baseline) * current.count) * seconds;
    if (share(current) > share(baseline) + STEP_ERRORS && more >= STEP_ERROR_COUNT)
      add('error_rise', 'error_ratio', share(baseline), share(current));
    return found;
  });
  return [...step.anomalies, ...steps];
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
