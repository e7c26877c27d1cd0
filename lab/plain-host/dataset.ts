/**
 * Cuts one fault out of what a collector printed, with a minute and a half before it and one after, for datasets/:
 *
 *   rootwalk collect --print jsonl --environment plain > records.jsonl
 *   node bin/node24.mjs lab/plain-host/dataset.ts records.jsonl datasets/NAME.rwrec FROM_S TO_S service postgres database_lock \
 *     [BEFORE_S] [NOTE]
 */
import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { topicsOf } from '../../src/bus/index.ts';
import { encodeBatch } from '../../src/codec/index.ts';
import type { AnyBatch } from '../../src/model/records.ts';
import { manifestPath, writeRecording } from '../../src/recording/index.ts';

const BEFORE_S = 95;
const AFTER_MS = 65_000;
const NOTE = 'a plain host: nginx, haproxy, gunicorn, Go, PostgreSQL, MariaDB, Redis';

const [from, to, fromS, toS, kind, name, faultClass, beforeS = BEFORE_S, note = NOTE] = process.argv.slice(2);
if (from === undefined || to === undefined || faultClass === undefined)
  throw new Error('usage: dataset.ts RECORDS.jsonl FILE.rwrec FROM_S TO_S ENTITY_KIND ENTITY CLASS [BEFORE_S] [NOTE]');
const [fromMs, toMs, beforeMs] = [Number(fromS) * 1000, Number(toS) * 1000, Number(beforeS) * 1000];
const topics = topicsOf('rootwalk');
const offsets = new Map<string, number>();
const recording = writeRecording(to);
for await (const line of createInterface({ input: createReadStream(from) })) {
  if (!line.endsWith('}')) continue;
  const batch = JSON.parse(line) as AnyBatch;
  if (batch.windowStartMs < fromMs - beforeMs || batch.windowStartMs >= toMs + AFTER_MS) continue;
  const topic = topics.input(batch.type);
  for (const { key, headers, value } of encodeBatch(batch, 'protobuf')) {
    const offset = offsets.get(topic) ?? 0;
    offsets.set(topic, offset + 1);
    const timestampMs = batch.windowStartMs + batch.windowMs;
    recording.add({
      topic,
      partition: 0,
      offset: String(offset),
      timestampMs,
      key,
      headers,
      value: Buffer.from(value),
    });
  }
}
const scenario = basename(to, '.rwrec');
const truth = {
  version: 1,
  scenario,
  startedMs: fromMs - beforeMs,
  zeroMs: fromMs,
  endedMs: toMs + AFTER_MS,
  faults: [{ kind: scenario, target: { [kind!]: name }, truth: { entity: { kind, name }, faultClass }, fromMs, toMs }],
  events: [],
};
await recording.close({ note, truth });
const manifest = JSON.parse(readFileSync(manifestPath(to), 'utf8')) as object;
writeFileSync(manifestPath(to), `${JSON.stringify({ ...manifest, truth }, null, 2)}\n`);
