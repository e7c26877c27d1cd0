/** What the pipeline sees of detect. */
import type { Anomaly, Incident, IncidentEvent } from '../model/incident.ts';
import type { ClosedWindow } from '../model/window.ts';
import type { DetectConfig } from './config.ts';

export type { DetectConfig } from './config.ts';

export interface Detector {
  /** Takes the next closed window of its environment (windows in order per environment). Cost: O(series). */
  step(window: ClosedWindow): readonly IncidentEvent[];
  /** Every series abnormal now, whether in an incident or not; service symptoms first, then by score. */
  anomalies(environment?: string): readonly Anomaly[];
  /** Open incidents and those resolved within the reopening time. */
  incidents(environment?: string): readonly Incident[];
  /** Spans of known incidents other than `incidentId`: not healthy, to be left out of a baseline. */
  unhealthySpans(
    environment: string,
    incidentId?: string,
  ): readonly { readonly fromMs: number; readonly toMs: number }[];
  /** The whole state. `restore` of it makes the same decisions, byte for byte. */
  snapshot(): Uint8Array;
  restore(bytes: Uint8Array): void;
  /** What recurs daily, and blocks of two hours: both outlast the log that a restart reads again; text for a store. */
  exportPast(): string;
  /** Before the first window. Text of another version is passed over: what recurs is learned again in two days. */
  importPast(text: string): void;
  readonly config: DetectConfig;
}
