/** Harmless events: what happens to healthy systems every day and must not raise an incident. */
import { whileDrained } from './drained.ts';
import { numberArgument } from './faults/fault.ts';
import type { Lab } from './lab.ts';
import type { SystemUnderTest } from './system-under-test.ts';
import type { EventSpec } from './types.ts';

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
    await whileDrained(lab, instance, async () => {
      await lab.stopInstance(instance);
      await lab.startInstance(instance, version);
      return instance;
    });
  }
}
