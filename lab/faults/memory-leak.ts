/**
 * An instance keeps `kbPerRequest` (default 512) of each request, below a limit of `limitMb` (default 120): the kernel kills
 * it, it is started again after `downS` (default 1), and so on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RcaError } from '../../src/model/errors.ts';
import type { StartFault } from './fault.ts';
import { numberArgument } from './fault.ts';

const POLL_MS = 100;

export const memoryLeak: StartFault = async (lab, target, args) => {
  const instance = target.instance ?? '';
  const memory = lab.group(instance)?.memory;
  if (memory === undefined) {
    throw new RcaError('RCA_ENVIRONMENT', 'lab: memory-leak needs a memory controller. Mend: mount one');
  }
  const downS = numberArgument(args, 'downS', 1);
  const killsBefore = memory.oomKills();
  memory.limit(numberArgument(args, 'limitMb', 120) * 2 ** 20);
  lab.control(instance, { failures: [], leakKbPerRequest: numberArgument(args, 'kbPerRequest', 512) });
  let over = false;
  let restarts = 0;
  const supervise = async (): Promise<void> => {
    while (!over) {
      await sleep(POLL_MS);
      if (!lab.collectEnded(instance)) continue;
      await sleep(downS * 1_000);
      await lab.startInstance(instance);
      restarts++;
    }
  };
  const supervising = supervise();
  return {
    stop: async () => {
      over = true;
      await supervising;
      lab.control(instance, { failures: [] });
      memory.limit(undefined);
      if (lab.collectEnded(instance) || lab.pidOf(instance) === undefined) await lab.startInstance(instance);
      return { oomKills: memory.oomKills() - killsBefore, restarts };
    },
  };
};
