/** What becomes of a message that cannot be used: its reason, its origin and its first bytes, as JSON. */
import type { RejectReason } from './result.ts';

const KEPT_BYTES = 4_096;

export interface Origin {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly timestampMs: number;
  readonly key: string | null;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

export interface DeadLetter {
  readonly reason: RejectReason;
  readonly detail: string;
  readonly origin: {
    readonly topic: string;
    readonly partition: number;
    readonly offset: string;
    readonly timestampMs: number;
    readonly key: string | null;
  };
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: number;
  /** The first 4096 bytes, base64. */
  readonly valueBase64: string;
}

export function deadLetter(origin: Origin, reason: RejectReason, detail: string): DeadLetter {
  const { topic, partition, offset, timestampMs, key, value, headers } = origin;
  const head = Buffer.from(value.buffer, value.byteOffset, Math.min(value.byteLength, KEPT_BYTES));
  return {
    reason,
    detail,
    origin: { topic, partition, offset, timestampMs, key },
    headers,
    bytes: value.byteLength,
    valueBase64: head.toString('base64'),
  };
}
