/**
 * The window path in one process: messages of `generate.ts` on standard input -> decode -> windows -> baselines ->
 * detection, then the whole analysis of the incident that opened. Prints one JSON line.
 * Usage: generate.ts ... | window-path.ts [WINDOWS [heap]]; stops reading when so many were judged; with `heap`, bytes by
 * owner after the last of them (run with --expose-gc).
 */
import { readSync } from 'node:fs';
import { classify, classifyFurther, createRuleSet } from '../../src/classify/index.ts';
import { CONTENT_TYPE_PROTOBUF, decodeMessage } from '../../src/codec/index.ts';
import { createDetector } from '../../src/detect/index.ts';
import { BUILT_IN_RULES } from '../../src/engine/create.ts';
import { drillDown } from '../../src/engine/drill-down.ts';
import { evidenceOf, walkThrough } from '../../src/engine/evidence.ts';
import { contentHash, createIngest } from '../../src/ingest/index.ts';
import type { Incident } from '../../src/model/incident.ts';
import type { ClosedWindow } from '../../src/model/window.ts';
import { buildReport, toldCauses } from '../../src/report/index.ts';
import { median } from '../../src/stats/robust.ts';
import type { Owners } from './heap-owners.ts';
import { bytesByOwner } from './heap-owners.ts';

const OWNERS: Owners = [
  ['names', ['NameTable', 'Dictionaries']],
  ['leaves', ['Directory']],
  ['baselines: levels', ['LevelPool']],
  ['baselines: ratios and counts', ['RatioPool']],
  ['baselines: daily rhythms', ['Rhythm']],
  ['alarms, low marks', ['Tracks', 'RateFamily']],
  ['entities, reporters, sums of the window', ['WindowDetector']],
  ['minute sums', ['MinuteBlock']],
  ['open windows', ['WindowBuilder', 'SketchLog']],
  ['kept windows', ['SeriesStore']],
  ['redelivery and the rest of ingest', ['WindowedIngest']],
];
const HEADERS = { 'content-type': CONTENT_TYPE_PROTOBUF, 'rootwalk-schema': '1' };
const limit = Number(process.argv[2] ?? Number.POSITIVE_INFINITY);
const ingest = createIngest();
const detector = createDetector();
let records = 0;
let pushMs = 0;
/** Building the window, and judging it; then both in CPU time, which other work on the machine hardly lengthens. */
const closeMs: number[] = [];
const detectMs: number[] = [];
const cpuMs: number[] = [];
const residentMb: number[] = [];
/** Collector -> its newest window: only a batch that begins another may close one (asking for CPU time costs 50 µs). */
const newestMs = new Map<string, number>();
let incident: Incident | undefined;
let last: ClosedWindow | undefined;

function take(value: Uint8Array): void {
  const started = performance.now();
  const decoded = decodeMessage(value, HEADERS);
  if (!decoded.ok) throw new Error(decoded.detail);
  for (const batch of decoded.batches) {
    records += 'records' in batch ? batch.records.length : batch.rows;
    const before = performance.now();
    const mayClose = newestMs.get(batch.collector) !== batch.windowStartMs;
    newestMs.set(batch.collector, batch.windowStartMs);
    const cpu = mayClose ? process.cpuUsage() : { user: 0, system: 0 };
    const { closed } = ingest.push(batch, { contentHash: contentHash(value) });
    if (closed.length > 0) closeMs.push(performance.now() - before);
    for (const window of closed) detect(window);
    if (closed.length === 0) continue;
    const { user, system } = process.cpuUsage(cpu);
    cpuMs.push((user + system) / 1000 / closed.length);
  }
  decoded.lease?.release();
  pushMs += performance.now() - started;
}

function detect(window: ClosedWindow): void {
  const started = performance.now();
  for (const event of detector.step(window)) incident = event.incident;
  detectMs.push(performance.now() - started);
  pushMs -= detectMs.at(-1)!;
  residentMb.push(process.memoryUsage.rss() / 2 ** 20);
  last = window;
}

interface Analysis {
  readonly ms: Readonly<Record<string, number>>;
  readonly causes: readonly string[];
}

/** Evidence, walk, verdicts, attribution and report, as the pipeline makes them; milliseconds of each, and what is told. */
async function analyse({ id, environment }: Incident, window: ClosedWindow): Promise<Analysis> {
  const found = detector.incidents(environment).find((candidate) => candidate.id === id)!;
  const rules = createRuleSet(BUILT_IN_RULES);
  const at = [performance.now()];
  const evidence = evidenceOf(ingest, found, window.startMs, detector.unhealthySpans(environment, id));
  at.push(performance.now());
  const { comparison, walk, steps } = walkThrough(evidence);
  at.push(performance.now());
  const verdicts = await classify(comparison, walk, rules);
  const furtherVerdicts = await classifyFurther(comparison, walk, rules, steps);
  at.push(performance.now());
  const attribution = drillDown(comparison, walk);
  at.push(performance.now());
  const report = buildReport({
    incident: found,
    comparison,
    walk,
    verdicts,
    furtherVerdicts,
    attribution,
    reportedMs: window.startMs + window.windowMs,
    provisional: false,
    configHash: 'bench',
    rulesHash: rules.hash(),
  });
  at.push(performance.now());
  const names = ['compare', 'walk', 'verdicts', 'attribution', 'report'];
  return {
    ms: Object.fromEntries(names.map((name, i) => [name, at[i + 1]! - at[i]!])),
    causes: toldCauses(report.causes, report.ledgers).map(({ entity, faultClass }) => `${entity.name} ${faultClass}`),
  };
}

/** Unread bytes: a message has up to 64 KB. */
const buffer = new Uint8Array(1 << 20);
let filled = 0;
for (;;) {
  const read = readSync(0, buffer, filled, buffer.length - filled, null);
  if (read === 0) break;
  filled += read;
  const view = new DataView(buffer.buffer, 0, filled);
  let at = 0;
  while (at + 4 <= filled) {
    const length = view.getUint32(at, true);
    if (at + 4 + length > filled) break;
    // A copy, as a bus would hand it out.
    if (length > 0) take(buffer.slice(at + 4, at + 4 + length));
    else if (detectMs.length === limit) break;
    at += 4 + length;
  }
  buffer.copyWithin(0, at, filled);
  filled -= at;
  if (detectMs.length >= limit) break;
}
/** While windows are open, as they always are. */
const heap = process.argv[3] === 'heap' ? bytesByOwner(OWNERS) : undefined;
for (const window of ingest.flush()) detect(window);
const runMb = process.resourceUsage().maxRSS / 1024;
const analysis = incident === undefined || last === undefined ? { ms: {}, causes: [] } : await analyse(incident, last);
globalThis.gc?.();
const { heapUsed, arrayBuffers } = process.memoryUsage();
const tail = detectMs.slice(detectMs.length >> 1);
const result = {
  records,
  windows: detectMs.length,
  pushPerSecond: records / (pushMs / 1000),
  firstMs: detectMs[0]! + closeMs[0]!,
  slowestMs: Math.max(...detectMs.map((ms, i) => ms + (closeMs[i] ?? 0))),
  steadyMs: median(tail),
  closeMs: median(closeMs),
  firstCpuMs: cpuMs[0],
  steadyCpuMs: median(cpuMs.slice(cpuMs.length >> 1)),
  firstMb: residentMb[0],
  residentMb: residentMb.at(-1),
  peakMb: runMb,
  objectsMb: heapUsed / 2 ** 20,
  arraysMb: arrayBuffers / 2 ** 20,
  analysisMs: analysis.ms,
  causes: analysis.causes,
  ...(heap === undefined
    ? {}
    : { heapMb: Object.fromEntries(Object.entries(heap).map(([owner, bytes]) => [owner, bytes / 2 ** 20])) }),
  analysisPeakMb: process.resourceUsage().maxRSS / 1024,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
