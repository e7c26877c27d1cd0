/** Counters of one process from /proc. */
import { join } from 'node:path';
import { listDir, readKeys, readText } from './files.ts';

/** USER_HZ: fixed at 100 in the kernel's interface on every architecture we run on. */
const TICK_US = 10_000;
const PAGE_BYTES = 4096;
/** Threads of a process whose run-queue delay is read. */
const MAX_THREADS = 128;

export interface ProcessCounters {
  readonly pid: number;
  readonly parentPid: number;
  /** As the kernel has it, at most 15 characters; of threads of the kernel more. */
  readonly command: string;
  /** Ticks since boot: tells a reused pid apart. */
  readonly startTicks: number;
  readonly cpuUsedUs: number;
  readonly majorFaults: number;
  readonly residentBytes: number;
}

export interface ProcessDetails {
  readonly sharedBytes: number | undefined;
  readonly runQueueDelayUs: number | undefined;
  readonly readBytes: number | undefined;
  readonly writeBytes: number | undefined;
  readonly fdUsed: number | undefined;
  readonly fdLimit: number | undefined;
}

/** What /proc/PID/stat says; undefined when the process is gone. */
export function processCounters(procRoot: string, pid: number): ProcessCounters | undefined {
  const stat = readText(join(procRoot, String(pid), 'stat'));
  const close = stat?.lastIndexOf(')') ?? -1;
  if (stat === undefined || close < 0) return undefined;
  // Fields from the third on; proc_pid_stat(5) counts from 1.
  const fields = stat.slice(close + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3] ?? 0);
  return {
    pid,
    parentPid: field(4),
    command: stat.slice(stat.indexOf('(') + 1, close),
    startTicks: field(22),
    cpuUsedUs: (field(14) + field(15)) * TICK_US,
    majorFaults: field(12),
    residentBytes: field(24) * PAGE_BYTES,
  };
}

/** The dearer counters, read for processes of a service only. */
export function processDetails(procRoot: string, pid: number): ProcessDetails {
  const dir = join(procRoot, String(pid));
  const io = readKeys(join(dir, 'io'));
  const fds = listDir(join(dir, 'fd'));
  const limit = /^Max open files\s+(\d+)/m.exec(readText(join(dir, 'limits')) ?? '');
  const shared = readText(join(dir, 'statm'))?.split(' ')[2];
  return {
    sharedBytes: shared === undefined ? undefined : Number(shared) * PAGE_BYTES,
    runQueueDelayUs: runQueueDelay(dir),
    readBytes: io?.get('read_bytes'),
    writeBytes: io?.get('write_bytes'),
    fdUsed: fds.length === 0 ? undefined : fds.length,
    fdLimit: limit === null ? undefined : Number(limit[1]),
  };
}

/** Time the process's threads waited for a CPU, from schedstat: run ns, wait ns, time slices. */
function runQueueDelay(dir: string): number | undefined {
  let total: number | undefined;
  for (const thread of listDir(join(dir, 'task')).slice(0, MAX_THREADS)) {
    const wait = readText(join(dir, 'task', thread, 'schedstat'))?.split(' ')[1];
    if (wait !== undefined) total = (total ?? 0) + Number(wait) / 1000;
  }
  return total;
}

/** Numeric entries of /proc. */
export function listProcesses(procRoot: string): number[] {
  return listDir(procRoot)
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}
