/** Where a message can go: a webhook or the bus. The worker knows only this. */
import type { OutboxMessage } from '../model/outbox.ts';
import type { Report } from '../model/report.ts';

export interface SendResult {
  readonly ok: boolean;
  /** HTTP status; null when there was none. */
  readonly status: number | null;
  readonly error: string | null;
  readonly retryAfterMs: number | null;
  /** The receiver is gone for good (410). */
  readonly gone: boolean;
  /** The receiver asked for less (429, 502, 503, 504 or Retry-After): hold everything for it. */
  readonly throttled: boolean;
}

export interface Target {
  readonly name: string;
  accepts(message: OutboxMessage, report: Report): boolean;
  /** Never rejects: what went wrong is in the result. */
  send(message: OutboxMessage, report: Report, nowMs: number): Promise<SendResult>;
  close(): Promise<void>;
}
