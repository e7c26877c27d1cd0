/** What /proc says about a process. The root is injectable, so that fixture trees test it. */
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export interface ProcessInfo {
  readonly pid: number;
  readonly parentPid: number;
  /** Path of the executable; empty when it is not readable. */
  readonly executable: string;
  readonly commandLine: readonly string[];
  readonly comm: string;
  readonly workingDirectory: string;
  /** Longest cgroup path of all hierarchies. */
  readonly cgroup: string;
  /** Inode of the network namespace; 0 when not readable. */
  readonly netns: number;
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** The most telling path of a /proc/PID/cgroup file: of v2, else the longest of v1. */
export function cgroupPath(content: string): string {
  const paths = content
    .split('\n')
    .map((line) => line.split(':').slice(2).join(':'))
    .filter((path) => path !== '' && path !== '/');
  return paths.reduce((best, path) => (path.length > best.length ? path : best), '');
}

/** Information about a process; undefined when it does not exist (any more). */
export function readProcess(procRoot: string, pid: number): ProcessInfo | undefined {
  const dir = join(procRoot, String(pid));
  const stat = text(join(dir, 'stat'));
  const close = stat.lastIndexOf(')');
  if (close < 0) return undefined;
  const fields = stat.slice(close + 2).split(' ');
  return {
    pid,
    parentPid: Number(fields[1] ?? 0),
    comm: stat.slice(stat.indexOf('(') + 1, close),
    executable: link(join(dir, 'exe')).replace(/ \(deleted\)$/, ''),
    commandLine: text(join(dir, 'cmdline'))
      .split('\0')
      .filter((part) => part !== ''),
    workingDirectory: link(join(dir, 'cwd')),
    cgroup: cgroupPath(text(join(dir, 'cgroup'))),
    netns: Number(/\[(\d+)\]/.exec(link(join(dir, 'ns', 'net')))?.[1] ?? 0),
  };
}
