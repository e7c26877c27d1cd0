/**
 * Resource records of instances and machines: what their processes, control groups and namespaces used since the last
 * sample. A machine that is a network namespace is the sum of its instances and its namespace's counters; the host is
 * the host. Counters that cannot be read are absent.
 */
import { join } from 'node:path';
import type { ChangeRecord, ResourceRecord } from '../../src/model/records.ts';
import type { Identity } from '../naming/namer.ts';
import { Bystanders } from './bystanders.ts';
import type { CgroupCounters } from './cgroup.ts';
import { cgroupPaths, readCgroup } from './cgroup.ts';
import { readText } from './files.ts';
import type { Counters } from './host.ts';
import { hostCounters, hostGauges, netnsCounters, netnsGauges } from './host.ts';
import type { ProcessCounters, ProcessDetails } from './process.ts';
import { listProcesses, processCounters, processDetails } from './process.ts';

export interface SamplerOptions {
  readonly hostName: string;
  readonly procRoot?: string;
  readonly cgroupRoot?: string;
  /** Who a process is, when it is part of a service; undefined for all others. */
  readonly identify: (pid: number) => Identity | undefined;
  /** Name of the machine that a network namespace is; by default the host. */
  readonly machineOf?: (netns: number) => string;
  /** Told at each sample: the processes that live. */
  readonly onProcesses?: (pids: ReadonlySet<number>) => void;
}

export interface Sample {
  readonly resources: readonly ResourceRecord[];
  readonly changes: readonly ChangeRecord[];
}

interface Previous {
  readonly process: ProcessCounters;
  readonly details: ProcessDetails;
}

interface InstanceSum {
  readonly identity: Identity;
  readonly processes: Previous[];
  readonly sums: Map<string, number>;
}

const EXTRA = new Set([
  'tcpListenDrops',
  'tcpRetransmittedSegments',
  'tcpTimeouts',
  'tcpSynRetransmits',
  'tcpAttemptFails',
  'tcpEstablishedResets',
  'tcpResetsSent',
  'tcpZeroWindowAdvertisements',
]);

/** Sums of instances that make up a machine of the naming file. */
const SUMMED = [
  'cpuUsedUs',
  'runQueueDelayUs',
  'majorFaults',
  'diskReadBytes',
  'diskWriteBytes',
  'memoryUsedBytes',
  'processCount',
] as const;

export class ResourceSampler {
  readonly #options: Required<SamplerOptions>;
  #processes = new Map<number, Previous>();
  #cgroups = new Map<string, CgroupCounters>();
  readonly #counters = new Map<string, Counters>();
  readonly #bystanders: Bystanders;
  #lastMs = Number.NaN;

  constructor(options: SamplerOptions) {
    this.#options = {
      procRoot: '/proc',
      cgroupRoot: '/sys/fs/cgroup',
      onProcesses: () => {},
      machineOf: () => options.hostName,
      ...options,
    };
    this.#bystanders = new Bystanders(this.#options);
  }

  /**
   * Reads everything once. The first sample has gauges only.
   *
   * Cost: one small file per process of the host, about ten per process of a service.
   */
  sample(nowMs: number): Sample {
    const elapsedMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    const instances = this.#instances();
    const changes: ChangeRecord[] = [];
    const records: ResourceRecord[] = [];
    const cgroups = new Map<string, CgroupCounters>();
    for (const instance of instances.values())
      records.push(this.#instance(instance, elapsedMs, nowMs, cgroups, changes));
    this.#cgroups = cgroups;
    records.push(...this.#bystanders.records(elapsedMs));
    records.push(...this.#machines(instances, records));
    return { resources: records, changes };
  }

  #instances(): Map<string, InstanceSum> {
    const { procRoot, identify } = this.#options;
    const instances = new Map<string, InstanceSum>();
    const seen = new Map<number, Previous>();
    const alive = listProcesses(procRoot);
    this.#options.onProcesses(new Set(alive));
    for (const pid of alive) {
      const identity = identify(pid);
      const process = processCounters(procRoot, pid);
      if (process === undefined) continue;
      if (identity === undefined) {
        this.#bystanders.add(process);
        continue;
      }
      const now = { process, details: processDetails(procRoot, pid) };
      seen.set(pid, now);
      let sum = instances.get(identity.instance);
      if (sum === undefined) {
        sum = { identity, processes: [], sums: new Map() };
        instances.set(identity.instance, sum);
      }
      sum.processes.push(now);
      const before = this.#processes.get(pid);
      this.#addProcess(sum.sums, now, before?.process.startTicks === process.startTicks ? before : undefined);
    }
    this.#processes = seen;
    return instances;
  }

  #addProcess(sums: Map<string, number>, now: Previous, before: Previous | undefined): void {
    const add = (name: string, value: number | undefined, last: number | undefined): void => {
      // A process that began since the last sample used all it has since then; at the first sample nothing is known.
      const base = before === undefined ? (this.#processes.size === 0 ? undefined : 0) : last;
      if (value !== undefined && base !== undefined) sums.set(name, (sums.get(name) ?? 0) + Math.max(0, value - base));
    };
    add('cpuUsedUs', now.process.cpuUsedUs, before?.process.cpuUsedUs);
    add('majorFaults', now.process.majorFaults, before?.process.majorFaults);
    add('runQueueDelayUs', now.details.runQueueDelayUs, before?.details.runQueueDelayUs);
    add('diskReadBytes', now.details.readBytes, before?.details.readBytes);
    add('diskWriteBytes', now.details.writeBytes, before?.details.writeBytes);
  }

  #instance(
    instance: InstanceSum,
    elapsedMs: number,
    nowMs: number,
    cgroups: Map<string, CgroupCounters>,
    changes: ChangeRecord[],
  ): ResourceRecord {
    const { identity, processes, sums } = instance;
    const group = this.#cgroup(instance);
    const before = this.#cgroups.get(identity.instance);
    if (group !== undefined) {
      cgroups.set(identity.instance, group);
      if (before !== undefined) changes.push(...limitChanges(identity, before, group, nowMs));
    }
    const fd = fullest(processes);
    const values: Record<string, number | undefined> = {
      ...Object.fromEntries(sums),
      processCount: processes.length,
      memoryUsedBytes: memoryOf(processes),
      fdUsed: fd?.fdUsed,
      fdLimit: fd?.fdLimit,
      ...cgroupValues(group, before, elapsedMs),
    };
    return {
      entityKind: 'instance',
      entity: identity.instance,
      service: identity.service,
      machine: identity.machine,
      ...known(values),
    };
  }

  /** The group of the instance's oldest process, when it is not the root of all hierarchies. */
  #cgroup(instance: InstanceSum): CgroupCounters | undefined {
    const oldest = instance.processes.reduce((a, b) => (b.process.startTicks < a.process.startTicks ? b : a));
    const content = readText(join(this.#options.procRoot, String(oldest.process.pid), 'cgroup'));
    if (content === undefined) return undefined;
    return readCgroup(cgroupPaths(content, this.#options.cgroupRoot), this.#options.cgroupRoot);
  }

  #machines(instances: ReadonlyMap<string, InstanceSum>, records: readonly ResourceRecord[]): ResourceRecord[] {
    const { procRoot, hostName } = this.#options;
    const found: ResourceRecord[] = [];
    const pids = new Map<string, number>();
    for (const { identity, processes } of instances.values()) {
      const pid = processes[0]?.process.pid;
      if (pid !== undefined && !pids.has(identity.machine)) pids.set(identity.machine, pid);
    }
    pids.delete(hostName);
    for (const [machine, pid] of pids) {
      const sums: Record<string, number> = {};
      for (const record of records) {
        if (record.machine !== machine) continue;
        for (const name of SUMMED) {
          const value = record[name];
          if (value !== undefined) sums[name] = (sums[name] ?? 0) + value;
        }
      }
      const net = this.#difference(machine, netnsCounters(procRoot, pid));
      found.push({
        entityKind: 'machine',
        entity: machine,
        ...sums,
        ...network({ ...net, ...netnsGauges(procRoot, pid) }),
      });
    }
    const host = this.#difference(`host ${hostName}`, {
      ...hostCounters(procRoot),
      ...netnsCounters(procRoot, 'self'),
    });
    const gauges = { ...hostGauges(procRoot), ...netnsGauges(procRoot, 'self') };
    found.push({ entityKind: 'machine', entity: hostName, ...network({ ...host, ...gauges }) });
    for (const key of this.#counters.keys())
      if (key !== `host ${hostName}` && !pids.has(key)) this.#counters.delete(key);
    return found.sort((a, b) => (a.entity < b.entity ? -1 : 1));
  }

  #difference(key: string, now: Counters): Counters {
    const before = this.#counters.get(key);
    this.#counters.set(key, now);
    if (before === undefined) return {};
    const difference: Record<string, number> = {};
    for (const [name, value] of Object.entries(now)) {
      const last = before[name];
      if (value !== undefined && last !== undefined) difference[name] = Math.max(0, value - last);
    }
    return difference;
  }
}

function known(values: Counters): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && Number.isFinite(value)) found[name] = Math.round(value);
  }
  return found;
}

/** Splits off the counters that have no field of their own into `extra`. */
function network(values: Counters): Record<string, number> & { extra?: Record<string, number> } {
  const all = known(values);
  const extra: Record<string, number> = {};
  const own: Record<string, number> = {};
  for (const [name, value] of Object.entries(all)) (EXTRA.has(name) ? extra : own)[name] = value;
  return (Object.keys(extra).length === 0 ? own : { ...own, extra }) as Record<string, number> & {
    extra?: Record<string, number>;
  };
}

/** Private pages of all processes, and the largest shared part once: forked servers share most of theirs. */
function memoryOf(processes: readonly Previous[]): number {
  let total = 0;
  let shared = 0;
  for (const { process, details } of processes) {
    const common = Math.min(details.sharedBytes ?? 0, process.residentBytes);
    total += process.residentBytes - common;
    shared = Math.max(shared, common);
  }
  return total + shared;
}

/** The process that is nearest to its descriptor limit. */
function fullest(processes: readonly Previous[]): ProcessDetails | undefined {
  let best: ProcessDetails | undefined;
  const ratio = (details: ProcessDetails): number => (details.fdUsed ?? 0) / (details.fdLimit ?? Infinity);
  for (const { details } of processes) if (best === undefined || ratio(details) > ratio(best)) best = details;
  return best;
}

function cgroupValues(
  group: CgroupCounters | undefined,
  before: CgroupCounters | undefined,
  elapsedMs: number,
): Counters {
  if (group === undefined) return {};
  const rise = (name: keyof CgroupCounters): number | undefined => {
    const now = group[name];
    const last = before?.[name];
    return typeof now === 'number' && typeof last === 'number' ? Math.max(0, now - last) : undefined;
  };
  const throttled = (name: 'cpuThrottledUs' | 'cpuThrottledPeriods' | 'cpuPeriods'): number | undefined =>
    group.statPath === before?.statPath ? rise(name) : undefined;
  return {
    cpuLimitUs: group.cpuLimit === undefined ? undefined : group.cpuLimit * elapsedMs * 1000,
    cpuThrottledUs: throttled('cpuThrottledUs'),
    cpuThrottledPeriods: throttled('cpuThrottledPeriods'),
    cpuPeriods: throttled('cpuPeriods'),
    memoryLimitBytes: group.memoryLimitBytes,
    oomKills: rise('oomKills'),
    psiCpuSomeUs: rise('psiCpuSomeUs'),
    psiMemorySomeUs: rise('psiMemorySomeUs'),
    psiIoSomeUs: rise('psiIoSomeUs'),
    // With a limit the group's own account decides, page cache included.
    ...(group.memoryLimitBytes === undefined ? {} : { memoryUsedBytes: group.memoryUsedBytes }),
  };
}

function limitChanges(identity: Identity, before: CgroupCounters, now: CgroupCounters, atMs: number): ChangeRecord[] {
  const found: ChangeRecord[] = [];
  for (const name of ['cpuLimit', 'memoryLimitBytes'] as const) {
    if (before[name] === now[name]) continue;
    found.push({
      atMs,
      change: 'limit_changed',
      entityKind: 'instance',
      entity: identity.instance,
      service: identity.service,
      machine: identity.machine,
      detail: { limit: name, from: String(before[name] ?? 'none'), to: String(now[name] ?? 'none') },
    });
  }
  return found;
}
