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
  'network_congestion',
  'accept_queue_overflow',
  'connection_reset',
  'host_unreachable',
  'dns_failure',
  'port_exhaustion',
  'file_descriptor_exhaustion',
  'connection_limit',
  'connection_pool_exhausted',
  'thread_pool_exhausted',
  'traffic_surge',
  'traffic_drop',
  'process_crash',
  'process_hang',
  'external_dependency',
  'telemetry_loss',
  'slow_downstream',
  'call_amplification',
  'unknown',
] as const;
export type FaultClass = (typeof FAULT_CLASSES)[number];

/** Three-valued evidence. */
export type Evidence3 = 'present' | 'absent' | 'unknown';

/** What a fact of a suspect may be. null: unknown, never 0 or false. */
export type FactValue = number | string | boolean | readonly string[] | null;

/** What part a condition played in the verdict. */
export type ConditionRole = 'needs' | 'supports' | 'excludes';

/** One evaluated condition of the tree. */
export interface EvaluatedCondition {
  readonly fact: string;
  readonly operator: string;
  readonly expected: unknown;
  /** null: unknown. Lists are joined by ", ". */
  readonly actual: number | string | boolean | null;
  readonly result: Evidence3;
  /** In words, with unit: `retransmit ratio 4.2 % (needs > 1 %)`. */
  readonly text: string;
  readonly unit?: string;
  readonly role?: ConditionRole;
  /** First window in which the fact's own evidence left its baseline. */
  readonly onsetMs?: number;
}

export interface Excluded {
  readonly faultClass: string;
  readonly reason: string;
  readonly ruleId?: string;
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
  /** The entity at fault, when it is not the suspect itself: the called end of an edge, one instance, one machine. */
  readonly blames?: Entity;
  /**
   * The suspect only waits for the entity it blames: when that entity has a verdict of its own, this one is part of it.
   */
  readonly defers?: boolean;
  /** One sentence about this class, from the rule. */
  readonly summary?: string;
  /** Checks for the person on call, from the rule. */
  readonly checks?: readonly string[];
  /** Earliest onset of the evidence that is present. */
  readonly onsetMs?: number;
  /** The facts that were known, by name: enough to evaluate other rules on this suspect later. */
  readonly facts?: Readonly<Record<string, FactValue>>;
  /** Unknown verdicts: rules that could neither be proved nor excluded. */
  readonly undecided?: readonly Excluded[];
}
