/** Rows as SQLite gives them, read into the model's types. */
import type { SQLOutputValue } from 'node:sqlite';
import type { Delivery, DeliveryAttempt, DeliveryState, MessageType, OutboxMessage } from '../model/outbox.ts';

export type Row = Readonly<Record<string, SQLOutputValue>>;

export function text(row: Row, column: string): string {
  return String(row[column] ?? '');
}

export function integer(row: Row, column: string): number {
  return Number(row[column] ?? 0);
}

function textOrNull(row: Row, column: string): string | null {
  const value = row[column];
  return value === null || value === undefined ? null : String(value);
}

function integerOrNull(row: Row, column: string): number | null {
  const value = row[column];
  return value === null || value === undefined ? null : Number(value);
}

export function toMessage(row: Row): OutboxMessage {
  return {
    id: text(row, 'id'),
    type: text(row, 'type') as MessageType,
    reportId: text(row, 'report_id'),
    environment: text(row, 'environment'),
    timestampMs: integer(row, 'timestamp_ms'),
  };
}

export function toDelivery(row: Row): Delivery {
  return {
    id: integer(row, 'id'),
    messageId: text(row, 'message_id'),
    receiver: text(row, 'receiver'),
    state: text(row, 'state') as DeliveryState,
    attempts: integer(row, 'attempts'),
    nextAttemptMs: integer(row, 'next_attempt_ms'),
    lastStatus: integerOrNull(row, 'last_status'),
    lastError: textOrNull(row, 'last_error'),
    deliveredMs: integerOrNull(row, 'delivered_ms'),
  };
}

export function toAttempt(row: Row): DeliveryAttempt {
  return {
    deliveryId: integer(row, 'delivery_id'),
    messageId: text(row, 'message_id'),
    receiver: text(row, 'receiver'),
    attempt: integer(row, 'attempt'),
    atMs: integer(row, 'at_ms'),
    status: integerOrNull(row, 'status'),
    durationMs: integer(row, 'duration_ms'),
    error: textOrNull(row, 'error'),
    manual: integer(row, 'manual') === 1,
  };
}
