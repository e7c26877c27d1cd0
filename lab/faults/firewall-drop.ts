/** A firewall that swallows a service's port: every packet to it, on every machine that has an instance. */
import type { StartFault } from './fault.ts';
import { onPorts } from './iptables.ts';

export const firewallDrop: StartFault = async (lab, target) => {
  const end = await onPorts(lab, target.service ?? '', [], 'DROP');
  return { stop: async () => ({ packetsDropped: await end() }) };
};
