/** Counters of iptables rules in a machine's namespace. */
import { inNetns } from '../network/namespaces.ts';
import { run } from '../shell.ts';

/** The value behind a flag of a rule, normalised as iptables-save prints it. */
function after(rule: readonly string[], flag: string): string | undefined {
  const at = rule.indexOf(flag);
  return at < 0 ? undefined : rule[at + 1];
}

/** Packets that a DROP rule of a chain took, told by its port and peer; NaN when no such rule is there. */
export function dropCount(netns: string, chain: string, rule: readonly string[]): Promise<number> {
  return ruleCount(netns, chain, rule, 'DROP');
}

/** Packets that met a rule of a chain, told by its verdict, port and peer; NaN when no such rule is there. */
export async function ruleCount(
  netns: string,
  chain: string,
  rule: readonly string[],
  verdict: 'DROP' | 'REJECT',
): Promise<number> {
  const saved = await run(inNetns(netns, ['iptables-save', '-c', '-t', 'filter']));
  const wanted = ['--dport', '--sport', '-s', '-d'].map((flag) => [flag, after(rule, flag)] as const);
  const line = saved.split('\n').find((candidate) => {
    const words = candidate.split(' ');
    return (
      words[1] === '-A' &&
      words[2] === chain &&
      candidate.includes(`-j ${verdict}`) &&
      wanted.every(([flag, value]) => after(words, flag)?.replace('/32', '') === value)
    );
  });
  return Number(/^\[(\d+):/.exec(line ?? '')?.[1] ?? Number.NaN);
}
