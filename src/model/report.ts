/** The root-cause report: what a person reads and a webhook carries. */
import type { Entity } from './entity.ts';
import type { IncidentState } from './incident.ts';
import type { EvaluatedCondition, Excluded } from './verdict.ts';
import type { Ledger, Observation } from './walk.ts';

export interface KeyMetric {
  readonly entity: Entity;
  readonly metric: string;
  readonly unit: string;
  readonly baseline: number;
  readonly current: number;
  readonly onsetMs: number;
}

export interface RankedCause {
  readonly rank: number;
  readonly entity: Entity;
  readonly faultClass: string;
  readonly title: string;
  readonly confidence: number;
  /** Share of the symptom's change; null: unknown. */
  readonly contribution: number | null;
  readonly onsetMs: number | null;
  readonly evidence: readonly EvaluatedCondition[];
  readonly observations: readonly Observation[];
  readonly excluded: readonly Excluded[];
  readonly missing: readonly string[];
  readonly remedy: string | null;
  readonly path: readonly Entity[];
}

export interface DrillDown {
  readonly dimension: string;
  readonly verdict: 'even' | 'concentrated';
  readonly values: readonly { readonly value: string; readonly share: number }[];
  readonly pValue: number | null;
}

export interface AttributionSummary {
  readonly measure: string;
  readonly verdict: string;
  readonly singles: readonly DrillDown[];
  readonly elements: readonly {
    readonly element: string;
    readonly share: number;
    readonly confidence: number;
    readonly deviation: number;
  }[];
}

export interface Report {
  readonly schemaVersion: 1;
  /** Content-derived: redelivery is harmless. */
  readonly id: string;
  readonly incidentId: string;
  readonly revision: number;
  readonly provisional: boolean;
  readonly environment: string;
  readonly state: IncidentState;
  readonly startMs: number;
  readonly openedMs: number;
  readonly reportedMs: number;
  readonly resolvedMs: number | null;
  /** What, since when, who is affected. */
  readonly phenomenon: string;
  /** Two sentences. */
  readonly summary: string;
  readonly keyMetrics: readonly KeyMetric[];
  readonly causes: readonly RankedCause[];
  readonly propagation: readonly Entity[];
  readonly affected: readonly Entity[];
  readonly attribution: readonly AttributionSummary[];
  readonly ledgers: readonly Ledger[];
  readonly blindSpots: readonly string[];
  readonly checks: readonly string[];
  /** What changed since the revision before. */
  readonly changedSincePrevious: readonly string[];
  readonly configHash: string;
  readonly rulesHash: string;
}
