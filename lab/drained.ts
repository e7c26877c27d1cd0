/** Out of the load balancing, changed, and back in: how an instance is restarted or replaced without anybody noticing. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from './lab.ts';

/** Time for the gateway's new workers and the services' next look at their peers, and for requests in flight. */
const DRAIN_MS = 1_500;
const SETTLE_MS = 2_000;

/**
 * @param change  what happens to it meanwhile
 * @returns the instance that is back in: what `change` returns
 */
export async function whileDrained(lab: Lab, instance: string, change: () => Promise<string>): Promise<string> {
  lab.setDrained(instance, true);
  await sleep(DRAIN_MS);
  const back = await change();
  lab.setDrained(back, false);
  await sleep(SETTLE_MS);
  return back;
}
