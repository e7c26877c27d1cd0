/**
 * SIGKILL for one instance, `everyS` seconds again and again (default 0: once), `downS` seconds (default 1) before it is
 * started again; killed once, it stays away until the fault ends. The load balancing does not learn of it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StartFault } from './fault.ts';
import { numberArgument } from './fault.ts';

export const instanceKilled: StartFault = async (lab, target, args) => {
  const instance = target.instance ?? '';
  const everyS = numberArgument(args, 'everyS', 0);
  const downS = numberArgument(args, 'downS', 1);
  const over = new AbortController();
  let kills = 0;
  const kill = async (): Promise<void> => {
    await lab.killInstance(instance);
    kills++;
  };
  const again = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await sleep(downS * 1_000);
      await lab.startInstance(instance);
      await sleep(everyS * 1_000, undefined, { signal: over.signal }).catch(() => undefined);
      if (!over.signal.aborted) await kill();
    }
  };
  await kill();
  const looping = everyS > 0 ? again() : undefined;
  return {
    stop: async () => {
      over.abort();
      await looping;
      if (lab.pidOf(instance) === undefined) await lab.startInstance(instance);
      return { kills };
    },
  };
};
