/**
 * What stands between a stored report and its receivers. The store implements `Outbox`, delivery reads it: a message is
 * written in the same transaction as its report, so neither exists without the other.
 */
import type { EpochMs } from './units.ts';

export const MESSAGE_TYPES = ['incident.opened', 'incident.updated', 'incident.resolved'] as const;
export type MessageType = (typeof MESSAGE_TYPES)[number];

/** One event for the outside world. */
export interface OutboxMessage {
  /** `webhook-id`: the same for every attempt and every receiver; derived from the report id. */
  readonly id: string;
  readonly type: MessageType;
  readonly reportId: string;
  readonly environment: string;
  /** Event time of the report. */
  readonly timestampMs: EpochMs;
}

export const DELIVERY_STATES = ['pending', 'delivered', 'failed', 'cancelled'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** One message on its way to one receiver. */
export interface Delivery {
  readonly id: number;
  readonly messageId: string;
  readonly receiver: string;
  readonly state: DeliveryState;
  /** Attempts made so far. */
  readonly attempts: number;
  readonly nextAttemptMs: EpochMs;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly deliveredMs: EpochMs | null;
}

export interface DeliveryAttempt {
  readonly deliveryId: number;
  readonly messageId: string;
  readonly receiver: string;
  /** 1 for the first. */
  readonly attempt: number;
  readonly atMs: EpochMs;
  /** HTTP status; null when no response came. */
  readonly status: number | null;
  readonly durationMs: number;
  readonly error: string | null;
  /** A person asked for it (set by the store). */
  readonly manual?: boolean;
}

/** What becomes of a delivery after an attempt. */
export interface AttemptOutcome {
  readonly state: DeliveryState;
  /** When `state` is pending. */
  readonly nextAttemptMs: EpochMs;
  /** Set when the receiver said 410 Gone: nothing more goes to it until a person enables it. */
  readonly disableReceiver?: string;
}

export interface Outbox {
  /** Messages not yet turned into deliveries, oldest first. */
  unroutedMessages(limit: number): readonly OutboxMessage[];
  /** Creates one pending delivery per receiver and marks the message as routed, in one transaction. */
  route(messageId: string, receivers: readonly string[], nowMs: EpochMs): void;
  /** Pending deliveries due at `nowMs`, earliest first, not of disabled receivers nor of those in `except`. */
  dueDeliveries(nowMs: EpochMs, limit: number, except?: readonly string[]): readonly Delivery[];
  /** Time of the next pending delivery, or undefined. */
  nextDueMs(): EpochMs | undefined;
  message(messageId: string): OutboxMessage | undefined;
  /** The stored report as JSON text. */
  reportJson(reportId: string): string | undefined;
  /** Writes the attempt to the log and the delivery's new state, in one transaction. */
  recordAttempt(attempt: DeliveryAttempt, outcome: AttemptOutcome): void;
  disabledReceivers(): ReadonlyMap<string, string>;
  enableReceiver(receiver: string): void;
  deliveries(filter: {
    readonly receiver?: string;
    readonly state?: DeliveryState;
    readonly limit: number;
  }): readonly Delivery[];
  attempts(deliveryId: number): readonly DeliveryAttempt[];
  /** Makes a delivery due again at once, whatever its state, with its retries started afresh. False: no such delivery. */
  redeliver(deliveryId: number, nowMs: EpochMs): boolean;
}
