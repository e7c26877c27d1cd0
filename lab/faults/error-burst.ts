/** One route of one instance answers `status` (default 500) to `ratio` of its requests (default 1) without any work. */
import { endControl } from './control.ts';
import type { StartFault } from './fault.ts';
import { numberArgument } from './fault.ts';

export const errorBurst: StartFault = async (lab, target, args) => {
  const instance = target.instance ?? '';
  const failure = {
    route: target.route ?? '',
    status: numberArgument(args, 'status', 500),
    ratio: numberArgument(args, 'ratio', 1),
  };
  lab.control(instance, { failures: [failure] });
  return {
    stop: async () => {
      return { failuresInjected: await endControl(lab, instance, 'failuresInjected') };
    },
  };
};
