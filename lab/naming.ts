/** The naming file that the lab hands to the collector: who listens where, which process is what. */
import { renameSync, writeFileSync } from 'node:fs';
import type { Machine } from './network/namespaces.ts';

/** Something that runs: an instance of a service, the gateway, a store, the client. */
export interface Placed {
  readonly service: string;
  readonly instance: string;
  readonly machine: Machine;
  /** Absent: it only calls. */
  readonly port?: number;
  /** Absent: it does not run now. */
  readonly pid?: number;
  /** Path of its control group below the mount point. */
  readonly cgroup?: string;
}

export interface NamingDocument {
  readonly version: 1;
  readonly machines: readonly {
    readonly name: string;
    readonly netns: string;
    readonly netnsInode: number;
    readonly addresses: readonly string[];
    /** Control groups of the instances on it. */
    readonly cgroups: readonly string[];
  }[];
  readonly endpoints: readonly {
    readonly address: string;
    readonly port: number;
    readonly service: string;
    readonly instance: string;
    readonly machine: string;
  }[];
  readonly processes: readonly {
    readonly pid: number;
    readonly service: string;
    readonly instance: string;
    readonly machine: string;
    readonly cgroup?: string;
  }[];
}

/** Endpoints stay when their process is gone: a refused connection still has a name. */
export function namingDocument(machines: readonly Machine[], placed: readonly Placed[]): NamingDocument {
  return {
    version: 1,
    machines: machines.map(({ name, netns, netnsInode, address }) => ({
      name,
      netns,
      netnsInode,
      addresses: [address],
      cgroups: placed.flatMap(({ machine, cgroup }) => (machine.name === name && cgroup !== undefined ? [cgroup] : [])),
    })),
    endpoints: placed.flatMap(({ service, instance, machine, port }) =>
      port === undefined ? [] : [{ address: machine.address, port, service, instance, machine: machine.name }],
    ),
    processes: placed.flatMap(({ service, instance, machine, pid, cgroup }) =>
      pid === undefined
        ? []
        : [{ pid, service, instance, machine: machine.name, ...(cgroup === undefined ? {} : { cgroup }) }],
    ),
  };
}

/** Writes JSON so that a reader sees the old or the new file, never a part. */
export function writeJsonAtomically(path: string, value: unknown): void {
  writeFileSync(`${path}.part`, `${JSON.stringify(value, null, 2)}\n`);
  renameSync(`${path}.part`, path);
}
