/** A firewall that swallows a service's port: every packet to it, on every machine that has an instance. */
import { inNetns } from '../network/namespaces.ts';
import { run } from '../shell.ts';
import type { StartFault } from './fault.ts';
import { dropCount } from './iptables.ts';

export const firewallDrop: StartFault = async (lab, target) => {
  const places = lab.places(target.service ?? '');
  const rules = places.map((place) => ({
    netns: place.machine.netns,
    rule: ['INPUT', '-p', 'tcp', '--dport', String(place.port), '-j', 'DROP'],
  }));
  for (const { netns, rule } of rules) await run(inNetns(netns, ['iptables', '-w', '-I', ...rule]));
  return {
    stop: async () => {
      let packetsDropped = 0;
      for (const { netns, rule } of rules) {
        packetsDropped += await dropCount(netns, 'INPUT', rule);
        await run(inNetns(netns, ['iptables', '-w', '-D', ...rule]));
      }
      return { packetsDropped };
    },
  };
};
