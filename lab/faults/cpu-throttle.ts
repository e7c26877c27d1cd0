/** A CPU quota on one instance, `cpus` (default 0.05): less than it needs, so that it is throttled. */
import { RcaError } from '../../src/model/errors.ts';
import type { StartFault } from './fault.ts';
import { numberArgument } from './fault.ts';

export const cpuThrottle: StartFault = async (lab, target, args) => {
  const instance = target.instance ?? '';
  const group = lab.group(instance);
  if (group === undefined) {
    throw new RcaError(
      'RCA_ENVIRONMENT',
      'lab: cpu-throttle needs a cpu controller (cgroup v1 cpu, or v2 with cpu). Mend: mount one, or leave this fault out',
    );
  }
  const before = group.stat();
  group.limit(numberArgument(args, 'cpus', 0.05));
  return {
    stop: async () => {
      const after = group.stat();
      group.limit(lab.cpusOf(instance));
      const grown = (name: string): number => (after[name] ?? Number.NaN) - (before[name] ?? Number.NaN);
      const throttledNs = 'throttled_time' in after ? grown('throttled_time') : grown('throttled_usec') * 1_000;
      return { periods: grown('nr_periods'), throttledPeriods: grown('nr_throttled'), throttledMs: throttledNs / 1e6 };
    },
  };
};
