/** One CPU group per instance, below `rootwalk-lab-<id>`; control groups of version 1, or 2 where it has controllers. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupName } from './names.ts';

const ROOT = '/sys/fs/cgroup';
/** Hierarchies of version 1 that an instance gets a group in, where they are mounted. */
const V1_HIERARCHIES = ['cpu', 'cpuacct', 'memory'] as const;
const PERIOD_US = 100_000;

export type CgroupVersion = 1 | 2 | undefined;

/** Which version can limit CPU here; undefined: none. */
export function cgroupVersion(root: string = ROOT): CgroupVersion {
  if (existsSync(join(root, 'cpu', 'cpu.cfs_quota_us')) || existsSync(join(root, 'cpu', 'cgroup.procs'))) return 1;
  const controllers = join(root, 'cgroup.controllers');
  return existsSync(controllers) && readFileSync(controllers, 'utf8').split(/\s+/).includes('cpu') ? 2 : undefined;
}

export interface InstanceGroup {
  /** Path below the mount point: `/rootwalk-lab-1/cart-1`. */
  readonly path: string;
  /** Files that a process writes its pid to. */
  readonly procsFiles: readonly string[];
  /** CPUs; undefined: no limit. */
  limit(cpus: number | undefined): void;
  /** Counters of cpu.stat, such as nr_throttled. */
  stat(): Readonly<Record<string, number>>;
  /** Absent: no memory controller here. */
  readonly memory?: MemoryGroup;
}

export interface MemoryGroup {
  /** Bytes; undefined: no limit. */
  limit(bytes: number | undefined): void;
  /** Processes of the group that the kernel killed for lack of memory, since it was made. */
  oomKills(): number;
}

function memoryGroup(version: 1 | 2, path: string): MemoryGroup | undefined {
  const dir = join(ROOT, version === 1 ? 'memory' : '', path);
  const [limitFile, unlimited, killsFile] =
    version === 1
      ? (['memory.limit_in_bytes', '-1', 'memory.oom_control'] as const)
      : (['memory.max', 'max', 'memory.events'] as const);
  if (!existsSync(join(dir, limitFile))) return undefined;
  return {
    limit: (bytes) => writeFileSync(join(dir, limitFile), bytes === undefined ? unlimited : String(bytes)),
    oomKills: () => Number(/^oom_kill (\d+)/m.exec(readFileSync(join(dir, killsFile), 'utf8'))?.[1] ?? Number.NaN),
  };
}

function hierarchies(version: 1 | 2): string[] {
  if (version === 2) return [ROOT];
  return V1_HIERARCHIES.map((name) => join(ROOT, name)).filter((path) => existsSync(path));
}

/** Version 2 hands controllers down only where the parent says so. */
function enableCpu(dir: string): void {
  writeFileSync(join(dir, 'cgroup.subtree_control'), '+cpu +memory');
}

/** @returns undefined when this host cannot limit CPU by control group */
export function makeGroup(labId: number, instance: string): InstanceGroup | undefined {
  const version = cgroupVersion();
  if (version === undefined) return undefined;
  const path = `/${cgroupName(labId)}/${instance}`;
  const dirs = hierarchies(version).map((root) => join(root, path));
  for (const dir of dirs) {
    mkdirSync(dir, { recursive: true });
    if (version === 2) enableCpu(join(dir, '..'));
  }
  const cpu = dirs[0] ?? '';
  const memory = memoryGroup(version, path);
  return {
    path,
    ...(memory === undefined ? {} : { memory }),
    procsFiles: dirs.map((dir) => join(dir, 'cgroup.procs')),
    limit: (cpus) => {
      const quota = cpus === undefined ? undefined : Math.round(cpus * PERIOD_US);
      if (version === 2) writeFileSync(join(cpu, 'cpu.max'), `${quota ?? 'max'} ${PERIOD_US}`);
      else writeFileSync(join(cpu, 'cpu.cfs_quota_us'), String(quota ?? -1));
    },
    stat: () =>
      Object.fromEntries(
        readFileSync(join(cpu, 'cpu.stat'), 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]),
      ),
  };
}

function labGroups(labId: number): string[] {
  const name = cgroupName(labId);
  return [ROOT, ...V1_HIERARCHIES.map((hierarchy) => join(ROOT, hierarchy))]
    .map((root) => join(root, name))
    .filter((path) => existsSync(path));
}

/** Pids of every process in a lab's groups. */
export function groupPids(labId: number): number[] {
  const dirs = labGroups(labId).flatMap((top) => readdirSync(top, { withFileTypes: true }).map((e) => ({ top, e })));
  const files = dirs.filter(({ e }) => e.isDirectory()).map(({ top, e }) => join(top, e.name, 'cgroup.procs'));
  return [...new Set(files.flatMap((file) => readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number)))];
}

/** Removes a lab's groups; true when none is left (a group with a process in it stays). */
export function removeGroups(labId: number): boolean {
  for (const top of labGroups(labId)) {
    const children = readdirSync(top, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    for (const dir of [...children.map((entry) => join(top, entry.name)), top]) {
      try {
        rmdirSync(dir);
      } catch {
        // Busy: a process is still leaving. The caller tries again.
      }
    }
  }
  return labGroups(labId).length === 0;
}

/** Numbers of labs that have groups on this host. */
export function labsWithGroups(pattern: RegExp): number[] {
  return [ROOT, ...V1_HIERARCHIES.map((hierarchy) => join(ROOT, hierarchy))]
    .filter((root) => existsSync(root))
    .flatMap((root) => readdirSync(root))
    .map((name) => Number(pattern.exec(name)?.[1] ?? Number.NaN))
    .filter(Number.isInteger);
}
