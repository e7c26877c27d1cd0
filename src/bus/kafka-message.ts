/** A message as kafkajs has it -> one of the bus. */
import type { BusMessage } from './bus.ts';

export interface KafkaMessage {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, unknown>>;
}

/** Two clocks that agree as well as clocks of hosts do. */
const CLOCKS_AGREE_MS = 600_000;

/**
 * @param nowMs  when it was read. Kafka's time of a message is its sender's clock; one that is far ahead of ours cannot be when
 *   the bus took it, and what is read from it (a window of the future, how far the log was read) would be wrong
 */
export function toBusMessage(topic: string, partition: number, message: KafkaMessage, nowMs: number): BusMessage {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    const first: unknown = Array.isArray(value) ? value[0] : value;
    if (first !== undefined && first !== null) headers[name.toLowerCase()] = String(first);
  }
  const sentMs = Number(message.timestamp);
  return {
    topic,
    partition,
    offset: message.offset,
    timestampMs: sentMs > nowMs + CLOCKS_AGREE_MS ? nowMs : sentMs,
    key: message.key?.toString('utf8') ?? null,
    value: message.value ?? new Uint8Array(0),
    headers,
  };
}
