/**
 * Puts a recording on a bus as it was, but in the environment `demo`. After its end a second, empty collector carries
 * event time on, so that the last windows close; the recorded one is then idle, which is unknown and not "no traffic".
 */
import type { Bus, OutgoingMessage } from '../bus/index.ts';
import { decodeMessage, encodeBatch, withEnvironment } from '../codec/index.ts';
import { readRecording } from '../recording/index.ts';

/** More than the time after which a source counts as idle, plus the lateness. */
const QUIET_WINDOWS = 12;

/**
 * @returns how many messages were published
 * @throws {RcaError} RCA_BAD_INPUT when the file is no recording
 */
export async function publishDemo(bus: Bus, prefix: string, file: string): Promise<number> {
  let published = 0;
  let lastEndMs = 0;
  let windowMs = 5_000;
  for (const message of readRecording(file)) {
    const decoded = decodeMessage(message.value, message.headers);
    if (!decoded.ok) continue;
    for (const batch of decoded.batches) {
      lastEndMs = Math.max(lastEndMs, batch.windowStartMs + batch.windowMs);
      windowMs = batch.windowMs;
    }
    const value = withEnvironment(message.value, 'demo');
    const outgoing: OutgoingMessage = { key: message.key, value, headers: message.headers };
    await bus.publish(`${prefix}.${message.topic.slice(message.topic.lastIndexOf('.') + 1)}`, [outgoing]);
    published++;
  }
  const quiet = {
    schemaVersion: 1,
    type: 'topology',
    environment: 'demo',
    collector: 'end-of-recording',
    windowMs,
    sequence: 0,
    records: [],
  } as const;
  for (let i = 1; i <= QUIET_WINDOWS; i++) {
    await bus.publish(`${prefix}.topology`, encodeBatch({ ...quiet, windowStartMs: lastEndMs + i * windowMs }, 'json'));
    published++;
  }
  return published;
}
