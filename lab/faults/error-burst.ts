/** One route of one instance answers `status` (default 500) to `ratio` of its requests (default 1) without any work. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../lab.ts';
import type { StartFault } from './fault.ts';
import { numberArgument } from './fault.ts';

/** Services write their count of injected failures each time their control file changes. */
function counted(lab: Lab, instance: string): number[] {
  return lab
    .linesOf(instance)
    .map((line) => /"failuresInjected":\s*(\d+)/.exec(line)?.[1])
    .filter((count) => count !== undefined)
    .map(Number);
}

export const errorBurst: StartFault = async (lab, target, args) => {
  const instance = target.instance ?? '';
  const failure = {
    route: target.route ?? '',
    status: numberArgument(args, 'status', 500),
    ratio: numberArgument(args, 'ratio', 1),
  };
  lab.setFailures(instance, [failure]);
  return {
    stop: async () => {
      const lines = counted(lab, instance).length;
      lab.setFailures(instance, []);
      for (let i = 0; i < 20 && counted(lab, instance).length === lines; i++) await sleep(100);
      return { failuresInjected: counted(lab, instance).at(-1) ?? Number.NaN };
    },
  };
};
