/** Harmless events: what happens to healthy systems every day and must not raise an incident. */
import { setTimeout as sleep } from 'node:timers/promises';
import { numberArgument } from './faults/fault.ts';
import type { Lab } from './lab.ts';
import type { SystemUnderTest } from './system-under-test.ts';
import type { EventSpec } from './types.ts';

/** Time for the gateway's new workers and the services' next look at their peers, and for requests in flight. */
const DRAIN_MS = 1_500;
const SETTLE_MS = 2_000;

/**
 * Restarts the instances of a service one after the other: drained, stopped, started (with a new version for a
 * deploy), back in. A part of the system under test is killed, and started again `downS` (default 15) later.
 */
export async function runEvent(
  lab: Lab,
  event: EventSpec,
  system: SystemUnderTest | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { part } = event.target;
  if (event.kind === 'part-restart' && part !== undefined) {
    await system?.restart(part, numberArgument(event.args ?? {}, 'downS', 15) * 1_000);
    return;
  }
  const version = event.kind === 'deploy' ? String(event.args?.version ?? 'next') : undefined;
  for (const { instance } of lab.places(event.target.service ?? '')) {
    if (signal.aborted) return;
    lab.setDrained(instance, true);
    await sleep(DRAIN_MS);
    await lab.stopInstance(instance);
    await lab.startInstance(instance, version);
    lab.setDrained(instance, false);
    await sleep(SETTLE_MS);
  }
}
