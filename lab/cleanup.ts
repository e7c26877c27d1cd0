/** Ends a lab from outside: processes by namespace and control group, then namespaces, groups and the directory. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { groupPids, labsWithGroups, removeGroups } from './cgroup.ts';
import { CGROUP_PATTERN, LAB_DIR_PATTERN, labDir, NETNS_DIR, NETNS_PATTERN } from './names.ts';
import { tryRun } from './shell.ts';

/** Who owns a lab: its process, told from a later one with the same pid by its start time. */
export interface Owner {
  readonly pid: number;
  readonly startTicks: string;
}

export const OWNER_FILE = 'owner.json';

/** Field 22 of /proc/PID/stat; empty when there is no such process. */
export function startTicks(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function ownerAlive(id: number): boolean {
  try {
    const owner = JSON.parse(readFileSync(join(labDir(id), OWNER_FILE), 'utf8')) as Owner;
    return startTicks(owner.pid) === owner.startTicks && owner.startTicks !== '';
  } catch {
    return false;
  }
}

function namespacesOf(id: number): string[] {
  if (!existsSync(NETNS_DIR)) return [];
  return readdirSync(NETNS_DIR).filter((name) => NETNS_PATTERN.exec(name)?.[1] === String(id));
}

async function processesOf(id: number): Promise<number[]> {
  const pids = new Set(groupPids(id));
  for (const netns of namespacesOf(id)) {
    const { stdout } = await tryRun(['ip', 'netns', 'pids', netns]);
    for (const line of stdout.split('\n').filter(Boolean)) pids.add(Number(line));
  }
  pids.delete(process.pid);
  return [...pids];
}

/**
 * Removes everything a lab of this number left: safe to call at any time, twice, and for a lab that never was.
 *
 * @returns what could not be removed; empty when all is gone
 */
export async function cleanupLab(id: number): Promise<string[]> {
  let pids = await processesOf(id);
  for (let attempt = 0; pids.length > 0 && attempt < 40; attempt++) {
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone already.
      }
    }
    await sleep(50);
    pids = await processesOf(id);
  }
  for (const netns of namespacesOf(id)) await tryRun(['ip', 'netns', 'del', netns]);
  for (let attempt = 0; !removeGroups(id) && attempt < 20; attempt++) await sleep(50);
  rmSync(labDir(id), { recursive: true, force: true });
  return [
    ...pids.map((pid) => `process ${pid}`),
    ...namespacesOf(id).map((netns) => `namespace ${netns}`),
    ...(removeGroups(id) ? [] : [`control groups of lab ${id}`]),
  ];
}

/** Numbers of labs that left something on this host, running ones included. */
export function labsOnHost(): number[] {
  const dirs = readdirSync(tmpdir()).map((name) => LAB_DIR_PATTERN.exec(name)?.[1]);
  const namespaces = existsSync(NETNS_DIR) ? readdirSync(NETNS_DIR).map((name) => NETNS_PATTERN.exec(name)?.[1]) : [];
  const found = [...dirs, ...namespaces].filter((id) => id !== undefined).map(Number);
  return [...new Set([...found, ...labsWithGroups(CGROUP_PATTERN)])].sort((a, b) => a - b);
}

/**
 * Cleans up after labs whose owner is no longer alive.
 *
 * @returns the numbers of the labs that were removed
 */
export async function cleanupLeftovers(): Promise<number[]> {
  const dead = labsOnHost().filter((id) => !ownerAlive(id));
  for (const id of dead) await cleanupLab(id);
  return dead;
}
