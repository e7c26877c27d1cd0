/** Packet loss on the path: a BPF program at the switch's port takes packets away without a trace at either end. */
import { machine as architecture } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { netnsName, SWITCH } from '../names.ts';
import { run, tryRun } from '../shell.ts';
import type { Machine } from './namespaces.ts';

const source = join(dirname(fileURLToPath(import.meta.url)), 'wire-loss.bpf.c');

export interface WireLoss {
  readonly a: Machine;
  readonly b: Machine;
  /** Port on b's side; 0: all traffic between the two. */
  readonly port: number;
  /** 0..1 */
  readonly ratio: number;
  readonly direction: 'both' | 'a-to-b' | 'b-to-a';
}

function addressNumber(address: string): number {
  return address.split('.').reduce((sum, piece) => sum * 256 + Number(piece), 0);
}

async function compile(loss: WireLoss, object: string): Promise<void> {
  const defines = {
    ADDRESS_A: `${addressNumber(loss.a.address)}u`,
    ADDRESS_B: `${addressNumber(loss.b.address)}u`,
    PORT: String(loss.port),
    PER_MILLION: String(Math.round(loss.ratio * 1e6)),
    A_TO_B: loss.direction === 'b-to-a' ? '0' : '1',
    B_TO_A: loss.direction === 'a-to-b' ? '0' : '1',
  };
  await run([
    ...['clang', '-O2', '-g', '-target', 'bpf', `-I/usr/include/${architecture()}-linux-gnu`],
    ...Object.entries(defines).map(([name, value]) => `-D${name}=${value}`),
    ...['-c', source, '-o', object],
  ]);
}

interface Counters {
  readonly seen: number;
  readonly lost: number;
}

/** The counters of one hook's program: its map is found through the program's id, so nothing is pinned anywhere. */
async function counters(sw: string, port: string, hook: string, pref: number): Promise<Counters> {
  const shown = await run(['tc', '-n', sw, 'filter', 'show', 'dev', port, hook, 'pref', String(pref)]);
  const id = /\bid (\d+)\b/.exec(shown)?.[1] ?? '0';
  const program = JSON.parse(await run(['bpftool', '-j', 'prog', 'show', 'id', id])) as { readonly map_ids?: number[] };
  const sums = [0, 0];
  for (const map of program.map_ids ?? []) {
    const info = JSON.parse(await run(['bpftool', '-j', 'map', 'show', 'id', String(map)])) as {
      readonly name?: string;
    };
    if (info.name !== 'counts') continue;
    const rows = JSON.parse(await run(['bpftool', '-j', 'map', 'dump', 'id', String(map)])) as readonly {
      readonly formatted?: { readonly key: number; readonly value: number };
    }[];
    for (const { formatted } of rows) if (formatted !== undefined) sums[formatted.key] = formatted.value;
  }
  return { seen: sums[0] ?? 0, lost: sums[1] ?? 0 };
}

/**
 * Starts losing packets.
 *
 * @param rule     number of this loss, 1 or more, unlike that of any other loss at the same time
 * @param workDir  for the compiled program
 * @returns ends it and says how many packets of these flows passed the port, and how many were lost
 * @throws {RcaError} RCA_ENVIRONMENT when clang, tc or bpftool fail
 */
export async function startWireLoss(
  labId: number,
  loss: WireLoss,
  rule: number,
  workDir: string,
): Promise<() => Promise<Counters>> {
  const sw = netnsName(labId, SWITCH);
  const { port } = loss.b;
  const object = join(workDir, `wire-loss-${loss.a.name}-${loss.b.name}-${loss.port}.o`);
  await compile(loss, object);
  const qdisc = ['qdisc', 'add', 'dev', port, 'clsact'];
  const added = await tryRun(['tc', '-n', sw, ...qdisc]);
  if (added.code !== 0 && !/exist|Exclusivity/i.test(added.stderr)) await run(['tc', '-n', sw, ...qdisc]);
  // Ingress of the port is what b sends, egress what b is sent: one program each.
  const hooks = ['ingress', 'egress'] as const;
  const pref = ['pref', String(rule)];
  for (const hook of hooks) {
    await run(['tc', '-n', sw, 'filter', 'add', 'dev', port, hook, ...pref, 'bpf', 'da', 'obj', object, 'sec', 'tc']);
  }
  return async () => {
    let sum: Counters = { seen: 0, lost: 0 };
    for (const hook of hooks) {
      const { seen, lost } = await counters(sw, port, hook, rule);
      sum = { seen: sum.seen + seen, lost: sum.lost + lost };
      await run(['tc', '-n', sw, 'filter', 'del', 'dev', port, hook, ...pref]);
    }
    return sum;
  };
}
