/** A middlebox that resets established connections: a share `ratio` (default 0.05) of the segments to a service's port. */
import type { StartFault } from './fault.ts';
import { numberArgument } from './fault.ts';
import { onPorts } from './iptables.ts';

export const connectionReset: StartFault = async (lab, target, args) => {
  const ratio = String(numberArgument(args, 'ratio', 0.05));
  const some = ['--tcp-flags', 'SYN,RST,PSH', 'PSH', '-m', 'statistic', '--mode', 'random', '--probability', ratio];
  const end = await onPorts(lab, target.service ?? '', some, 'REJECT', ['--reject-with', 'tcp-reset']);
  return { stop: async () => ({ segmentsReset: await end() }) };
};
