/**
 * Packets from one service to another, and back, arrive `delayMs` later (default 20; each direction half of it): held in a
 * netfilter queue at the called machine. Neither end is slower and nothing is lost.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inNetns } from '../network/namespaces.ts';
import { LabProcess } from '../process.ts';
import { python, run } from '../shell.ts';
import type { StartFault } from './fault.ts';
import { numberArgument } from './fault.ts';

const QUEUE = 7;
const READY_MS = 5_000;
const script = fileURLToPath(new URL('../network/delay_queue.py', import.meta.url));

export const pathDelay: StartFault = async (lab, target, args) => {
  const halfMs = numberArgument(args, 'delayMs', 20) / 2;
  const stops: (() => Promise<number>)[] = [];
  for (const to of lab.places(target.to ?? '')) {
    const { netns } = to.machine;
    const queue = new LabProcess({
      name: `delay-${to.instance}`,
      netns,
      command: [python(), '-u', script, `${QUEUE}`, `${halfMs}`],
      logFile: join(lab.dir, `delay-${to.instance}.log`),
    });
    await queue.waitFor(() => queue.lines.length > 0, READY_MS);
    const peers = lab.places(target.from ?? '').filter(({ machine }) => machine.name !== to.machine.name);
    const into = ['--queue-num', String(QUEUE), '--queue-bypass'];
    const rules = [...new Set(peers.map(({ machine }) => machine.address))].flatMap((address) => [
      ['PREROUTING', '-s', address, '-p', 'tcp', '--dport', `${to.port}`, '-j', 'NFQUEUE', ...into],
      ['POSTROUTING', '-d', address, '-p', 'tcp', '--sport', `${to.port}`, '-j', 'NFQUEUE', ...into],
    ]);
    for (const rule of rules) await run(inNetns(netns, ['iptables', '-w', '-t', 'mangle', '-I', ...rule]));
    stops.push(async () => {
      for (const rule of rules) await run(inNetns(netns, ['iptables', '-w', '-t', 'mangle', '-D', ...rule]));
      await queue.stop('SIGTERM', READY_MS);
      return Number(/"packetsDelayed":\s*(\d+)/.exec(queue.lines.at(-1) ?? '')?.[1] ?? Number.NaN);
    });
  }
  return {
    stop: async () => {
      const counts = await Promise.all(stops.map((stop) => stop()));
      return { packetsDelayed: counts.reduce((sum, count) => sum + count, 0) };
    },
  };
};
