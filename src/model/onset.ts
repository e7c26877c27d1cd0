/** When anomalies began. */
import type { Anomaly } from './incident.ts';

/** The latest that the first of them may have begun: what had to be pooled to be seen is known to a stretch. Infinity: none. */
export function firstOnsetMs(anomalies: readonly Anomaly[]): number {
  return Math.min(...anomalies.map(({ onsetMs, onsetBlurMs = 0 }) => onsetMs + onsetBlurMs));
}

/**
 * From when on all is there of what services suffer, where some of it grew little by little: before, it is partly so.
 * undefined: nothing grew.
 */
export function grownSinceMs(anomalies: readonly Anomaly[]): number | undefined {
  const felt = anomalies.filter(({ entity, symptom }) => entity.kind === 'service' && symptom !== 'traffic_rise');
  if (felt.every(({ grownMs }) => grownMs === undefined)) return undefined;
  return Math.min(...felt.map(({ grownMs, onsetMs }) => grownMs ?? onsetMs));
}
