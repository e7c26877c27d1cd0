/** Puts a recording on a bus as it was, but in the environment `demo`, followed by quiet time that closes its windows. */
import type { Bus, OutgoingMessage } from '../bus/index.ts';
import { decodeMessage, encodeBatch, withEnvironment } from '../codec/index.ts';
import { readRecording } from '../recording/index.ts';

/** @throws {RcaError} RCA_BAD_INPUT when the file is no recording */
export async function publishDemo(bus: Bus, prefix: string, file: string): Promise<void> {
  let lastEndMs = 0;
  let windowMs = 5_000;
  let collector = 'demo';
  for (const message of readRecording(file)) {
    const decoded = decodeMessage(message.value, message.headers);
    if (!decoded.ok) continue;
    for (const batch of decoded.batches) {
      lastEndMs = Math.max(lastEndMs, batch.windowStartMs + batch.windowMs);
      windowMs = batch.windowMs;
      collector = batch.collector;
    }
    const value = withEnvironment(message.value, 'demo');
    const outgoing: OutgoingMessage = { key: message.key, value, headers: message.headers };
    await bus.publish(`${prefix}.${message.topic.slice(message.topic.lastIndexOf('.') + 1)}`, [outgoing]);
  }
  const quiet = {
    schemaVersion: 1,
    type: 'topology',
    environment: 'demo',
    collector,
    windowMs,
    sequence: 0,
    records: [],
  } as const;
  for (let i = 1; i <= 12; i++) {
    await bus.publish(`${prefix}.topology`, encodeBatch({ ...quiet, windowStartMs: lastEndMs + i * windowMs }, 'json'));
  }
}
