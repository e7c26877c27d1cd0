/**
 * One consumer in its own process: reads the log, and by mode only reads, reads and decodes, or runs the engine's
 * windows and detection. Prints one JSON line.
 * Usage: consume.ts DIR|kafka:BROKER:MESSAGES read|decode|engine [MESSAGES]; with the number of messages, the second half is
 * timed by itself: a running engine without its start, its first window, and code that is not compiled yet.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BusMessage } from '../../src/bus/index.ts';
import { EmbeddedBus, topicsOf } from '../../src/bus/index.ts';
import { KafkaBus } from '../../src/bus/kafka.ts';
import { decodeMessage } from '../../src/codec/index.ts';
import { createDetector } from '../../src/detect/index.ts';
import { contentHash, createIngest } from '../../src/ingest/index.ts';

const [dir = '', mode = 'read', total = '0'] = process.argv.slice(2);
const half = Math.floor(Number(total) / 2);
let halfAtMs = Number.NaN;
let recordsAtHalf = 0;
const ingest = createIngest();
const detector = createDetector();
let messages = 0;
let bytes = 0;
let records = 0;
let events = 0;
let slowestWindowMs = 0;

function take(message: BusMessage): void {
  if (messages++ === half) {
    halfAtMs = performance.now();
    recordsAtHalf = records;
  }
  bytes += message.value.byteLength;
  if (mode === 'read') return;
  const decoded = decodeMessage(message.value, message.headers);
  if (!decoded.ok) throw new Error(decoded.detail);
  for (const batch of decoded.batches) {
    records += 'records' in batch ? batch.records.length : batch.rows;
    if (mode !== 'engine') continue;
    const started = performance.now();
    const { closed } = ingest.push(batch, {
      origin: message.offset,
      receivedMs: message.timestampMs,
      contentHash: contentHash(message.value),
    });
    for (const window of closed) events += detector.step(window).length;
    if (closed.length > 0) slowestWindowMs = Math.max(slowestWindowMs, performance.now() - started);
  }
  decoded.lease?.release();
}

const kafka = /^kafka:(.+):(\d+)$/.exec(dir);
const started = performance.now();
if (kafka === null) await consumeLog();
else await consumeKafka(kafka[1] ?? '', Number(kafka[2]));

async function consumeKafka(broker: string, expected: number): Promise<void> {
  const bus = new KafkaBus({ brokers: [broker] });
  const group = `bench-${mode}-${process.pid}`;
  await new Promise<void>((resolve, reject) => {
    const onMessages = (batch: readonly BusMessage[]): Promise<void> => {
      for (const message of batch) take(message);
      if (messages >= expected) resolve();
      return Promise.resolve();
    };
    const topics = [topicsOf('rootwalk').input('call')];
    bus.subscribe({ topics, group, start: 'earliest', onMessages, onError: reject }).catch(reject);
  });
  await bus.close();
}

async function consumeLog(): Promise<void> {
  const topics = topicsOf('rootwalk');
  const names = (['call', 'tcp', 'resource'] as const).map((type) => topics.input(type));
  for (const part of readdirSync(dir).sort()) {
    const bus = new EmbeddedBus({ dir: join(dir, part) });
    const subscription = await bus.subscribe({
      topics: names,
      group: 'bench',
      start: 'earliest',
      onMessages: (batch) => {
        for (const message of batch) take(message);
        return Promise.resolve();
      },
    });
    while (((await subscription.lag()) ?? 0) > 0) await new Promise((resolve) => setImmediate(resolve));
    await subscription.stop();
    await bus.close();
  }
}
const endMs = performance.now();
const seconds = (endMs - started) / 1000;
const usage = process.resourceUsage();
const result = {
  mode,
  seconds,
  secondHalfSeconds: (endMs - halfAtMs) / 1000,
  secondHalfRecords: records - recordsAtHalf,
  cpuSeconds: (usage.userCPUTime + usage.systemCPUTime) / 1e6,
  messages,
  bytes,
  records,
  events,
  slowestWindowMs,
  peakRssMb: usage.maxRSS / 1024,
  counters: ingest.counters(),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
