/** What changed since something else began in an incident, also of services that were in trouble already. */
import type { Comparison } from '../model/comparison.ts';
import { entityKey, service } from '../model/entity.ts';
import type { Anomaly, Symptom } from '../model/incident.ts';
import type { Flow, System } from './system.ts';
import { inbound, meanUs } from './system.ts';

/** A service's mean duration, or its errors, must have grown by this much since: as for an alarm, by default. */
const STEP_RATIO = 1.5;
/** Who waits for calls that became abnormal anew shows it by less, beside the trouble it had before. */
const WAITING_RATIO = 1.1;
const STEP_US = 3_000;
const STEP_ERRORS = 0.01;
const STEP_ERROR_COUNT = 5;
const MIN_REQUESTS = 10;

/**
 * The step with anomalies of services that were abnormal before and are more so since, besides its own.
 * Cost: O(services + anomalies).
 */
export function withSteps(system: System, step: Comparison): Comparison {
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
  return { ...step, anomalies: [...step.anomalies, ...steps] };
}
