/** What a lab owns on the host, all of it by name: one number per lab, one prefix for each kind of thing. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const LAB_DIR_PATTERN = /^rootwalk-lab-(\d+)$/;
/** Namespaces of any lab: `rw<id>-<machine>`. */
export const NETNS_PATTERN = /^rw(\d+)-[a-z][a-z0-9]*$/;
export const CGROUP_PATTERN = /^rootwalk-lab-(\d+)$/;
export const NETNS_DIR = '/run/netns';
/** The namespace that holds the bridge: the switch. No machine may be called like this. */
export const SWITCH = 'switch';
export const BRIDGE = 'br0';

export function labDir(id: number): string {
  return join(tmpdir(), `rootwalk-lab-${id}`);
}

export function netnsName(id: number, machine: string): string {
  return `rw${id}-${machine}`;
}

export function cgroupName(id: number): string {
  return `rootwalk-lab-${id}`;
}

/** Address of the n-th machine (0-based) inside the lab's own namespaces. */
export function machineAddress(n: number): string {
  return `10.77.1.${n + 10}`;
}

/** Of an instance that takes the place of another in a new version. */
export function freshName(instance: string, version: string): string {
  return `${instance}-${version}`;
}
