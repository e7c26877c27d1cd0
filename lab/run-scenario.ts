/** One run of one scenario, from bare host to score, leaving nothing behind. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RcaError } from '../src/model/errors.ts';
import type { KafkaBroker } from './kafka.ts';
import { startKafka } from './kafka.ts';
import { Lab } from './lab.ts';
import { launchLoad } from './load/launch.ts';
import type { LoadPoint, LoadResult } from './load/load-config.ts';
import { writeJsonAtomically } from './naming.ts';
import type { LabProcess } from './process.ts';
import { seedFor } from './random.ts';
import type { Score } from './score.ts';
import { score } from './score.ts';
import type { BusKind, DeliveredReport, SystemFactory, SystemUnderTest } from './system-under-test.ts';
import type { Happened } from './timeline.ts';
import { play } from './timeline.ts';
import type { Scenario, Topology } from './types.ts';
import type { WebhookReceiver } from './webhook-receiver.ts';
import { startWebhookReceiver } from './webhook-receiver.ts';

export interface RunOptions {
  readonly scenario: Scenario;
  readonly topology: Topology;
  readonly outDir: string;
  readonly seed: number;
  readonly bus: BusKind;
  /** How many share the machines: each knows the names of its own alone. */
  readonly collectors: number;
  /** Absent: services, load and faults only. */
  readonly system?: SystemFactory;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

export interface RunResult {
  readonly scenario: string;
  readonly seed: number;
  /** First request. */
  readonly startedMs: number;
  /** End of the warm-up. */
  readonly zeroMs: number;
  readonly endedMs: number;
  readonly happened: Happened;
  readonly load: LoadResult;
  /** Absent with services only. */
  readonly reports?: readonly DeliveredReport[];
  readonly score?: Score;
  readonly figures?: Readonly<Record<string, number>>;
}

/** Requests may pass the expected number by this factor before the bound of the generator ends the run. */
const REQUEST_MARGIN = 1.5;
/** Time between the load's last request and the end of the system: a late window is still judged. */
const SETTLE_MS = 8_000;

/** Rate over time from the first request on. */
export function loadPoints(scenario: Scenario): LoadPoint[] {
  const { ratePerS, profile = [] } = scenario.load;
  const endS = scenario.warmUpS + scenario.lengthS + scenario.coolDownS;
  const points = profile.toSorted((a, b) => a.atS - b.atS);
  const first = points[0]?.factor ?? 1;
  const last = points.at(-1)?.factor ?? 1;
  return [
    { atMs: 0, ratePerS: ratePerS * first },
    ...points.map(({ atS, factor }) => ({ atMs: (scenario.warmUpS + atS) * 1_000, ratePerS: ratePerS * factor })),
    { atMs: endS * 1_000, ratePerS: ratePerS * last },
  ];
}

function startLoad(lab: Lab, scenario: Scenario, seed: number, outFile: string): LabProcess {
  const { client } = lab.topology;
  const points = loadPoints(scenario);
  const highest = Math.max(...points.map(({ ratePerS }) => ratePerS));
  return launchLoad(lab, client.name, {
    mix: client.mix,
    arrivals: scenario.load.arrivals ?? 'poisson',
    points,
    seed: seedFor(seed, client.name),
    maxRequests: Math.ceil(REQUEST_MARGIN * highest * ((points.at(-1)?.atMs ?? 0) / 1_000)) + 100,
    outFile,
  });
}

interface Attached {
  readonly system: SystemUnderTest;
  readonly stop: () => Promise<void>;
}

/** Starts broker, receiver and system; whatever was started is in `stops` even when a later step fails. */
async function attach(
  lab: Lab,
  options: RunOptions,
  create: SystemFactory,
  stops: (() => Promise<void>)[],
): Promise<Attached> {
  const secret = `whsec_${randomBytes(24).toString('base64')}`;
  const receiver: WebhookReceiver = await startWebhookReceiver({ secrets: [secret] });
  stops.push(() => receiver.stop());
  let broker: KafkaBroker | undefined;
  if (options.bus === 'kafka') {
    broker = await startKafka();
    const { stop } = broker;
    stops.push(stop);
    options.log(`Kafka broker on ${broker.brokers.join(',')}, pid ${broker.pid}`);
  }
  const system = create();
  const stop = (): Promise<void> => system.stop();
  stops.push(stop);
  await system.start({
    environment: 'lab',
    bus: options.bus,
    brokers: broker?.brokers ?? [],
    webhook: { url: receiver.url, secret },
    hosts: lab.hosts.map(({ name, namingFile, machines }) => ({
      name,
      namingFile,
      netns: machines.map(({ netnsInode }) => netnsInode),
    })),
    outDir: options.outDir,
    accepted: () => receiver.accepted(),
    log: options.log,
  });
  return { system, stop };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

async function measure(lab: Lab, options: RunOptions, stops: (() => Promise<void>)[]): Promise<RunResult> {
  const { scenario, outDir, seed, signal, log } = options;
  const attached = options.system === undefined ? undefined : await attach(lab, options, options.system, stops);
  signal.throwIfAborted();
  const loadFile = join(outDir, 'load.json');
  const load = startLoad(lab, scenario, seed, loadFile);
  lab.setClient(load);
  await load.waitFor(() => load.lines.length > 0, 15_000);
  const startedMs = Date.now();
  const zeroMs = startedMs + scenario.warmUpS * 1_000;
  log(`load runs: ${scenario.load.ratePerS} requests/s, warm-up ${scenario.warmUpS} s`);
  const happened = await play(lab, scenario, zeroMs, attached?.system, signal);
  await load.waitFor(() => load.end !== undefined, 20_000);
  const ends = lab.unexpectedEnds();
  if (ends.length > 0) throw new RcaError('RCA_ENVIRONMENT', `lab: ended on their own: ${ends.join('; ')}`);
  if (load.end !== 'exit 0') throw new RcaError('RCA_ENVIRONMENT', `lab: load generator: ${load.end ?? 'did not end'}`);
  const base = {
    ...{ scenario: scenario.name, seed, startedMs, zeroMs, endedMs: Date.now(), happened },
    load: JSON.parse(readFileSync(loadFile, 'utf8')) as LoadResult,
  };
  if (attached === undefined) return base;
  await pause(SETTLE_MS, signal);
  const figures = await attached.system.figures();
  await attached.stop();
  const reports = await attached.system.reports();
  return { ...base, reports, score: score(happened.faults, reports), figures };
}

/**
 * @throws {RcaError} RCA_ENVIRONMENT when the lab cannot be built or something in it ended on its own; the reason of
 * the signal when it was aborted. Everything is gone by then.
 */
export async function runScenario(options: RunOptions): Promise<RunResult> {
  mkdirSync(options.outDir, { recursive: true });
  const lab = await Lab.up(options.topology, {
    seed: options.seed,
    log: options.log,
    collectors: options.collectors,
  });
  options.log(`lab ${lab.id} is up: ${lab.machines.size} machines, ${options.topology.services.length} services`);
  const stops: (() => Promise<void>)[] = [];
  try {
    const result = await measure(lab, options, stops);
    writeJsonAtomically(join(options.outDir, 'truth.json'), {
      version: 1,
      ...{ scenario: result.scenario, seed: result.seed },
      ...{ startedMs: result.startedMs, zeroMs: result.zeroMs, endedMs: result.endedMs },
      ...result.happened,
    });
    if (result.reports !== undefined) writeJsonAtomically(join(options.outDir, 'reports.json'), result.reports);
    if (result.score !== undefined) {
      writeJsonAtomically(join(options.outDir, 'score.json'), { ...result.score, figures: result.figures ?? {} });
    }
    return result;
  } finally {
    for (const stop of stops.toReversed()) {
      await stop().catch((error: unknown) => options.log(`while ending: ${(error as Error).message}`));
    }
    await lab.down();
  }
}
