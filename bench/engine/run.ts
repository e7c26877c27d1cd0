/**
 * Records per second through decode -> windows -> baselines -> detection on one core, as a ratio to a consumer of the
 * same log that only reads it. Both are processes of their own on one core, in interleaved rounds; the log is the
 * embedded bus's disk log, one folder a window, so that memory holds one window of messages.
 *
 *   npm run bench:engine -- --services 1000 --edges 10000 --windows 40 --rounds 3 --encoding protobuf --bus embedded|kafka
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { flags } from '../../eval/flags.ts';
import { startKafka } from '../../lab/kafka.ts';
import { EmbeddedBus, topicsOf } from '../../src/bus/index.ts';
import { KafkaBus } from '../../src/bus/kafka.ts';
import { encodeBatch } from '../../src/codec/index.ts';
import { createRandom } from '../../src/stats/random.ts';
import { median } from '../../src/stats/robust.ts';
import { edgesOf, WINDOW_MS, windowBatches } from './workload.ts';

interface Result {
  readonly mode: string;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly messages: number;
  readonly bytes: number;
  readonly records: number;
  readonly secondHalfSeconds: number;
  readonly secondHalfRecords: number;
  readonly events: number;
  readonly slowestWindowMs: number;
  readonly peakRssMb: number;
}

const values = flags(import.meta.url, {
  services: { type: 'string', default: '1000' },
  edges: { type: 'string', default: '10000' },
  windows: { type: 'string', default: '40' },
  rounds: { type: 'string', default: '3' },
  encoding: { type: 'string', default: 'protobuf' },
  core: { type: 'string', default: '0' },
  bus: { type: 'string', default: 'embedded' },
});
const size = { services: Number(values.services), edges: Number(values.edges) };
const encoding = values.encoding === 'json' ? 'json' : 'protobuf';

async function writeLog(dir: string): Promise<string> {
  const edges = edgesOf(size);
  const random = createRandom(1);
  const topics = topicsOf('rootwalk');
  const startMs = Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS - Number(values.windows) * WINDOW_MS;
  for (let w = 0; w < Number(values.windows); w++) {
    const bus = new EmbeddedBus({ dir: join(dir, String(w).padStart(5, '0')) });
    for (const batch of windowBatches(edges, startMs + w * WINDOW_MS, random)) {
      await bus.publish(topics.input(batch.type), encodeBatch(batch, encoding));
    }
    await bus.close();
  }
  return dir;
}

/** All types to one topic, so that windows arrive as they were sent. */
async function writeKafka(brokerAddress: string): Promise<string> {
  const edges = edgesOf(size);
  const random = createRandom(1);
  const bus = new KafkaBus({ brokers: [brokerAddress] });
  const topic = topicsOf('rootwalk').input('call');
  const startMs = Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS - Number(values.windows) * WINDOW_MS;
  let messages = 0;
  for (let w = 0; w < Number(values.windows); w++) {
    const encoded = windowBatches(edges, startMs + w * WINDOW_MS, random).flatMap((b) => encodeBatch(b, encoding));
    messages += encoded.length;
    await bus.publish(topic, encoded);
  }
  await bus.close();
  return `kafka:${brokerAddress}:${messages}`;
}

function consume(dir: string, mode: string, messages = 0): Result {
  const script = new URL('./consume.ts', import.meta.url).pathname;
  const args = ['-c', String(values.core), process.execPath, ...process.execArgv, script, dir, mode, `${messages}`];
  const { stdout, stderr, status } = spawnSync('taskset', args, { encoding: 'utf8', timeout: 300_000 });
  if (status !== 0) throw new Error(`the ${mode} consumer failed: ${stderr}`);
  return JSON.parse(stdout) as Result;
}

const dir = mkdtempSync(join(tmpdir(), 'rootwalk-bench-'));
const broker = values.bus === 'kafka' ? await startKafka() : undefined;
try {
  const log = broker === undefined ? await writeLog(dir) : await writeKafka(broker.brokers[0] ?? '');
  const runs: Record<string, Result[]> = { read: [], decode: [], engine: [] };
  const { messages } = consume(log, 'read');
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const mode of ['read', 'decode', 'engine']) runs[mode]?.push(consume(log, mode, messages));
  }
  const engine = runs.engine?.at(-1);
  const records = engine?.records ?? 0;
  const halfRecords = engine?.secondHalfRecords ?? 0;
  const steady = (mode: string): number => halfRecords / median((runs[mode] ?? []).map((run) => run.secondHalfSeconds));
  const rate = (mode: string): number => records / median((runs[mode] ?? []).map((run) => run.seconds));
  console.log(`${size.services} services, ${size.edges} edges, ${values.windows} windows, ${encoding}, ${values.bus}`);
  console.log(`${records} records, ${engine?.messages} messages, ${((engine?.bytes ?? 0) / 1e6).toFixed(0)} MB`);
  for (const mode of Object.keys(runs)) {
    const rss = median((runs[mode] ?? []).map((run) => run.peakRssMb));
    console.log(
      `${mode.padEnd(7)} ${Math.round(rate(mode))} records/s, second half ${Math.round(steady(mode))} records/s, peak RSS ${rss.toFixed(0)} MB`,
    );
  }
  console.log(`slowest window close ${engine?.slowestWindowMs.toFixed(0)} ms, incident events ${engine?.events}`);
  console.log(`engine / only reads    ${(rate('engine') / rate('read')).toFixed(3)}`);
  console.log(`engine / reads+decodes ${(rate('engine') / rate('decode')).toFixed(3)}`);
  console.log(`second half alone: ${(steady('engine') / steady('read')).toFixed(3)} of only reads`);
} finally {
  await broker?.stop();
  rmSync(dir, { recursive: true, force: true });
}
