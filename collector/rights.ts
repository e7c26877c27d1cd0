/**
 * The rights the collector has on a host: the loader loads the probes, so its capabilities count, as the kernel gives them to
 * a process started from its file by this user; rootwalk itself only reads /proc.
 */
import { spawnSync } from 'node:child_process';

/** Numbers of <linux/capability.h>. */
const NUMBER = {
  dac_override: 1,
  dac_read_search: 2,
  sys_ptrace: 19,
  sys_admin: 21,
  sys_resource: 24,
  perfmon: 38,
  bpf: 39,
} as const;
export type Capability = keyof typeof NUMBER;

/** What the loader would have; `refused`: the kernel does not start it; undefined: nobody could ask it. */
export type LoaderRights = bigint | 'refused' | undefined;

export interface Rights {
  readonly loader: LoaderRights;
  /** Of this process. */
  readonly own: bigint;
  /** What a process here can have at all. */
  readonly bounding: bigint;
  /** File capabilities count for nothing. */
  readonly noNewPrivileges: boolean;
}

/** @param status  /proc/self/status */
export function rightsOf(status: string, loader: LoaderRights): Rights {
  const mask = (name: string): bigint | undefined => {
    const hex = new RegExp(`^${name}:\\s*([0-9a-f]+)`, 'm').exec(status)?.[1];
    return hex === undefined ? undefined : BigInt(`0x${hex}`);
  };
  return {
    loader,
    own: mask('CapEff') ?? 0n,
    bounding: mask('CapBnd') ?? (1n << 64n) - 1n,
    noNewPrivileges: /^NoNewPrivs:\s*1/m.test(status),
  };
}

export function has(mask: bigint, capability: Capability): boolean {
  return ((mask >> BigInt(NUMBER[capability])) & 1n) === 1n;
}

/** What loading the probes takes on this kernel. */
export function neededToLoad(isBefore5_11: boolean): readonly Capability[] {
  // Older kernels count maps against the limit of locked memory.
  return isBefore5_11 ? ['bpf', 'perfmon', 'sys_resource'] : ['bpf', 'perfmon'];
}

/** Asks the loader itself, so that file capabilities, the bounding set and mount options count as they do. */
export function askLoader(loader: string): LoaderRights {
  const { error, status, stdout } = spawnSync(loader, ['--capabilities'], { encoding: 'utf8', timeout: 5_000 });
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'EPERM') return 'refused';
  const hex = /^CapEff:\s*([0-9a-f]+)/m.exec(status === 0 ? stdout : '')?.[1];
  return hex === undefined ? undefined : BigInt(`0x${hex}`);
}

/** The command that gives the loader these, and nothing else. */
export function setcap(loader: string, capabilities: readonly Capability[]): string {
  return `setcap ${capabilities.map((each) => `cap_${each}`).join(',')}+ep ${loader}`;
}

/** CAP_BPF, CAP_PERFMON */
export function names(capabilities: readonly Capability[]): string {
  return capabilities.map((each) => `CAP_${each.toUpperCase()}`).join(', ');
}
