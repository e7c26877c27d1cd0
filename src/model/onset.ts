/** When anomalies began. */
import type { Anomaly } from './incident.ts';

/** The latest that the first of them may have begun: what had to be pooled to be seen is known to a stretch. Infinity: none. */
export function firstOnsetMs(anomalies: readonly Anomaly[]): number {
  return Math.min(...anomalies.map(({ onsetMs, onsetBlurMs = 0 }) => onsetMs + onsetBlurMs));
}

/** When services' symptoms were all there; undefined: none of them grew little by little. */
function thereMs(anomalies: readonly Anomaly[]): number[] | undefined {
  const felt = anomalies.filter(({ entity, symptom }) => entity.kind === 'service' && symptom !== 'traffic_rise');
  if (felt.every(({ grownMs }) => grownMs === undefined)) return undefined;
  return felt.map(({ grownMs, onsetMs }) => grownMs ?? onsetMs);
}

/** From when on anything of what services suffer was all there, where some of it grew; before, it grew. */
export function grownSinceMs(anomalies: readonly Anomaly[]): number | undefined {
  const there = thereMs(anomalies);
  return there === undefined ? undefined : Math.min(...there);
}

/**
 * From when on all of it was there, where some of it grew: windows before dilute what it is now.
 * @param untilMs  what came later than this was there for too short a time to be waited for
 */
export function allThereMs(anomalies: readonly Anomaly[], untilMs: number): number | undefined {
  const there = thereMs(anomalies);
  if (there === undefined) return undefined;
  return Math.max(Math.min(...there), ...there.filter((ms) => ms <= untilMs));
}
