/** Rules of iptables in a machine's namespace, and what they counted. */
import type { Lab } from '../lab.ts';
import { inNetns } from '../network/namespaces.ts';
import { run } from '../shell.ts';

/** The value behind a flag of a rule, normalised as iptables-save prints it. */
function after(rule: readonly string[], flag: string): string | undefined {
  const at = rule.indexOf(flag);
  return at < 0 ? undefined : rule[at + 1];
}

/**
 * Puts a rule (its chain first) before all others.
 *
 * @returns takes it away again; the packets that met it, NaN when somebody else took it away
 */
export async function addRule(
  netns: string,
  rule: readonly string[],
  verdict: 'DROP' | 'REJECT',
): Promise<() => Promise<number>> {
  await run(inNetns(netns, ['iptables', '-w', '-I', ...rule]));
  return async () => {
    const packets = await ruleCount(netns, rule, verdict);
    await run(inNetns(netns, ['iptables', '-w', '-D', ...rule]));
    return packets;
  };
}

/** Told by its chain, verdict, port and peer. */
async function ruleCount(netns: string, rule: readonly string[], verdict: string): Promise<number> {
  const saved = await run(inNetns(netns, ['iptables-save', '-c', '-t', 'filter']));
  const wanted = ['--dport', '--sport', '-s', '-d'].map((flag) => [flag, after(rule, flag)] as const);
  const line = saved.split('\n').find((candidate) => {
    const words = candidate.split(' ');
    return (
      words[1] === '-A' &&
      words[2] === rule[0] &&
      candidate.includes(`-j ${verdict}`) &&
      wanted.every(([flag, value]) => after(words, flag)?.replace('/32', '') === value)
    );
  });
  return Number(/^\[(\d+):/.exec(line ?? '')?.[1] ?? Number.NaN);
}

/**
 * One rule on every machine that has an instance of a service, for what comes to its port.
 *
 * @param matches  what else the packets must be
 * @param how      arguments of the verdict
 * @returns takes the rules away; the packets that met them
 */
export async function onPorts(
  lab: Lab,
  service: string,
  matches: readonly string[],
  verdict: 'DROP' | 'REJECT',
  how: readonly string[] = [],
): Promise<() => Promise<number>> {
  const ends: (() => Promise<number>)[] = [];
  for (const { machine, port } of lab.places(service)) {
    const rule = ['INPUT', '-p', 'tcp', '--dport', String(port), ...matches, '-j', verdict, ...how];
    ends.push(await addRule(machine.netns, rule, verdict));
  }
  return async () => {
    let packets = 0;
    for (const end of ends) packets += await end();
    return packets;
  };
}
