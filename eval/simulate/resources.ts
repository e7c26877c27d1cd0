/** What the collectors of a simulated system's machines read of CPUs, memory and disks, and what they see happen. */
import type { ChangeRecord, ResourceRecord } from '../../src/model/records.ts';
import type { Random } from '../../src/stats/random.ts';
import { normal } from '../../src/stats/random.ts';
import type { Fault, FaultKind } from './fault.ts';
import { WINDOW_MS } from './requests.ts';
import type { SimulatedSystem } from './system.ts';

const WINDOW_US = WINDOW_MS * 1_000;
const CPUS = 8;
/** Cores that a busy neighbour leaves to nobody. */
const FULL = 0.98;
const DISK_OPS = 400;
const DISK_OP_US = 400;
const PERIODS = 50;
const MEMORY_BYTES = 3e8;

/**
 * Records of one machine: itself, its instances, and a batch job that belongs to none of the services and mostly sleeps.
 * @param cpuUs instance -> µs of this window
 */
export function resourcesOf(
  system: SimulatedSystem,
  faults: readonly Fault[],
  machine: string,
  cpuUs: ReadonlyMap<string, number>,
  random: Random,
): ResourceRecord[] {
  const about = (value: number, spread = 0.05): number => Math.round(value * Math.max(0, 1 + spread * normal(random)));
  /** How much of a fault is at a machine or instance. */
  const part = (kind: FaultKind, place: 'machine' | 'instance', name: string): number =>
    Math.max(
      0,
      ...faults.filter((fault) => fault.kind === kind && fault[place] === name).map(({ severity = 1 }) => severity),
    );
  const busy = part('busy_machine', 'machine', machine);
  const slowDisk = part('slow_disk', 'machine', machine);
  const mixed = (usual: number, broken: number, severity: number): number => usual + (broken - usual) * severity;
  const instances = [...system.machineOf].filter(([, of]) => of === machine).map(([name]) => name);
  const serviceOf = new Map(system.services.flatMap(({ name, instances: all }) => all.map((one) => [one, name])));
  const own = instances.reduce((sum, name) => sum + (cpuUs.get(name) ?? 0), 0);
  const taken = FULL * CPUS * WINDOW_US - own;
  const batch = busy === 1 ? taken : mixed(about(0.1 * WINDOW_US), taken, busy);
  const instance = (name: string, service: string, used: number): ResourceRecord => {
    const throttled = part('throttled', 'instance', name);
    const killed = part('oom', 'instance', name);
    // A quota with room; of who is throttled, it was cut to what is used.
    const limit = mixed(2 * WINDOW_US, used * 1.02, throttled);
    return {
      entityKind: 'instance',
      entity: name,
      service,
      machine,
      cpuUsedUs: Math.round(used),
      cpuLimitUs: Math.round(limit),
      cpuPeriods: PERIODS,
      cpuThrottledPeriods: throttled > 0 ? about(0.7 * PERIODS * throttled) : 0,
      cpuThrottledUs: throttled > 0 ? about(0.5 * WINDOW_US * throttled) : 0,
      runQueueDelayUs: about(mixed(0.005, 0.4, busy) * WINDOW_US),
      memoryUsedBytes: about(MEMORY_BYTES * mixed(1, 3, killed), 0.02),
      memoryLimitBytes: MEMORY_BYTES * 3.2,
      majorFaults: 0,
      oomKills: killed > 0 ? 1 : 0,
      fdUsed: about(60),
      fdLimit: 1_024,
    };
  };
  return [
    {
      entityKind: 'machine',
      entity: machine,
      cpuCount: CPUS,
      cpuUsedUs: Math.round(Math.min(CPUS * WINDOW_US, own + batch + about(0.3 * WINDOW_US))),
      psiCpuSomeUs: about(mixed(0.01, 0.6, busy) * WINDOW_US),
      psiMemorySomeUs: about(0.001 * WINDOW_US),
      psiIoSomeUs: about(mixed(0.01, 0.5, slowDisk) * WINDOW_US),
      runQueueDelayUs: about(mixed(0.02, 1.5, busy) * WINDOW_US),
      diskOps: about(DISK_OPS),
      diskIoTimeUs: about(DISK_OPS * DISK_OP_US * mixed(1, 12, slowDisk)),
      memoryUsedBytes: about(6e9, 0.01),
      memoryLimitBytes: 16e9,
      oomKills: 0,
      stealTimeUs: 0,
      softirqTimeUs: about(0.02 * WINDOW_US),
      listenOverflows: 0,
    },
    ...instances.map((name) => instance(name, serviceOf.get(name)!, cpuUs.get(name) ?? 0)),
    instance(`batch-${machine}`, 'batch', batch),
  ];
}

/** A process that was killed is seen to exit and to start again. */
export function changesOf(fault: Fault, service: string, machine: string, startMs: number): ChangeRecord[] {
  if (fault.kind !== 'oom') return [];
  const name = fault.instance!;
  const of = { entityKind: 'instance', entity: name, service, machine } as const;
  return [
    { ...of, atMs: startMs + 1_000, change: 'oom_kill' },
    { ...of, atMs: startMs + 1_001, change: 'process_exit', signal: 9 },
    { ...of, atMs: startMs + 2_000, change: 'process_start' },
  ];
}
