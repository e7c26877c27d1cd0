/** The clock of delivery; tests bring their own. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from './types.ts';

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await wait(ms, undefined, { signal });
    } catch {
      // Aborted: woken or stopped.
    }
  },
};
