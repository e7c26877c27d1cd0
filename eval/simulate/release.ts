/**
 * A fault that comes with a new version: instances are replaced one by one, or on plain hosts restarted under their old names,
 * and only those of the new version have it. Nothing is random.
 */

import { RcaError } from '../../src/model/errors.ts';
import type { ChangeRecord } from '../../src/model/records.ts';
import type { Fault, FaultKind } from './fault.ts';
import type { SimulatedSystem } from './system.ts';
import { COLD, COLD_WINDOWS, ROLL_WINDOWS } from './weather.ts';

export const RELEASES = ['none', 'rolling', 'canary', 'restart'] as const;
export type Release = (typeof RELEASES)[number];

/** @throws RCA_BAD_INPUT */
export function releaseOf(text: string): Release {
  const release = RELEASES.find((one) => one === text);
  if (release === undefined)
    throw new RcaError('RCA_BAD_INPUT', `--release: expected ${RELEASES.join(', ')}, found ${text}`);
  return release;
}

/** What a version brings: code that is slow, that fails, that asks too often; a process that does not listen, or is killed. */
const ROLLED_KINDS: readonly FaultKind[] = ['slow_service', 'errors_service', 'more_calls', 'refused'];

export function releasedKinds(release: Release): readonly FaultKind[] {
  return release === 'canary' ? [...ROLLED_KINDS, 'oom'] : ROLLED_KINDS;
}

/** The fault as the first new instance's: of one instance beside others, its truth is that instance, and it is worse. */
export function releasedFault(system: SimulatedSystem, fault: Fault, release: Release): Fault {
  const { name, instances } = system.services[fault.service]!;
  const count = instances.length;
  if (release === 'restart') return { ...fault, released: new Set(instances) };
  if (release === 'rolling' || count === 1)
    return { ...fault, released: new Set(instances.map((_, k) => fresh(name, k))) };
  const isFactor = fault.kind === 'slow_service' || fault.kind === 'more_calls';
  return {
    ...fault,
    ...(fault.instance === undefined ? {} : { instance: fresh(name, 0) }),
    size: isFactor ? Math.ceil(1 + (fault.size - 1) * count) : fault.size,
    released: new Set([fresh(name, 0)]),
    truth: { kind: 'instance', name: fresh(name, 0) },
  };
}

const fresh = (name: string, k: number): string => `${name}-v2-${k + 1}`;

/** Of a fault the instances that have it `w` windows after the release began: those that were restarted by then. */
export function releasedBy(fault: Fault, w: number): Fault {
  const { released } = fault;
  return released === undefined
    ? fault
    : { ...fault, released: new Set([...released].filter((_, k) => w >= k * ROLL_WINDOWS)) };
}

/** The system `w` windows after the release began: an old instance stays for `ROLL_WINDOWS` beside the new one. */
export function releasedSystem(
  system: SimulatedSystem,
  { service, released }: Fault,
  w: number,
  startMs: number,
): SimulatedSystem {
  if (released === undefined || w < 0) return system;
  const { name, instances } = system.services[service]!;
  const changes: ChangeRecord[] = [];
  const machineOf = new Map(system.machineOf);
  const slow = new Map(system.now?.slow);
  const now: string[] = [];
  for (const [k, old] of instances.entries()) {
    const machine = system.machineOf.get(old)!;
    const isRestarted = released.has(old);
    const next = isRestarted ? old : fresh(name, k);
    const of = { entityKind: 'instance', service: name, machine, atMs: startMs + 500 } as const;
    const since = released.has(next) ? w - k * ROLL_WINDOWS : -1;
    if (isRestarted || since < ROLL_WINDOWS) now.push(old);
    else machineOf.delete(old);
    if (since === (isRestarted ? 0 : ROLL_WINDOWS))
      changes.push({ ...of, entity: old, change: 'process_exit', signal: 15 });
    if (since < 0) continue;
    if (!isRestarted) now.push(next);
    machineOf.set(next, machine);
    if (since === 0) changes.push({ ...of, entity: next, change: 'process_start' });
    if (since < COLD_WINDOWS) slow.set(next, 1 + (COLD - 1) * (1 - since / COLD_WINDOWS));
  }
  const services = system.services.map((one, i) => (i === service ? { ...one, instances: now } : one));
  const weather = system.now ?? { load: 1, changes: [] };
  return { ...system, services, machineOf, now: { ...weather, slow, changes: [...weather.changes, ...changes] } };
}
