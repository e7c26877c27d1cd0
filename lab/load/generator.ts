/** The load generator: `node generator.ts CONFIG.json`. Open loop, keep-alive, no retries, bounded in count and time. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../random.ts';
import type { MixEntry } from '../types.ts';
import { LatencyHistogram } from './latency.ts';
import type { LoadConfig, LoadResult, LoadWindow } from './load-config.ts';
import { arrivalTimes } from './schedule.ts';

const WINDOW_MS = 1_000;
const WRITE_MS = 10_000;

const config = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as LoadConfig;
const random = seededRandom(config.seed);
const agent = new Agent({ keepAlive: true, maxSockets: config.connections, scheduling: 'lifo' });
const startedMs = Date.now();
const origin = performance.now();

class Tally {
  readonly fromMs: number;
  readonly latency = new LatencyHistogram();
  readonly outcomes = new Map<string, number>();
  sent = 0;
  shed = 0;

  constructor(fromMs: number) {
    this.fromMs = fromMs;
  }

  done(outcome: string, us: number | undefined): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
    if (us !== undefined) this.latency.add(us);
  }

  window(toMs: number): LoadWindow {
    return {
      fromMs: this.fromMs,
      toMs,
      sent: this.sent,
      shed: this.shed,
      outcomes: Object.fromEntries([...this.outcomes].sort(([a], [b]) => (a < b ? -1 : 1))),
      p50Ms: this.latency.quantileMs(0.5),
      p90Ms: this.latency.quantileMs(0.9),
      p99Ms: this.latency.quantileMs(0.99),
      maxMs: this.latency.maxMs(),
      histogramUs: this.latency.rows(),
    };
  }
}

/** By the window in which the request was sent. */
const tallies: Tally[] = [];
const total = new Tally(startedMs);
let inFlight = 0;
let worstLatenessMs = 0;

function tally(): Tally {
  const index = Math.floor((performance.now() - origin) / WINDOW_MS);
  while (tallies.length <= index) tallies.push(new Tally(startedMs + tallies.length * WINDOW_MS));
  return tallies[index] ?? total;
}

function pick(mix: readonly MixEntry[]): MixEntry {
  const sum = mix.reduce((all, { weight }) => all + weight, 0);
  let left = random() * sum;
  for (const entry of mix) {
    left -= entry.weight;
    if (left < 0) return entry;
  }
  return mix.at(-1) as MixEntry;
}

function send(): void {
  const entry = pick(config.mix);
  const path = entry.path.replace(/\{random:(\d+)\}/g, (_, n: string) => String(1 + Math.floor(random() * Number(n))));
  const both = [tally(), total];
  if (inFlight >= config.maxInFlight) {
    for (const one of both) one.shed++;
    return;
  }
  for (const one of both) one.sent++;
  inFlight++;
  const begun = performance.now();
  let over = false;
  const finish = (outcome: string, answered: boolean): void => {
    if (over) return;
    over = true;
    inFlight--;
    clearTimeout(timer);
    for (const one of both) one.done(outcome, answered ? Math.round((performance.now() - begun) * 1_000) : undefined);
  };
  const method = entry.method ?? 'GET';
  const headers = method === 'GET' ? {} : { 'content-length': '0' };
  const call = request({ host: config.address, port: config.port, method, path, headers, agent }, (response) => {
    response.resume();
    response.on('end', () => finish(String(response.statusCode), true));
    response.on('error', (error) => finish((error as NodeJS.ErrnoException).code ?? error.message, false));
  });
  const timer = setTimeout(() => {
    finish('timeout', false);
    call.destroy();
  }, config.timeoutMs);
  call.on('error', (error) => finish((error as NodeJS.ErrnoException).code ?? error.message, false));
  call.end();
}

function result(): LoadResult {
  const endedMs = Date.now();
  const windows = tallies.map((one) => one.window(Math.min(one.fromMs + WINDOW_MS, endedMs)));
  return {
    startedMs,
    endedMs,
    windows,
    total: total.window(endedMs),
    worstLatenessMs,
  };
}

function write(): void {
  writeFileSync(`${config.outFile}.part`, `${JSON.stringify(result())}\n`);
  renameSync(`${config.outFile}.part`, config.outFile);
}

let stopped = false;
process.on('SIGTERM', () => {
  stopped = true;
});
process.stdout.write('{"ready":true}\n');
const endAtMs = config.points.at(-1)?.atMs ?? 0;
let lastWrite = 0;
for (const at of arrivalTimes(config.points, config.arrivals, random)) {
  for (let wait = at - (performance.now() - origin); wait > 0.5 && !stopped; wait = at - (performance.now() - origin)) {
    await sleep(Math.min(wait, 200));
    if (performance.now() - lastWrite > WRITE_MS) {
      lastWrite = performance.now();
      write();
    }
  }
  if (stopped || total.sent >= config.maxRequests) break;
  worstLatenessMs = Math.max(worstLatenessMs, performance.now() - origin - at);
  send();
}
while (!stopped && performance.now() - origin < endAtMs) await sleep(50);
for (const end = performance.now() + config.timeoutMs; inFlight > 0 && performance.now() < end && !stopped; ) {
  await sleep(20);
}
write();
agent.destroy();
process.exit(0);
