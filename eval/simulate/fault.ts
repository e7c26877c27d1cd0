/** What breaks, and what the right answer then is. */
import type { Random } from '../../src/stats/random.ts';
import type { SimulatedSystem } from './system.ts';
import { NETWORK_US } from './system.ts';

export const FAULT_KINDS = [
  'slow_service',
  'slow_instance',
  'errors_service',
  'errors_instance',
  'slow_edge',
  'refused',
  'slow_machine',
  'lossy_machine',
  'throttled',
  'busy_machine',
  'slow_disk',
  'oom',
  'surge',
  'drop',
  'more_calls',
  'slow_external',
] as const;
/** Calls that do not end: a service holds them all, or most; or it, or one of its instances, reads none. */
export const HANG_KINDS = ['stuck', 'frozen', 'frozen_instance'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number] | (typeof HANG_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** -1: a machine is at fault. */
  readonly service: number;
  /** slow_instance, errors_instance, throttled, oom. */
  readonly instance?: string;
  /** slow_edge: the caller. */
  readonly caller?: number;
  /** more_calls: who is called so often. */
  readonly callee?: number;
  /** slow_machine, lossy_machine, busy_machine, slow_disk. */
  readonly machine?: string;
  /** Whether slow code computes or waits. */
  readonly onCpu?: boolean;
  /** Hanging calls: whether the entry turns away users that find no worker; else they wait. */
  readonly turnsAway?: boolean;
  /** Factor on own time, or on the number of calls; share of requests that fail or are left; µs on the way. */
  readonly size: number;
  /** Only requests of this kind (`--weather kinds`) meet it; missing: all. */
  readonly ofKind?: number;
  /** Only these instances, of a new version, have it; missing: all. */
  readonly released?: ReadonlySet<string>;
  /** How much of it is there, 0 to 1; missing: all. */
  readonly severity?: number;
  readonly truth: { readonly kind: 'service' | 'instance' | 'edge' | 'machine'; readonly name: string };
}

/** What the fault tree should call it. */
export const CLASSES: Readonly<Record<FaultKind, readonly string[]>> = {
  slow_service: ['slow_code'],
  slow_instance: ['slow_code'],
  errors_service: ['application_errors'],
  errors_instance: ['application_errors'],
  // Its segments are sent again.
  slow_edge: ['packet_loss'],
  refused: ['connection_refused'],
  // A processor at half of its clock: no counter says so.
  slow_machine: ['unknown'],
  lossy_machine: ['packet_loss', 'unknown'],
  throttled: ['cpu_throttling'],
  busy_machine: ['noisy_neighbour'],
  slow_disk: ['disk_latency'],
  oom: ['oom_kill'],
  surge: ['traffic_surge'],
  drop: ['traffic_drop'],
  more_calls: ['call_amplification'],
  slow_external: ['external_dependency'],
  stuck: ['process_hang', 'slow_code'],
  frozen: ['process_hang'],
  frozen_instance: ['process_hang'],
};

/** Services that a fifth of the requests reach: what fewer feel is another matter. */
const MIN_VISITS = 0.2;
/** Times the usual requests of a surge, and of a loss of traffic. */
export const SURGE = 3;
export const DROP = 0.15;

/** The kinds whose size is a factor on own time. */
const SLOWS: ReadonlySet<FaultKind> = new Set([
  'slow_service',
  'slow_instance',
  'slow_machine',
  'throttled',
  'busy_machine',
  'slow_disk',
  'slow_external',
]);

/** The kinds whose size is a factor, 1 being none of it. */
const FACTORS: ReadonlySet<FaultKind> = new Set([...SLOWS, 'surge', 'drop', 'more_calls']);

/** A fault that is only partly there: `severity` 0 is none of it, 1 all. */
export function partOf(fault: Fault, severity: number): Fault {
  const { kind, size } = fault;
  const part = FACTORS.has(kind) ? 1 + (size - 1) * severity : size * severity;
  return { ...fault, severity, size: kind === 'more_calls' ? Math.round(part) : part };
}

/** A fault that makes slow, with so many times the added time. */
export function slowerBy(fault: Fault, times: number): Fault {
  return SLOWS.has(fault.kind) ? { ...fault, size: 1 + (fault.size - 1) * times } : fault;
}

/** @returns undefined when the system has no place for this kind of fault */
export function randomFault(system: SimulatedSystem, kind: FaultKind, random: Random): Fault | undefined {
  if (kind === 'slow_edge') return edgeFault(system, random);
  if (kind === 'more_calls') return callsFault(system, random);
  if (kind === 'slow_machine' || kind === 'lossy_machine' || kind === 'busy_machine' || kind === 'slow_disk')
    return machineFault(system, kind, random);
  if (kind === 'drop')
    return { kind, service: 0, size: DROP, truth: { kind: 'edge', name: `client -> ${system.services[0]!.name}` } };
  if (kind === 'stuck' || kind === 'frozen' || kind === 'frozen_instance') return hangFault(system, kind, random);
  return serviceFault(system, kind, random);
}

/**
 * Felt: the service (on a slow edge, the caller) takes 2.2 to 3.5 times as long. Detection asks for 1.5, for more where
 * traffic rose; so does a service whose queue grows.
 */
function addedUs({ meanUs }: SimulatedSystem, service: number, random: Random, least = 1.2): number {
  return (least + 1.3 * random()) * meanUs[service]!;
}

function pick<T>(list: readonly T[], random: Random): T | undefined {
  return list[Math.floor(random() * list.length)];
}

function reachedOf({ services, visits }: SimulatedSystem): number[] {
  return [...services.keys()].filter((i) => i > 0 && visits[i]! >= MIN_VISITS);
}

function serviceFault(system: SimulatedSystem, kind: FaultKind, random: Random): Fault | undefined {
  const { services } = system;
  const reached = reachedOf(system);
  const one = kind === 'slow_instance' || kind === 'errors_instance' || kind === 'throttled' || kind === 'oom';
  const able = reached.filter(
    (i) =>
      (!one || services[i]!.instances.length > 1) && (kind !== 'slow_external' || services[i]!.stages.length === 0),
  );
  const service = pick(able, random);
  if (service === undefined) return undefined;
  const { name, instances, ownUs } = services[service]!;
  const slow = kind.startsWith('slow') || kind === 'throttled' || kind === 'surge';
  const size = slow
    ? 1 + addedUs(system, service, random, kind === 'surge' ? 3 : 1.2) / ownUs
    : kind === 'refused'
      ? 1
      : 0.3 + 0.5 * random();
  const onCpu = random() < 0.5;
  if (!one) return { kind, service, size, onCpu, truth: { kind: 'service', name } };
  const instance = pick(instances, random)!;
  return {
    kind,
    service,
    instance,
    onCpu,
    size: slow ? size * instances.length : size,
    truth: { kind: 'instance', name: instance },
  };
}

function hangFault(system: SimulatedSystem, kind: FaultKind, random: Random): Fault | undefined {
  const { services } = system;
  const able = reachedOf(system).filter((i) => kind !== 'frozen_instance' || services[i]!.instances.length > 1);
  const service = pick(able, random);
  if (service === undefined) return undefined;
  const { name, instances } = services[service]!;
  const turnsAway = random() < 0.5;
  const size = kind === 'stuck' ? 0.3 + 0.7 * random() : 1;
  if (kind !== 'frozen_instance') return { kind, service, size, turnsAway, truth: { kind: 'service', name } };
  const instance = pick(instances, random)!;
  return { kind, service, instance, size, turnsAway, truth: { kind: 'instance', name: instance } };
}

function edgeFault(system: SimulatedSystem, random: Random): Fault | undefined {
  const { services, visits } = system;
  const edges = reachedOf(system).flatMap((service) =>
    services.flatMap(({ stages }, caller) =>
      stages.flat().some(({ callee, probability }) => callee === service && probability * visits[caller]! >= MIN_VISITS)
        ? [{ caller, service }]
        : [],
    ),
  );
  // One of several callers, or the callee's end and the link cannot be told apart.
  const telling = edges.filter(({ service }) => edges.filter((edge) => edge.service === service).length > 1);
  const edge = pick(telling, random);
  if (edge === undefined) return undefined;
  const name = `${services[edge.caller]!.name} -> ${services[edge.service]!.name}`;
  return { kind: 'slow_edge', ...edge, size: addedUs(system, edge.caller, random), truth: { kind: 'edge', name } };
}

/** A service asks one of its callees one by one for what it asked for at once. */
function callsFault(system: SimulatedSystem, random: Random): Fault | undefined {
  const { services, visits, meanUs } = system;
  const able = services.flatMap(({ stages }, service) =>
    stages.flat().flatMap(({ callee, probability, async }) => {
      if (async) return [];
      const size = 1 + (2 * meanUs[service]!) / (probability * (meanUs[callee]! + NETWORK_US));
      return visits[service]! >= MIN_VISITS && size <= 20 ? [{ service, callee, size: Math.ceil(size) }] : [];
    }),
  );
  const one = pick(able, random);
  if (one === undefined) return undefined;
  return { kind: 'more_calls', ...one, truth: { kind: 'service', name: services[one.service]!.name } };
}

/** A machine that carries at least two services; its work, or its network, makes the entry 2.2 to 3.5 times as slow. */
function machineFault(
  system: SimulatedSystem,
  kind: 'slow_machine' | 'lossy_machine' | 'busy_machine' | 'slow_disk',
  random: Random,
): Fault | undefined {
  const { services, visits, machineOf } = system;
  const loads = [...new Set(machineOf.values())].sort().flatMap((machine) => {
    const parts = services.flatMap(({ instances, ownUs }, i) => {
      const here = instances.filter((instance) => machineOf.get(instance) === machine).length / instances.length;
      return here > 0 && i > 0 && visits[i]! >= MIN_VISITS ? [{ visits: visits[i]! * here, ownUs }] : [];
    });
    // Own time of an entry request that is spent there, or calls into it.
    const spent = parts.reduce((sum, part) => sum + part.visits * (kind === 'lossy_machine' ? 1 : part.ownUs), 0);
    return parts.length > 1 ? [{ machine, spent }] : [];
  });
  const added = addedUs(system, 0, random);
  // More than ten times as slow is another fault.
  const able = loads.filter(({ spent }) => kind === 'lossy_machine' || added / spent <= 9);
  const chosen = pick(able, random);
  if (chosen === undefined) return undefined;
  const { machine, spent } = chosen;
  const size = kind === 'lossy_machine' ? added / spent : 1 + added / spent;
  return { kind, service: -1, machine, size, truth: { kind: 'machine', name: machine } };
}
