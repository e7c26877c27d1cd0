/** When anomalies began. */
import type { Anomaly } from './incident.ts';

/** The latest that the first of them may have begun: what had to be pooled to be seen is known to a stretch. Infinity: none. */
export function firstOnsetMs(anomalies: readonly Anomaly[]): number {
  return Math.min(...anomalies.map(({ onsetMs, onsetBlurMs = 0 }) => onsetMs + onsetBlurMs));
}
