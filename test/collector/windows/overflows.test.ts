/** What a listener lost to its full accept queue, shared out among the edges to it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Frame, ListenerStatsFrame } from '../../../collector/frames/types.ts';
import { CollectorPipeline } from '../../../collector/pipeline.ts';
import type { AnyBatch, TcpRecord } from '../../../src/model/records.ts';
import { conn, listener, stats, tuple } from '../frames-of.ts';

const T0 = 1_700_000_000_000;
const A = { netns: 1, pid: 900_100 } as const;
const B = { netns: 1, pid: 900_101 } as const;
const SHOP = { netns: 2, pid: 900_200 } as const;
const NAMING = {
  version: 1,
  machines: [
    { name: 'm1', netns: 'n1', netnsInode: 1, addresses: ['10.0.0.1'] },
    { name: 'm2', netns: 'n2', netnsInode: 2, addresses: ['10.0.0.2'] },
  ],
  endpoints: [],
  processes: [
    { pid: A.pid, service: 'a', machine: 'm1' },
    { pid: B.pid, service: 'b', machine: 'm1' },
    { pid: SHOP.pid, service: 'shop', machine: 'm2' },
  ],
};

let dir = '';
let batches: AnyBatch[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rootwalk-overflows-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const opened = (address: string): Frame => listener({ ...SHOP, atMs: T0, tuple: tuple(`${address}:80`, '0.0.0.0:0') });
const waiting = (owner: typeof A | typeof B, id: number): Frame =>
  stats({ ...owner, connId: id, atMs: T0 + 900, state: 2, tuple: tuple(`10.0.0.1:${40_000 + id}`, '10.0.0.2:80') }, {});
const served = (remote: string, id: number): Frame =>
  conn({
    ...{ ...SHOP, role: 'server', connId: id, atMs: T0 + 500, kind: 'opened' },
    tuple: tuple('10.0.0.2:80', `${remote}:${41_000 + id}`),
  });
const lost = (drops: number, more: Partial<ListenerStatsFrame> = {}): Frame => ({
  ...{ type: 'listenerStats', ...SHOP, atMs: T0 + 1_000, drops, queue: 2, backlog: 1 },
  ...{ tuple: tuple('10.0.0.2:80', '0.0.0.0:0'), ...more },
});

/** side caller>callee:port -> overflows, where they are told; flows that nobody could name. */
function run(...frames: readonly Frame[]): { readonly edges: Record<string, number>; readonly unattributed: number } {
  writeFileSync(join(dir, 'naming.json'), JSON.stringify(NAMING));
  batches = [];
  const made = new CollectorPipeline({
    environment: 'test',
    name: 'host',
    namingFile: join(dir, 'naming.json'),
    procRoot: join(dir, 'no-proc'),
    cgroupRoot: join(dir, 'no-cgroup'),
    onBatch: (batch) => batches.push(batch),
  });
  made.advance(T0);
  for (const frame of frames) made.frame(frame);
  made.advance(T0 + 6_000);
  const tcp = batches.flatMap((batch): readonly TcpRecord[] => (batch.type === 'tcp' ? batch.records : []));
  return {
    edges: Object.fromEntries(
      tcp
        .filter((record) => record.acceptQueueOverflows !== undefined)
        .map((record) => [
          `${record.side} ${record.caller}>${record.callee}:${record.calleePort}`,
          record.acceptQueueOverflows,
        ]),
    ) as Record<string, number>,
    unattributed: batches
      .flatMap((batch) => (batch.type === 'health' ? batch.records : []))
      .reduce((sum, record) => sum + (record.lost.unattributed_flows ?? 0), 0),
  };
}

describe('accept queue overflows', () => {
  it('are shared by the connects without an answer, as whole numbers that add up', () => {
    const frames = [opened('10.0.0.2'), waiting(A, 1), waiting(A, 2), waiting(B, 3), served('10.0.0.9', 4), lost(10)];
    expect(run(...frames)).toEqual({ edges: { 'server a>shop:80': 7, 'server b>shop:80': 3 }, unattributed: 0 });
  });

  it('are shared by connections where the callers’ hosts are others', () => {
    const frames = [opened('0.0.0.0'), served('10.0.0.8', 1), served('10.0.0.9', 2), served('10.0.0.9', 3)];
    expect(run(...frames, lost(9, { tuple: tuple('0.0.0.0:80', '0.0.0.0:0') })).edges).toEqual({
      'server 10.0.0.8>shop:80': 3,
      'server 10.0.0.9>shop:80': 6,
    });
  });

  it('are nobody’s in particular where no caller is seen', () => {
    expect(run(opened('10.0.0.2'), lost(4)).edges).toEqual({ 'server external>shop:80': 4 });
  });

  it('are counted as unattributed where nothing names the listener', () => {
    expect(run(lost(4, { netns: 3, pid: 0, tuple: tuple('10.0.0.3:81', '0.0.0.0:0') }))).toEqual({
      edges: {},
      unattributed: 1,
    });
  });

  it('are none where listeners are watched, and unknown where they are not', () => {
    const probe = (attached: boolean): Frame => ({
      ...{ type: 'probe', name: 'list_listeners', attached, errno: 0, reason: '' },
    });
    const frames = [opened('10.0.0.2'), served('10.0.0.9', 1)];
    const traffic = stats(
      { ...SHOP, role: 'server', connId: 1, atMs: T0 + 900, tuple: tuple('10.0.0.2:80', '10.0.0.9:41001') },
      { segmentsIn: 3 },
    );
    expect(run(probe(true), ...frames, traffic).edges).toEqual({ 'server 10.0.0.9>shop:80': 0 });
    expect(run(probe(false), ...frames, traffic).edges).toEqual({});
  });
});
