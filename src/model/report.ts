/** The root-cause report: what a person reads and a webhook carries. */
import type { Compared } from './compared.ts';
import type { Entity } from './entity.ts';
import type { IncidentState } from './incident.ts';
import type { EvaluatedCondition, Excluded, FactValue } from './verdict.ts';
import type { LedgerKind, LedgerShares, LedgerTerm, Observation } from './walk.ts';

export interface KeyMetric {
  readonly entity: Entity;
  readonly metric: string;
  /** Of this operation alone; absent: of all. */
  readonly operation?: string;
  readonly unit: string;
  /** null: unknown. */
  readonly baseline: number | null;
  readonly current: number | null;
  readonly onsetMs: number;
  /** It runs full little by little, and at this pace meets its limit then. */
  readonly limitAtMs?: number;
}

/** A ledger as JSON can carry it: NaN has become null. Entries add up to `change`. */
export interface ReportLedger {
  readonly kind: LedgerKind;
  readonly entry: string;
  readonly unit: 'us_per_request' | 'errors_per_request' | 'requests_per_s';
  readonly baseline: number | null;
  readonly current: number | null;
  readonly change: number | null;
  readonly entries: readonly ReportLedgerEntry[];
  /** Of what began later in the incident: what it compares. Absent: as the report. */
  readonly compared?: Compared;
}

export interface ReportLedgerEntry {
  readonly entity: Entity | null;
  /** `rest`: the small entries of a long ledger, summed. */
  readonly term: LedgerTerm | 'rest';
  readonly contribution: number | null;
  readonly share: number | null;
  readonly standardError: number | null;
  readonly baseline: number | null;
  readonly current: number | null;
  readonly note?: string;
}

export interface RankedCause {
  readonly rank: number;
  readonly entity: Entity;
  readonly faultClass: string;
  readonly title: string;
  /** One sentence about this cause, from the rule. */
  readonly summary?: string;
  readonly ruleId?: string;
  readonly confidence: number;
  /** Share of the symptom's change, the largest of `shares`; null: unknown. */
  readonly contribution: number | null;
  /** Share of each ledger's change: what this cause accounts for, and what it does not. */
  readonly shares: LedgerShares;
  /** Whose change that is, when it is not that of the report's first symptom: a fault of its own. */
  readonly symptom?: Entity;
  /** It began later in the incident: the symptom's change is that since then, against the incident before. */
  readonly sinceMs?: number;
  /** Class and evidence are this revision's: what came after no longer shows them. */
  readonly fromRevision?: number;
  readonly onsetMs: number | null;
  readonly evidence: readonly EvaluatedCondition[];
  readonly observations: readonly Observation[];
  readonly excluded: readonly Excluded[];
  readonly missing: readonly string[];
  readonly remedy: string | null;
  readonly path: readonly Entity[];
  /** Instances and machines the cause was narrowed to. */
  readonly instances: readonly string[];
  readonly machines: readonly string[];
  /** The suspects of the walk that blame this entity. */
  readonly suspects: readonly Entity[];
  /** Rules that could neither be proved nor excluded. */
  readonly undecided: readonly Excluded[];
  /** Known facts of the suspect (first causes only): `rootwalk rules explain` evaluates rules on them. */
  readonly facts?: Readonly<Record<string, FactValue>>;
}

export interface DrillDown {
  readonly dimension: string;
  readonly verdict: 'even' | 'concentrated' | 'unclear';
  readonly values: readonly { readonly value: string; readonly share: number }[];
  readonly pValue: number | null;
}

export interface AttributionSummary {
  readonly measure: string;
  readonly verdict: string;
  /** Of a ratio or mean: share of its change that is calls moved between values; absent where nothing changed. */
  readonly mixShare?: number;
  readonly singles: readonly DrillDown[];
  readonly elements: readonly {
    readonly element: string;
    readonly share: number;
    readonly confidence: number;
    /** 2(before − now)/(before + now): < 0 is a rise, −2 new, 2 gone. */
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
  /** It was over and came back then: what follows is about that. Absent: it did not. */
  readonly recurredMs?: number;
  readonly reportedMs: number;
  /** Window in which the incident was found to be over, after a while without trouble; null: it goes on. */
  readonly resolvedMs: number | null;
  /** End of the last window in which what users feel was abnormal; null: it goes on. */
  readonly endedMs: number | null;
  /** What, since when, who is affected. */
  readonly phenomenon: string;
  /** Two sentences. */
  readonly summary: string;
  /** What ledgers, drill-down and evidence compare: all windows of both spans. Absent in reports of earlier versions. */
  readonly compared?: Compared;
  readonly keyMetrics: readonly KeyMetric[];
  readonly causes: readonly RankedCause[];
  readonly propagation: readonly Entity[];
  readonly affected: readonly Entity[];
  readonly attribution: readonly AttributionSummary[];
  readonly ledgers: readonly ReportLedger[];
  readonly blindSpots: readonly string[];
  readonly checks: readonly string[];
  /** What changed since the revision before. */
  readonly changedSincePrevious: readonly string[];
  readonly configHash: string;
  readonly rulesHash: string;
}
