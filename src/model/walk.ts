/** What demarcation says: the ledger and the suspects it leads to. */
import type { Compared } from './compared.ts';
import type { Entity } from './entity.ts';
import type { Symptom } from './incident.ts';

export const LEDGERS = ['latency', 'errors', 'traffic'] as const;
export type LedgerKind = (typeof LEDGERS)[number];

/** Share of each ledger's change; a ledger that does not know is absent. */
export type LedgerShares = Readonly<Partial<Record<LedgerKind, number>>>;

export const LEDGER_TERMS = ['self', 'network', 'visits', 'calls', 'originated', 'caller', 'unexplained'] as const;
export type LedgerTerm = (typeof LEDGER_TERMS)[number];

export interface LedgerEntry {
  /** Absent for `unexplained`. */
  readonly entity?: Entity;
  readonly term: LedgerTerm;
  /** Same unit as the ledger's change. */
  readonly contribution: number;
  /** contribution / change; NaN when the change is 0. */
  readonly share: number;
  /** Standard error from the baseline's own noise; NaN: unknown. */
  readonly standardError: number;
  readonly baseline: number;
  readonly current: number;
  readonly note?: string;
}

/** Entries add up to `change` (to 1e-9 relative), `unexplained` included. */
export interface Ledger {
  readonly kind: LedgerKind;
  /** The service whose symptom is explained. */
  readonly entry: string;
  /** us per request, errors per request, requests per second. */
  readonly unit: 'us_per_request' | 'errors_per_request' | 'requests_per_s';
  readonly baseline: number;
  readonly current: number;
  readonly change: number;
  readonly entries: readonly LedgerEntry[];
}

/** A named observation about a suspect, in words and numbers. */
export interface Observation {
  readonly text: string;
  readonly metric?: string;
  readonly baseline?: number;
  readonly current?: number;
}

export interface Suspect {
  readonly entity: Entity;
  /** 0..1 share of the symptom's change this suspect accounts for; NaN when only topology and scores were available. */
  readonly contribution: number;
  /** The same for every ledger of the incident, with what waited for this suspect and what it was merged with. */
  readonly shares: LedgerShares;
  /** Ranking score, higher is worse; deterministic. */
  readonly score: number;
  /** Earliest onset of the suspect's own anomalies. */
  readonly onsetMs?: number;
  readonly symptoms: readonly Symptom[];
  /** Which ledger term made it a suspect: self time, network, originated errors, … */
  readonly term: LedgerTerm;
  /** Entities from the suspect to the symptom. */
  readonly path: readonly Entity[];
  readonly observations: readonly Observation[];
  /** The instances, machines or edge ends this suspect was narrowed from or to. */
  readonly service?: string;
  readonly instances?: readonly string[];
  readonly machines?: readonly string[];
}

export interface Walk {
  /** The entity whose symptom was walked from. */
  readonly symptom: Entity;
  readonly ledgers: readonly Ledger[];
  /** Highest score first; ties by entity key. */
  readonly suspects: readonly Suspect[];
  /** True when nothing stood out: suspects are then only the best of a bad lot. */
  readonly abstained: boolean;
  readonly notes: readonly string[];
  /** Walks from symptoms that the suspects above do not account for: faults that have nothing to do with them. */
  readonly further?: readonly Walk[];
  /** Of a walk from what began later in the incident: what it compares. Absent: as the first walk. */
  readonly compared?: Compared;
}
