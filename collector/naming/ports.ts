/** Ports the kernel gives to clients that ask for none. */
import { join } from 'node:path';
import { readText } from '../resources/files.ts';

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** The kernel's default (Documentation/networking/ip-sysctl.rst, ip_local_port_range). */
const DEFAULT_RANGE: PortRange = { first: 32_768, last: 60_999 };

/**
 * The range of the namespace this process lives in. Others may have their own, which only a process in them can read.
 *
 * @param procRoot  normally /proc
 */
export function ephemeralPorts(procRoot: string): PortRange {
  const [first, last] =
    readText(join(procRoot, 'sys/net/ipv4/ip_local_port_range'))?.trim().split(/\s+/).map(Number) ?? [];
  return first !== undefined && last !== undefined && first > 0 && first <= last ? { first, last } : DEFAULT_RANGE;
}

export function isEphemeral(range: PortRange, port: number): boolean {
  return port >= range.first && port <= range.last;
}
