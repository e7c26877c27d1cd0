/** A client keeps Redis busy: a script that computes for `busyMs` (default 60) every `everyMs` (default 100). */
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../shell.ts';
import type { StartFault } from './fault.ts';
import { numberArgument } from './fault.ts';

const BUSY = `local function now() local t = redis.call('TIME'); return t[1] * 1000 + t[2] / 1000 end
local till = now() + tonumber(ARGV[1])
while now() < till do end
return 1`;

export const storeBlocked: StartFault = async (lab, target, args) => {
  const socket = lab.redisSocket(target.store ?? '');
  const busyMs = numberArgument(args, 'busyMs', 60);
  const everyMs = numberArgument(args, 'everyMs', 100);
  const over = new AbortController();
  let scripts = 0;
  const keepBusy = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const begun = performance.now();
      await run(['redis-cli', '-s', socket, 'EVAL', BUSY, '0', String(busyMs)]);
      scripts++;
      await sleep(Math.max(0, everyMs - (performance.now() - begun)), undefined, { signal: over.signal });
    }
  };
  const busy = keepBusy().catch((error: unknown) => {
    if (!over.signal.aborted) lab.options.log(`store-blocked: ${(error as Error).message}`);
  });
  return {
    stop: async () => {
      over.abort();
      await busy;
      return { scripts };
    },
  };
};
