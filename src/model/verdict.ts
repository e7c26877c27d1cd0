/** What classification says of a suspect. */
import type { Entity } from './entity.ts';

/** Fault classes (FAULTS.md). `unknown` is a verdict. */
export const FAULT_CLASSES = [
  'packet_loss',
  'connection_filtered',
  'connection_refused',
  'cpu_throttling',
  'cpu_saturation',
  'noisy_neighbour',
  'memory_pressure',
  'oom_kill',
  'disk_latency',
  'slow_database',
  'database_lock',
  'application_errors',
  'slow_code',
  'network_latency',
  'accept_queue_overflow',
  'connection_reset',
  'traffic_surge',
  'traffic_drop',
  'process_crash',
  'external_dependency',
  'telemetry_loss',
  'unknown',
] as const;
export type FaultClass = (typeof FAULT_CLASSES)[number];

/** Three-valued evidence. */
export type Evidence3 = 'present' | 'absent' | 'unknown';

/** One evaluated condition of the tree. */
export interface EvaluatedCondition {
  readonly fact: string;
  readonly operator: string;
  readonly expected: unknown;
  /** null: unknown. */
  readonly actual: number | string | boolean | null;
  readonly result: Evidence3;
  readonly text: string;
}

export interface Excluded {
  readonly faultClass: string;
  readonly reason: string;
}

export interface Verdict {
  readonly suspect: Entity;
  readonly faultClass: string;
  /** Id of the rule that fired; absent for unknown. */
  readonly ruleId?: string;
  readonly title: string;
  /** 0..1 */
  readonly confidence: number;
  readonly evidence: readonly EvaluatedCondition[];
  readonly excluded: readonly Excluded[];
  /** Facts that were needed and unknown. */
  readonly missing: readonly string[];
  readonly remedy?: string;
}
