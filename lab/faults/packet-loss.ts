/**
 * Packets lost between two services or machines, `ratio` of them (default 0.1).
 *
 * via wire (default): on the cable, invisible to both ends. via firewall: iptables drops them at the called machine, so
 * that its kernel names the drop. direction: both (default), forth (towards `to`), back.
 */
import type { Lab } from '../lab.ts';
import type { Placed } from '../naming.ts';
import { namespaceCounter } from '../network/namespaces.ts';
import { startWireLoss } from '../network/wire-loss.ts';
import type { StartFault } from './fault.ts';
import { numberArgument, textArgument } from './fault.ts';
import { addRule } from './iptables.ts';

interface Pair {
  readonly from: Placed;
  readonly to: Placed;
}

function pairs(lab: Lab, from: string, to: string): Pair[] {
  const all = lab.places(from).flatMap((a) => lab.places(to).map((b) => ({ from: a, to: b })));
  // What runs on one machine talks over its loopback: there is no cable to lose packets on.
  return all.filter((pair) => pair.from.machine.name !== pair.to.machine.name);
}

async function retransmits(all: readonly Pair[]): Promise<number> {
  const namespaces = new Set(all.flatMap(({ from, to }) => [from.machine.netns, to.machine.netns]));
  const counts = await Promise.all([...namespaces].map((netns) => namespaceCounter(netns, 'Tcp', 'RetransSegs')));
  return counts.reduce((sum, count) => sum + count, 0);
}

type Stop = () => Promise<{ readonly seen: number; readonly lost: number }>;

async function onWire(lab: Lab, all: readonly Pair[], ratio: number, direction: string): Promise<Stop[]> {
  const towards = { both: 'both', forth: 'a-to-b', back: 'b-to-a' } as const;
  const stops: Stop[] = [];
  for (const [index, { from, to }] of all.entries()) {
    const loss = {
      ...{ a: from.machine, b: to.machine, port: to.port ?? 0, ratio },
      direction: towards[direction as keyof typeof towards] ?? 'both',
    };
    stops.push(await startWireLoss(lab.id, loss, index + 1, lab.dir));
  }
  return stops;
}

async function inFirewall(all: readonly Pair[], ratio: number, direction: string): Promise<Stop[]> {
  const stops: Stop[] = [];
  for (const { from, to } of all) {
    const chains = [
      ...(direction === 'back' ? [] : [{ chain: 'INPUT', peer: '-s', port: '--dport' }]),
      ...(direction === 'forth' ? [] : [{ chain: 'OUTPUT', peer: '-d', port: '--sport' }]),
    ];
    for (const { chain, peer, port } of chains) {
      const rule = [
        ...[chain, peer, from.machine.address, '-p', 'tcp', ...(to.port === undefined ? [] : [port, String(to.port)])],
        ...['-m', 'statistic', '--mode', 'random', '--probability', String(ratio), '-j', 'DROP'],
      ];
      const end = await addRule(to.machine.netns, rule, 'DROP');
      stops.push(async () => ({ seen: Number.NaN, lost: await end() }));
    }
  }
  return stops;
}

export const packetLoss: StartFault = (lab, target, args) =>
  losePackets(lab, pairs(lab, target.from ?? '', target.to ?? ''), args);

/** The link of one machine loses packets to and from every other; arguments as above, `via` firewall excepted. */
export const linkLoss: StartFault = (lab, target, args) => {
  const to = target.machine ?? '';
  const others = [...lab.machines.keys()].filter((name) => name !== to);
  return losePackets(
    lab,
    others.flatMap((from) => pairs(lab, from, to)),
    args,
  );
};

async function losePackets(lab: Lab, all: readonly Pair[], args: Parameters<StartFault>[2]): ReturnType<StartFault> {
  const ratio = numberArgument(args, 'ratio', 0.1);
  const direction = textArgument(args, 'direction', 'both');
  const before = await retransmits(all);
  const firewall = textArgument(args, 'via', 'wire') === 'firewall';
  const stops = firewall ? await inFirewall(all, ratio, direction) : await onWire(lab, all, ratio, direction);
  return {
    stop: async () => {
      const counts = await Promise.all(stops.map((stop) => stop()));
      const retransmitted = (await retransmits(all)) - before;
      const packetsLost = counts.reduce((sum, { lost }) => sum + lost, 0);
      const packetsSeen = counts.reduce((sum, { seen }) => sum + seen, 0);
      return { packetsLost, ...(firewall ? {} : { packetsSeen }), segmentsRetransmitted: retransmitted };
    },
  };
}
