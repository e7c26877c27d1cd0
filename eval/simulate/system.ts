/** Random systems: services in layers, instances on machines, stages of parallel calls. Seeded, nothing else random. */
import { RcaError } from '../../src/model/errors.ts';
import type { ChangeRecord } from '../../src/model/records.ts';
import type { Random } from '../../src/stats/random.ts';
import type { OpenCalls } from './hangs.ts';

export interface Call {
  readonly callee: number;
  /** Share of requests that make it. */
  readonly probability: number;
  /** Nobody waits for it. */
  readonly async?: boolean;
}

export interface Service {
  readonly name: string;
  readonly instances: readonly string[];
  readonly ownUs: number;
  /** One after the other; calls of one stage at once. */
  readonly stages: readonly (readonly Call[])[];
}

export interface SimulatedSystem {
  readonly services: readonly Service[];
  readonly machineOf: ReadonlyMap<string, string>;
  readonly requestsPerS: number;
  /** Calls of each service per request. */
  readonly visits: readonly number[];
  /** Mean duration of each service, µs; of parallel calls the longest mean. */
  readonly meanUs: readonly number[];
  /** A service on somebody else's machine: only its callers are observed. */
  readonly external?: number;
  /** Machines without a collector. */
  readonly blind?: ReadonlySet<string>;
  /** Times a failed call is made again. */
  readonly retries?: number;
  /** A service gives up a call after so many times the callee's mean duration; missing: it waits for ever. */
  readonly patience?: number;
  /** Circuit breakers, `instance|callee` -> failed share of the last window's calls; missing: nobody has any. Written to. */
  readonly breakers?: Map<string, number>;
  /** Calls that hang; missing: none ever does. Written to. */
  readonly open?: OpenCalls;
  /** What this window has that others may not. */
  readonly now?: Now;
}

/** The weather of one window: what healthy systems do besides answering evenly. */
export interface Now {
  /** Instance -> factor on its own time. */
  readonly slow: ReadonlyMap<string, number>;
  /** Factor on everybody's own time. */
  readonly load: number;
  readonly changes: readonly ChangeRecord[];
  /** Share of requests that take far longer. */
  readonly tailShare?: number;
  /** Instances stop so often, and for so long. */
  readonly pauseEveryS?: number;
  readonly pauseUs?: number;
  /** Shares of the kinds of requests, lightest first; missing: all alike. */
  readonly kinds?: readonly number[];
  /** Somebody else calls a service beside its callers. */
  readonly job?: { readonly callee: number; readonly perS: number } | undefined;
}

/** What makes a system harder to see through. */
export const CONDITIONS = [
  'none',
  'async',
  'blind',
  'breakers',
  'large',
  'quiet',
  'retries',
  'sparse',
  'storms',
  'timeouts',
] as const;
export type Condition = (typeof CONDITIONS)[number];

/** @throws RCA_BAD_INPUT */
export function conditionOf(text: string): Condition {
  const condition = CONDITIONS.find((one) => one === text);
  if (condition === undefined)
    throw new RcaError('RCA_BAD_INPUT', `--condition: expected ${CONDITIONS.join(', ')}, found ${text}`);
  return condition;
}

const BLIND = 1 / 3;
const ASYNC = 0.25;
const QUIET = 1 / 8;
const SPARSE = 1 / 40;
const RETRIES = 2;
/** One call of a thousand takes longer while all is well; of a callee twice as slow one of twenty. */
const PATIENCE = 4;

/**
 * A third of the machines without a collector, a quarter of the calls asynchronous, an eighth or a fortieth of the traffic,
 * retries, callers that give up, that then call again, or that call no more for a while.
 */
export function under(condition: Condition, system: SimulatedSystem, random: Random): SimulatedSystem {
  if (condition === 'quiet') return { ...system, requestsPerS: system.requestsPerS * QUIET };
  if (condition === 'sparse') return { ...system, requestsPerS: system.requestsPerS * SPARSE };
  if (condition === 'retries') return { ...system, retries: RETRIES };
  if (condition === 'timeouts') return { ...system, patience: PATIENCE };
  if (condition === 'breakers') return { ...system, patience: PATIENCE, breakers: new Map() };
  if (condition === 'storms') return { ...system, patience: PATIENCE, retries: RETRIES };
  if (condition === 'blind') {
    const machines = [...new Set(system.machineOf.values())].sort();
    return { ...system, blind: new Set(machines.filter(() => random() < BLIND)) };
  }
  if (condition === 'none' || condition === 'large') return system;
  const services = system.services.map((service) => ({
    ...service,
    stages: service.stages.map((stage) => stage.map((call) => ({ ...call, async: random() < ASYNC }))),
  }));
  return { ...system, services, meanUs: meansOf(services) };
}

export const NETWORK_US = 300;

const between = (random: Random, low: number, high: number): number => low + random() * (high - low);
const whole = (random: Random, low: number, high: number): number => low + Math.floor(random() * (high - low + 1));

/** a, b, … z, aa, ab, … */
const letters = (i: number): string =>
  (i > 26 ? letters(Math.floor((i - 1) / 26)) : '') + String.fromCharCode(97 + ((i - 1) % 26));

/**
 * 6 to 15 services, large 40 to 80; service 0 is the entry. Every other service is called by an earlier one: in a small
 * system one just before it, in a large one a quarter to half as far from the entry, so that calls are few levels deep.
 */
export function randomSystem(random: Random, isLarge = false): SimulatedSystem {
  const size = isLarge ? whole(random, 40, 80) : whole(random, 6, 15);
  const machines = isLarge ? whole(random, 12, 25) : whole(random, 3, 6);
  const callerOf = (i: number): number =>
    isLarge
      ? whole(random, Math.floor((i - 1) / 4), Math.floor((i - 1) / 2))
      : whole(random, Math.max(0, i - 4), i - 1);
  const callers = Array.from({ length: size }, (_, i) => (i === 0 ? [] : [callerOf(i)]));
  for (let i = 2; i < size; i++) {
    if (random() > 0.35) continue;
    const more = whole(random, 0, i - 1);
    if (!callers[i]!.includes(more)) callers[i]!.push(more);
  }
  const machineOf = new Map<string, string>();
  const services = callers.map((_, i): Service => {
    const name = i === 0 ? 'gateway' : `service-${letters(i)}`;
    const instances = Array.from({ length: whole(random, 1, 3) }, (_x, k) => `${name}-${k + 1}`);
    instances.forEach((instance, k) => {
      machineOf.set(instance, `machine-${((i + k * 2) % machines) + 1}`);
    });
    const callees = callers.flatMap((list, callee) => (list.includes(i) ? [callee] : []));
    const stages: Call[][] = [];
    for (const callee of callees) {
      const call = { callee, probability: random() < 0.5 ? 1 : between(random, 0.4, 0.9) };
      const last = stages.at(-1);
      if (last !== undefined && random() < 0.4) last.push(call);
      else stages.push([call]);
    }
    return { name, instances, ownUs: between(random, 1_500, 15_000), stages };
  });
  const visits = services.map(() => 0);
  visits[0] = 1;
  services.forEach(({ stages }, i) => {
    for (const { callee, probability } of stages.flat()) visits[callee] = visits[callee]! + visits[i]! * probability;
  });
  const meanUs = meansOf(services);
  return { meanUs, services, machineOf, requestsPerS: between(random, 30, 60), visits };
}

/** Mean duration of each service: its own time and, stage by stage, the longest mean it waits for. */
function meansOf(services: readonly Service[]): number[] {
  const meanUs = services.map(() => 0);
  for (let i = services.length - 1; i >= 0; i--) {
    const { ownUs, stages } = services[i]!;
    const waits = stages.map((stage) =>
      Math.max(0, ...stage.map((call) => (call.async ? 0 : call.probability * (meanUs[call.callee]! + NETWORK_US)))),
    );
    meanUs[i] = waits.reduce((sum, wait) => sum + wait, ownUs);
  }
  return meanUs;
}
