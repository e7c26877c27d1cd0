/**
 * Weeks of rolling deploys in minutes: a system of constant size, some of whose instances and machines are replaced by
 * others with new names all the time, through ingest and detection in one process. Per simulated hour: memory after a
 * garbage collection, how many leaves, names and resources are known, and the median time of a window, as a ratio to the
 * first hour. What is forgotten stays level; what is not rises.
 *
 *   npm run bench:churn -- [--hours 6] [--services 200] [--instances 1000] [--replaced 20 a minute]
 *     [--machines 6 replaced an hour] [--addresses] [--without-detection]
 * With --addresses collectors know what runs on other machines by the addresses of its connections only.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { flags, wholeNumber } from '../../eval/flags.ts';
import { createDetector } from '../../src/detect/index.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { ClosedWindow } from '../../src/model/window.ts';
import { median } from '../../src/stats/robust.ts';
import { ChurningSystem, WINDOW_MS } from './system.ts';

const values = flags(import.meta.url, {
  hours: { type: 'string', default: '6' },
  services: { type: 'string', default: '200' },
  instances: { type: 'string', default: '1000' },
  replaced: { type: 'string', default: '20' },
  machines: { type: 'string', default: '6' },
  addresses: { type: 'boolean', default: false },
  'without-detection': { type: 'boolean', default: false },
});
const hours = wholeNumber('hours', values.hours);
const replaced = wholeNumber('replaced', values.replaced, 0);
const machines = wholeNumber('machines', values.machines, 0);
const system = new ChurningSystem({
  services: wholeNumber('services', values.services),
  instances: wholeNumber('instances', values.instances),
  callees: 3,
  perMachine: 20,
  addresses: values.addresses,
});

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const ingest = createIngest();
const detector = values['without-detection'] ? undefined : createDetector();
const PER_MINUTE = 60_000 / WINDOW_MS;
const PER_HOUR = 60 * PER_MINUTE;
const START_MS = 1_780_000_000_000;

let ingestMs: number[] = [];
let detectMs: number[] = [];
let compareMs: number[] = [];
let last: ClosedWindow | undefined;

function step(startMs: number): void {
  const batches = system.window(startMs);
  const closed: ClosedWindow[] = [];
  const started = performance.now();
  for (const batch of batches) closed.push(...ingest.push(batch, { contentHash: `${startMs}` }).closed);
  ingestMs.push(performance.now() - started);
  for (const window of closed) {
    last = window;
    const before = performance.now();
    detector?.step(window);
    detectMs.push(performance.now() - before);
  }
}

function compare(nowMs: number): void {
  const started = performance.now();
  ingest.compare('bench', nowMs - 60_000, nowMs);
  compareMs.push(performance.now() - started);
}

function megabytes(): number {
  // The first one may leave buffers to the second.
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 2 ** 20;
}

const ratio = (now: number, first: number): string => (now / first).toFixed(2);
let first: { readonly ingest: number; readonly detect: number; readonly compare: number } | undefined;
console.log('| hour | MB | call leaves | TCP leaves | names | resources | windows | detection | comparison |');
console.log('|---|---|---|---|---|---|---|---|---|');
for (let hour = 1; hour <= hours; hour++) {
  for (let w = 0; w < PER_HOUR; w++) {
    const n = (hour - 1) * PER_HOUR + w;
    if (n > 0 && n % PER_MINUTE === 0) system.replaceInstances(replaced);
    if (machines > 0 && n % Math.max(1, Math.floor(PER_HOUR / machines)) === PER_MINUTE / 2) system.replaceMachine();
    step(START_MS + n * WINDOW_MS);
    if (w % (PER_HOUR / 2) === PER_HOUR / 4) compare(START_MS + n * WINDOW_MS);
  }
  const now = { ingest: median(ingestMs), detect: median(detectMs), compare: median(compareMs) };
  first ??= now;
  const { callDirectory, tcpDirectory, names, resources } = last!;
  const cells = [
    hour,
    megabytes().toFixed(0),
    callDirectory.size,
    tcpDirectory.size,
    names.size,
    resources.entities.length,
    `${ratio(now.ingest, first.ingest)} (${now.ingest.toFixed(1)} ms)`,
    `${ratio(now.detect, first.detect)} (${now.detect.toFixed(1)} ms)`,
    `${ratio(now.compare, first.compare)} (${now.compare.toFixed(0)} ms)`,
  ];
  console.log(`| ${cells.join(' | ')} |`);
  [ingestMs, detectMs, compareMs] = [[], [], []];
}
