/** The store's interface: everything that must survive a restart. */
import type { Incident } from '../model/incident.ts';
import type { Outbox } from '../model/outbox.ts';
import type { Report } from '../model/report.ts';

/** How far one source (topic and partition, or a recording) has been consumed. */
export interface Position {
  /** `topic/partition` or any stable name. */
  readonly source: string;
  /** Next offset to read, as text: Kafka offsets exceed 2^53. */
  readonly offset: string;
}

/** What one step of the engine changed. Applied whole or not at all. */
export interface Effect {
  readonly incident?: Incident;
  /** Stored once per id; its outbox message is written with it unless `silent`. */
  readonly report?: Report;
  /** Store the report without telling anyone (replay, provisional). */
  readonly silent?: boolean;
  readonly positions?: readonly Position[];
  /** Engine state by key; null removes. */
  readonly state?: Readonly<Record<string, string | null>>;
}

export interface EffectResult {
  /** False: this report id was already stored, nothing new was queued. */
  readonly reportStored: boolean;
  readonly messageId: string | null;
}

export interface StoredReport {
  readonly id: string;
  readonly incidentId: string;
  readonly revision: number;
  readonly environment: string;
  readonly reportedMs: number;
  readonly report: Report;
}

export interface BaselineSnapshot {
  readonly environment: string;
  readonly key: string;
  readonly atMs: number;
  readonly data: Uint8Array;
}

export interface Store extends Outbox {
  /** @throws {RcaError} RCA_STORE when the file is locked, full or damaged */
  applyEffect(effect: Effect): EffectResult;
  incident(id: string): Incident | undefined;
  /** Newest first. */
  incidents(filter?: {
    readonly environment?: string;
    readonly state?: 'open' | 'resolved';
    readonly limit?: number;
  }): readonly Incident[];
  report(id: string): Report | undefined;
  /** Oldest revision first. */
  reports(incidentId: string): readonly StoredReport[];
  latestReport(incidentId: string): StoredReport | undefined;
  positions(): ReadonlyMap<string, string>;
  state(key: string): string | undefined;
  saveBaseline(snapshot: BaselineSnapshot): void;
  baseline(environment: string, key: string): BaselineSnapshot | undefined;
  /** Removes resolved incidents last updated before `beforeMs`, their reports and their finished deliveries. */
  prune(beforeMs: number): { readonly incidents: number; readonly reports: number };
  close(): void;
}
