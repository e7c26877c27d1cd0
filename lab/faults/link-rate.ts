/** The link of one machine carries no more than `kbitPerS` (default 2000) in each direction: a queue, then loss. */
import { netnsName, SWITCH } from '../names.ts';
import { run } from '../shell.ts';
import type { StartFault } from './fault.ts';
import { numberArgument } from './fault.ts';

/** Bytes of burst and milliseconds of queue of the bucket. */
const BURST_BYTES = 10_000;
const QUEUE_MS = 200;

interface End {
  readonly netns: string;
  readonly device: string;
}

/** Packets that found the bucket's queue full, and those that waited in it. */
async function counts({ netns, device }: End): Promise<{ readonly dropped: number; readonly overlimits: number }> {
  const shown = await run(['tc', '-n', netns, '-s', 'qdisc', 'show', 'dev', device, 'root']);
  const found = /dropped (\d+), overlimits (\d+)/.exec(shown);
  return { dropped: Number(found?.[1] ?? Number.NaN), overlimits: Number(found?.[2] ?? Number.NaN) };
}

export const linkRate: StartFault = async (lab, target, args) => {
  const machine = lab.machine(target.machine ?? '');
  const rate = `${numberArgument(args, 'kbitPerS', 2_000)}kbit`;
  const ends: End[] = [
    { netns: machine.netns, device: 'eth0' },
    { netns: netnsName(lab.id, SWITCH), device: machine.port },
  ];
  const bucket = ['tbf', 'rate', rate, 'burst', String(BURST_BYTES), 'latency', `${QUEUE_MS}ms`];
  for (const { netns, device } of ends) {
    await run(['tc', '-n', netns, 'qdisc', 'replace', 'dev', device, 'root', ...bucket]);
  }
  return {
    stop: async () => {
      let packetsDropped = 0;
      let packetsDelayed = 0;
      for (const end of ends) {
        const { dropped, overlimits } = await counts(end);
        packetsDropped += dropped;
        packetsDelayed += overlimits;
        await run(['tc', '-n', end.netns, 'qdisc', 'del', 'dev', end.device, 'root']);
      }
      return { packetsDropped, packetsDelayed };
    },
  };
};
