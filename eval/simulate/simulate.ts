/** One random system with one fault, or two at once, through the whole pipeline. */
import { createRuleSet } from '../../src/classify/index.ts';
import { BUILT_IN_RULES } from '../../src/engine/create.ts';
import type { Report } from '../../src/model/report.ts';
import { createPipeline } from '../../src/pipeline.ts';
import type { Random } from '../../src/stats/random.ts';
import { createRandom } from '../../src/stats/random.ts';
import type { Fault, FaultKind } from './fault.ts';
import { CLASSES, partOf, randomFault, slowerBy } from './fault.ts';
import { isHang, OpenCalls } from './hangs.ts';
import type { Release } from './release.ts';
import { releasedBy, releasedFault, releasedSystem } from './release.ts';
import { WINDOW_MS } from './requests.ts';
import type { Condition, SimulatedSystem } from './system.ts';
import { randomSystem, under } from './system.ts';
import { windowOf } from './traffic.ts';
import type { Weather } from './weather.ts';
import { Sky } from './weather.ts';

export const START_MS = 1_700_000_000_000 - (1_700_000_000_000 % WINDOW_MS);
const MINUTE_WINDOWS = 60_000 / WINDOW_MS;

/** Minutes before the fault, and of the fault. */
export interface Length {
  readonly healthyMinutes: number;
  readonly faultMinutes: number;
  /** Healthy ones again after it; missing: none. */
  readonly afterMinutes?: number;
  /** Of two faults: from the beginning of the first, which goes on, to that of the second. */
  readonly apartSeconds?: number;
  /** Of two faults: from the end of the first, which lasts as long as the second, to the beginning of the second. */
  readonly gapSeconds?: number;
  /** Minutes in which a fault grows evenly from nothing before the minutes that it is all there; 0: sudden. */
  readonly growingMinutes?: number;
  /** It is there for so long, then gone for so long, again and again; both 0: it stays. */
  readonly onSeconds?: number;
  readonly offSeconds?: number;
  /** Windows that ingest keeps one by one; missing: as many as fit, which in systems this small are half an hour. */
  readonly keptWindows?: number;
  /** Faults of code and errors hit only requests of this kind, lightest first (`kinds`); missing: all. */
  readonly ofKind?: number;
  /** Times the added time of faults that make slow; missing: 1. */
  readonly slower?: number;
  /** Whether the fault comes with a new version, in the place of the old one or beside it; missing: by itself. */
  readonly release?: Release;
  /** What the healthy system does, before the fault and during it; missing: calm. */
  readonly weather?: Weather;
}

export const USUAL_LENGTH: Length = { healthyMinutes: 3, faultMinutes: 1 };

export function faultMs({ healthyMinutes }: Length): number {
  return START_MS + healthyMinutes * MINUTE_WINDOWS * WINDOW_MS;
}

/** When the second fault begins. */
export function secondMs(length: Length): number {
  const { apartSeconds = 0, gapSeconds = 0 } = length;
  return faultMs(length) + apartSeconds * 1_000 + (gapSeconds === 0 ? 0 : lastingMs(length) + gapSeconds * 1_000);
}

/** When the last fault is over. */
export function overMs(length: Length): number {
  return secondMs(length) + lastingMs(length);
}

function lastingMs({ faultMinutes, growingMinutes = 0 }: Length): number {
  return (growingMinutes + faultMinutes) * MINUTE_WINDOWS * WINDOW_MS;
}

/** How much of a fault is there, 0 to 1, so many windows after it began. */
function severityAfter(windows: number, { growingMinutes = 0, onSeconds = 0, offSeconds = 0 }: Length): number {
  const growing = growingMinutes * MINUTE_WINDOWS;
  const part = growing === 0 ? 1 : Math.min(1, (windows + 1) / growing);
  const seconds = (windows * WINDOW_MS) / 1000;
  return offSeconds > 0 && seconds % (onSeconds + offSeconds) >= onSeconds ? 0 : part;
}

const rules = createRuleSet(BUILT_IN_RULES);
/** Resources are drawn apart from requests. */
const NOISE_SEED = 50_000;
const SKY_SEED = 70_000_000;

export interface Simulated {
  /** At work from the same window on, or the second from a later one. */
  readonly faults: readonly Fault[];
  /** Whether a collector watches all that broke. */
  readonly watched: boolean;
  /** All of them, in the order in which they were made. */
  readonly reports: readonly Report[];
}

/** A system, what breaks in it, and what its requests and resources are drawn from. */
export interface Drawn {
  readonly system: SimulatedSystem;
  readonly faults: readonly Fault[];
  readonly random: Random;
  readonly noise: Random;
}

/**
 * @param kinds  the first that fits is taken; then, for each of `others`, the first of it that breaks something else
 * @returns undefined when the system of this seed has no place for any of them
 */
export function draw(
  seed: number,
  kinds: readonly FaultKind[],
  condition: Condition = 'none',
  others: readonly (readonly FaultKind[])[] = [],
): Drawn | undefined {
  const random = createRandom(seed);
  const noise = createRandom(seed + NOISE_SEED);
  const system = under(condition, randomSystem(random, condition === 'large'), random);
  const faults: Fault[] = [];
  for (const list of [kinds, ...others]) {
    const fault = list
      .map((kind) => randomFault(system, kind, random))
      .find((found) => found !== undefined && faults.every((other) => isElsewhere(system, other, found)));
    if (fault === undefined) return undefined;
    faults.push(fault);
  }
  const external = faults.find(({ kind }) => kind === 'slow_external')?.service;
  const open = faults.some(isHang) ? { open: new OpenCalls() } : {};
  return { system: { ...system, ...(external === undefined ? {} : { external }), ...open }, faults, random, noise };
}

/** One system of `draw` through the whole pipeline. */
export async function simulate(
  seed: number,
  kinds: readonly FaultKind[],
  condition: Condition = 'none',
  length: Length = USUAL_LENGTH,
  others: readonly (readonly FaultKind[])[] = [],
): Promise<Simulated | undefined> {
  const drawn = draw(seed, kinds, condition, others);
  if (drawn === undefined) return undefined;
  const { system, random, noise } = drawn;
  const { release = 'none', slower = 1 } = length;
  const slowed = drawn.faults.map((fault) => slowerBy(fault, slower));
  const faults = slowed.map((fault) => ({
    ...(release === 'none' ? fault : releasedFault(system, fault, release)),
    ...(length.ofKind === undefined ? {} : { ofKind: length.ofKind }),
  }));
  const { keptWindows } = length;
  const kept = keptWindows === undefined ? {} : { detailWindows: keptWindows, detailWindowsMax: keptWindows };
  const pipeline = createPipeline({ rules, configHash: 'simulate', ingest: { latenessMs: 15_000, ...kept } });
  const reports: Report[] = [];
  const healthy = length.healthyMinutes * MINUTE_WINDOWS;
  const windowAt = (ms: number): number => Math.round((ms - START_MS) / WINDOW_MS);
  const begins = [healthy, windowAt(secondMs(length))];
  const over = windowAt(overMs(length));
  const firstOver = length.gapSeconds ? healthy + windowAt(START_MS + lastingMs(length)) : over;
  const end = over + (length.afterMinutes ?? 0) * MINUTE_WINDOWS;
  const sky = new Sky(length.weather ?? 'calm', system, faults, createRandom(seed + SKY_SEED));
  for (let w = 0; w < end; w++) {
    const startMs = START_MS + w * WINDOW_MS;
    if (w === over) system.open?.clear();
    const active = faults.flatMap((fault, i) => {
      const from = begins[i]!;
      const severity = w < from || w >= (i === 0 ? firstOver : over) ? 0 : severityAfter(w - from, length);
      const part = releasedBy(fault, w - healthy);
      return severity === 0 ? [] : severity === 1 ? [part] : [partOf(part, severity)];
    });
    const now = faults.reduce((all, fault) => releasedSystem(all, fault, w - healthy, startMs), sky.next(w, startMs));
    for (const batch of windowOf(now, active, startMs, random, noise)) {
      const meta = { origin: 'simulate', receivedMs: batch.windowStartMs + WINDOW_MS };
      for (const outcome of (await pipeline.accept(batch, meta)).outcomes) reports.push(...outcome.reports);
    }
  }
  for (const outcome of await pipeline.flush()) reports.push(...outcome.reports);
  return { faults, watched: faults.every((fault) => isWatched(system, fault)), reports };
}

/** Neither the same service nor its machine: two faults that can be told apart. */
function isElsewhere({ services, machineOf }: SimulatedSystem, a: Fault, b: Fault): boolean {
  const machines = ({ service, machine }: Fault): (string | undefined)[] =>
    machine === undefined ? (services[service]?.instances ?? []).map((name) => machineOf.get(name)) : [machine];
  const isOnMachine = a.machine !== undefined || b.machine !== undefined;
  return a.service !== b.service && !(isOnMachine && machines(a).some((one) => machines(b).includes(one)));
}

function isWatched({ services, machineOf, blind }: SimulatedSystem, fault: Fault): boolean {
  const instances = fault.instance === undefined ? (services[fault.service]?.instances ?? []) : [fault.instance];
  const machines = fault.machine === undefined ? instances.map((name) => machineOf.get(name)!) : [fault.machine];
  return !machines.some((machine) => blind?.has(machine));
}

/** The last report of each incident, in the order in which they opened, before and since the fault, and since it is over. */
export function lastReports(
  reports: readonly Report[],
  beginsMs: number,
  endsMs = Number.POSITIVE_INFINITY,
): { early: Report[]; during: Report[]; late: Report[] } {
  const last = [...new Map(reports.map((report) => [report.incidentId, report])).values()];
  return {
    early: last.filter(({ openedMs }) => openedMs < beginsMs),
    during: last.filter(({ openedMs }) => openedMs >= beginsMs && openedMs < endsMs),
    late: last.filter(({ openedMs }) => openedMs >= endsMs),
  };
}

/** Entity and class. */
export function isRight({ truth, kind }: Fault, { entity, faultClass }: Report['causes'][number]): boolean {
  return entity.kind === truth.kind && entity.name === truth.name && CLASSES[kind].includes(faultClass);
}
