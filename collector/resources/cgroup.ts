/** Limits, throttling, memory and pressure of a process's control group, version 1 and 2. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readKeys, readNumber, readPressure, readText } from './files.ts';

/** Directories of a process's groups. */
export interface CgroupPaths {
  readonly unified: string | undefined;
  readonly cpu: string | undefined;
  readonly memory: string | undefined;
}

/** Totals since the group was made, and limits in force. Absent: the group or the kernel does not say. */
export interface CgroupCounters {
  /** Group whose throttling is told: the one with the tightest quota. */
  readonly statPath: string | undefined;
  /** CPUs the tightest quota on the way up allows. */
  readonly cpuLimit: number | undefined;
  readonly cpuThrottledUs: number | undefined;
  readonly cpuPeriods: number | undefined;
  readonly cpuThrottledPeriods: number | undefined;
  readonly memoryUsedBytes: number | undefined;
  readonly memoryLimitBytes: number | undefined;
  readonly oomKills: number | undefined;
  readonly psiCpuSomeUs: number | undefined;
  readonly psiMemorySomeUs: number | undefined;
  readonly psiIoSomeUs: number | undefined;
}

/** Limits of v1 at or above this are "no limit" (PAGE_COUNTER_MAX). */
const NO_LIMIT = 2 ** 62;

/**
 * @param content     of /proc/PID/cgroup
 * @param cgroupRoot  normally /sys/fs/cgroup
 */
export function cgroupPaths(content: string, cgroupRoot: string): CgroupPaths {
  let unified: string | undefined;
  let cpu: string | undefined;
  let memory: string | undefined;
  for (const line of content.split('\n')) {
    const [id, controllers, ...rest] = line.split(':');
    const path = rest.join(':');
    if (path === '' || controllers === undefined) continue;
    if (id === '0' && controllers === '') {
      const hybrid = join(cgroupRoot, 'unified');
      unified = join(existsSync(join(cgroupRoot, 'cgroup.controllers')) ? cgroupRoot : hybrid, path);
      continue;
    }
    const names = controllers.split(',');
    if (names.includes('cpu')) cpu = mounted(cgroupRoot, ['cpu', controllers], path);
    if (names.includes('memory')) memory = mounted(cgroupRoot, ['memory', controllers], path);
  }
  return { unified, cpu, memory };
}

function mounted(root: string, names: readonly string[], path: string): string | undefined {
  const name = names.find((candidate) => existsSync(join(root, candidate)));
  return name === undefined ? undefined : join(root, name, path);
}

/** Directories from `path` up to, and without, the mount point. */
function ancestors(path: string | undefined, cgroupRoot: string): string[] {
  const found: string[] = [];
  for (let at = path?.replace(/\/+$/, ''); at !== undefined && at.length > cgroupRoot.length; at = dirname(at)) {
    found.push(at);
  }
  return found;
}

interface Quota {
  readonly path: string;
  readonly cpus: number;
}

function quotaOf(path: string, version: 1 | 2): Quota | undefined {
  if (version === 2) {
    const [quota, period] = readText(join(path, 'cpu.max'))?.trim().split(' ') ?? [];
    if (quota === undefined || quota === 'max' || period === undefined) return undefined;
    return { path, cpus: Number(quota) / Number(period) };
  }
  const quota = readNumber(join(path, 'cpu.cfs_quota_us'));
  const period = readNumber(join(path, 'cpu.cfs_period_us'));
  if (quota === undefined || quota <= 0 || period === undefined || period <= 0) return undefined;
  return { path, cpus: quota / period };
}

function tightest(paths: readonly string[], version: 1 | 2): Quota | undefined {
  let best: Quota | undefined;
  for (const path of paths) {
    const quota = quotaOf(path, version);
    if (quota !== undefined && (best === undefined || quota.cpus < best.cpus)) best = quota;
  }
  return best;
}

function memoryLimit(paths: readonly string[], file: string): number | undefined {
  let best: number | undefined;
  for (const path of paths) {
    const limit = readNumber(join(path, file));
    if (limit !== undefined && limit < NO_LIMIT && (best === undefined || limit < best)) best = limit;
  }
  return best;
}

/** Reads all a group says. The root group of a hierarchy is the machine and says nothing here but that it has no quota. */
export function readCgroup(paths: CgroupPaths, cgroupRoot: string): CgroupCounters {
  const unifiedUp = ancestors(paths.unified, unifiedRoot(paths.unified, cgroupRoot));
  const cpuUp = ancestors(paths.cpu, join(cgroupRoot, 'cpu'));
  const memoryUp = ancestors(paths.memory, join(cgroupRoot, 'memory'));
  const quota = tightest(unifiedUp, 2) ?? tightest(cpuUp, 1);
  const own = unifiedUp[0];
  const memory = memoryUp[0];
  // Also without a quota: when one comes, its first window already has a difference.
  const statPath = quota?.path ?? own ?? cpuUp[0];
  const stat = statPath === undefined ? undefined : readKeys(join(statPath, 'cpu.stat'));
  const throttledNs = stat?.get('throttled_time');
  const none = quota === undefined && isReadable(paths) ? 0 : undefined;
  return {
    statPath,
    cpuLimit: quota?.cpus,
    cpuThrottledUs: stat?.get('throttled_usec') ?? (throttledNs === undefined ? none : throttledNs / 1000),
    cpuPeriods: stat?.get('nr_periods') ?? none,
    cpuThrottledPeriods: stat?.get('nr_throttled') ?? none,
    memoryUsedBytes:
      (own === undefined ? undefined : readNumber(join(own, 'memory.current'))) ??
      (memory === undefined ? undefined : readNumber(join(memory, 'memory.usage_in_bytes'))),
    memoryLimitBytes: memoryLimit(unifiedUp, 'memory.max') ?? memoryLimit(memoryUp, 'memory.limit_in_bytes'),
    oomKills:
      (own === undefined ? undefined : readKeys(join(own, 'memory.events'))?.get('oom_kill')) ??
      (memory === undefined ? undefined : readKeys(join(memory, 'memory.oom_control'))?.get('oom_kill')),
    psiCpuSomeUs: own === undefined ? undefined : readPressure(join(own, 'cpu.pressure')),
    psiMemorySomeUs: own === undefined ? undefined : readPressure(join(own, 'memory.pressure')),
    psiIoSomeUs: own === undefined ? undefined : readPressure(join(own, 'io.pressure')),
  };
}

/**
 * Whether the groups that could have a quota are there to be read. Whose groups have none is not throttled, whether or not
 * cpu.stat says so: the root of a hierarchy and groups of version 2 without the controller count no periods.
 */
function isReadable({ cpu, unified }: CgroupPaths): boolean {
  const path = cpu ?? unified;
  return path !== undefined && existsSync(path);
}

function unifiedRoot(path: string | undefined, cgroupRoot: string): string {
  const hybrid = join(cgroupRoot, 'unified');
  return path !== undefined && (path === hybrid || path.startsWith(`${hybrid}/`)) ? hybrid : cgroupRoot;
}
