/** What breaks, and what the right answer then is. */
import type { Random } from '../../src/stats/random.ts';
import type { SimulatedSystem } from './system.ts';

export const FAULT_KINDS = [
  'slow_service',
  'slow_instance',
  'errors_service',
  'errors_instance',
  'slow_edge',
  'refused',
  'slow_machine',
  'lossy_machine',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** -1: a machine is at fault. */
  readonly service: number;
  /** slow_instance, errors_instance. */
  readonly instance?: string;
  /** slow_edge: the caller. */
  readonly caller?: number;
  /** slow_machine, lossy_machine. */
  readonly machine?: string;
  /** Factor on own time; share of requests that fail; µs on the way. */
  readonly size: number;
  readonly truth: { readonly kind: 'service' | 'instance' | 'edge' | 'machine'; readonly name: string };
}

/** What the fault tree should call it; what nothing but calls can show has fewer names than a host would give it. */
export const CLASSES: Readonly<Record<FaultKind, readonly string[]>> = {
  slow_service: ['slow_code', 'slow_database'],
  slow_instance: ['slow_code', 'slow_database'],
  errors_service: ['application_errors'],
  errors_instance: ['application_errors'],
  // Its segments are sent again.
  slow_edge: ['packet_loss'],
  refused: ['connection_refused'],
  // Without resource records nothing says why a machine is slow.
  slow_machine: ['unknown'],
  lossy_machine: ['packet_loss', 'unknown'],
};

/** Services that a fifth of the requests reach: what fewer feel is another matter. */
const MIN_VISITS = 0.2;

/** @returns undefined when the system has no place for this kind of fault */
export function randomFault(system: SimulatedSystem, kind: FaultKind, random: Random): Fault | undefined {
  const { services, visits, meanUs } = system;
  // Felt: the service (on a slow edge, the caller) takes 2.2 to 3.5 times as long. Detection asks for 1.5.
  const addedUs = (i: number): number => (1.2 + 1.3 * random()) * meanUs[i]!;
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  const reached = [...services.keys()].filter((i) => i > 0 && visits[i]! >= MIN_VISITS);
  const several = reached.filter((i) => services[i]!.instances.length > 1);
  if (kind === 'slow_edge') {
    const edges = reached.flatMap((service) =>
      services.flatMap(({ stages }, caller) =>
        stages
          .flat()
          .some(({ callee, probability }) => callee === service && probability * visits[caller]! >= MIN_VISITS)
          ? [{ caller, service }]
          : [],
      ),
    );
    // One of several callers, or the callee's end and the link cannot be told apart.
    const telling = edges.filter(({ service }) => edges.filter((edge) => edge.service === service).length > 1);
    const edge = pick(telling);
    if (edge === undefined) return undefined;
    const name = `${services[edge.caller]!.name} -> ${services[edge.service]!.name}`;
    return { kind, ...edge, size: addedUs(edge.caller), truth: { kind: 'edge', name } };
  }
  if (kind === 'slow_machine' || kind === 'lossy_machine') return machineFault(system, kind, random);
  const one = kind === 'slow_instance' || kind === 'errors_instance';
  const service = pick(one ? several : reached);
  if (service === undefined) return undefined;
  const { name, instances, ownUs } = services[service]!;
  const size = kind.startsWith('slow') ? 1 + addedUs(service) / ownUs : kind === 'refused' ? 1 : 0.3 + 0.5 * random();
  if (!one) return { kind, service, size, truth: { kind: 'service', name } };
  const instance = pick(instances)!;
  return {
    kind,
    service,
    instance,
    size: kind === 'slow_instance' ? size * instances.length : size,
    truth: { kind: 'instance', name: instance },
  };
}

/** A machine that carries at least two services; its work, or its network, makes the entry 2.2 to 3.5 times as slow. */
function machineFault(
  { services, visits, meanUs, machineOf }: SimulatedSystem,
  kind: 'slow_machine' | 'lossy_machine',
  random: Random,
): Fault | undefined {
  const loads = [...new Set(machineOf.values())].sort().flatMap((machine) => {
    const parts = services.flatMap(({ instances, ownUs }, i) => {
      const here = instances.filter((instance) => machineOf.get(instance) === machine).length / instances.length;
      return here > 0 && i > 0 && visits[i]! >= MIN_VISITS ? [{ visits: visits[i]! * here, ownUs }] : [];
    });
    // Own time of an entry request that is spent there, or calls into it.
    const spent = parts.reduce((sum, part) => sum + part.visits * (kind === 'slow_machine' ? part.ownUs : 1), 0);
    return parts.length > 1 ? [{ machine, spent }] : [];
  });
  const addedUs = (1.2 + 1.3 * random()) * meanUs[0]!;
  // More than ten times as slow is another fault.
  const able = loads.filter(({ spent }) => kind === 'lossy_machine' || addedUs / spent <= 9);
  const chosen = able[Math.floor(random() * able.length)];
  if (chosen === undefined) return undefined;
  const { machine, spent } = chosen;
  const size = kind === 'slow_machine' ? 1 + addedUs / spent : addedUs / spent;
  return { kind, service: -1, machine, size, truth: { kind: 'machine', name: machine } };
}
