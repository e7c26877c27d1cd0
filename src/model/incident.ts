/** What detection says: anomalies of series, grouped into incidents. */
import type { Entity } from './entity.ts';

/** The symptom a series shows. */
export const SYMPTOMS = [
  'latency_rise',
  'error_rise',
  'traffic_drop',
  'traffic_rise',
  'retransmit_rise',
  'drop_rise',
  'connect_failure_rise',
  'rtt_rise',
  'reset_rise',
  'saturation',
  'throttling',
  'memory_pressure',
  'oom_kill',
  'restart',
  'resource_rise',
  'resource_drop',
  'silent',
] as const;
export type Symptom = (typeof SYMPTOMS)[number];

/** What users of a service, or its callers, feel; most telling first. */
export const FELT_SYMPTOMS: readonly Symptom[] = ['error_rise', 'latency_rise', 'traffic_drop', 'connect_failure_rise'];

/** One series that is abnormal now. */
export interface Anomaly {
  readonly entity: Entity;
  /** Metric with its unit: request_rate_per_s, error_ratio, duration_mean_us, duration_p99_us, retransmit_ratio, … */
  readonly metric: string;
  readonly symptom: Symptom;
  /** Side the numbers were seen from, when it matters. */
  readonly side?: 'client' | 'server';
  /** Of this operation alone; absent: of all. */
  readonly operation?: string;
  /** Start of the first window in which the change is visible (change-point), not of the window that raised the alarm. */
  readonly onsetMs: number;
  /** It began within this time from onsetMs on, where windows had to be pooled to see it. */
  readonly onsetBlurMs?: number;
  /** It changed little by little: grown beyond what is usual since then. */
  readonly grownMs?: number;
  /** At the pace of the last half hour it meets its limit then. */
  readonly limitAtMs?: number;
  /** Start of the window in which it was raised. */
  readonly detectedMs: number;
  /** Start of the last abnormal window so far. */
  readonly lastMs: number;
  readonly baseline: number;
  /** Mean of the abnormal windows since the alarm; of crashes their number, for they are rare. */
  readonly current: number;
  /** Standard deviations or the equivalent of the test's p-value: comparable between series; > 0. */
  readonly score: number;
  /** Requests, connections or samples behind `current`, all windows together. */
  readonly volume: number;
}

export type IncidentState = 'open' | 'resolved';

/** From its onset until it is resolved. */
export interface Bout {
  /** Onset of its earliest symptom. */
  readonly startMs: number;
  /** Window (start) in which it was opened. */
  readonly openedMs: number;
}

export interface Incident extends Bout {
  /** Stable: derived from environment, first symptom's entity and its onset. */
  readonly id: string;
  readonly environment: string;
  readonly state: IncidentState;
  /** It was resolved and came back: its last bout, which all that follows is of. Absent: it did not. */
  readonly again?: Bout;
  readonly updatedMs: number;
  /** Start of the last window in which something users feel was abnormal; evidence may linger after it. */
  readonly lastSymptomMs: number;
  readonly resolvedMs?: number;
  /** Service-level symptoms first, then by score. Of a resolved one without what began after its last symptom. */
  readonly anomalies: readonly Anomaly[];
}

/** The trouble there is now, or was last: what came before in the same incident may have had another cause. */
export function lastBout(incident: Incident): Bout {
  return incident.again ?? incident;
}

export type IncidentEventKind = 'opened' | 'updated' | 'resolved';

export interface IncidentEvent {
  readonly kind: IncidentEventKind;
  readonly incident: Incident;
  /** Event time (start of the window whose closing caused it). */
  readonly atMs: number;
}
