/** A middlebox that resets established connections: a share `ratio` (default 0.05) of the segments to a service's port. */
import { inNetns } from '../network/namespaces.ts';
import { run } from '../shell.ts';
import type { StartFault } from './fault.ts';
import { numberArgument } from './fault.ts';
import { ruleCount } from './iptables.ts';

export const connectionReset: StartFault = async (lab, target, args) => {
  const ratio = String(numberArgument(args, 'ratio', 0.05));
  const rules = lab.places(target.service ?? '').map((place) => ({
    netns: place.machine.netns,
    rule: [
      ...['INPUT', '-p', 'tcp', '--dport', String(place.port), '--tcp-flags', 'SYN,RST,PSH', 'PSH'],
      ...['-m', 'statistic', '--mode', 'random', '--probability', ratio, '-j', 'REJECT', '--reject-with', 'tcp-reset'],
    ],
  }));
  for (const { netns, rule } of rules) await run(inNetns(netns, ['iptables', '-w', '-I', ...rule]));
  return {
    stop: async () => {
      let segmentsReset = 0;
      for (const { netns, rule } of rules) {
        segmentsReset += await ruleCount(netns, 'INPUT', rule, 'REJECT');
        await run(inNetns(netns, ['iptables', '-w', '-D', ...rule]));
      }
      return { segmentsReset };
    },
  };
};
