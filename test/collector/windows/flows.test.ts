/**
 * What is told of packets reaches the right edge: drops, resets and retransmissions are seen in softirq context, where
 * neither the process that runs nor the order of the addresses says whose they are.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Frame } from '../../../collector/frames/types.ts';
import { CollectorPipeline } from '../../../collector/pipeline.ts';
import type { AnyBatch, TcpRecord } from '../../../src/model/records.ts';
import { conn, flow, listener, stats, TOTALS, tuple } from '../frames-of.ts';

const T0 = 1_700_000_000_000;
/** Two callers on one machine, two callees on another. */
const GATEWAY = { netns: 1, pid: 900_100, role: 'client' } as const;
const CART = { netns: 1, pid: 900_101, role: 'client' } as const;
const USER = { netns: 2, pid: 900_200, role: 'server' } as const;
const RECOMMENDATION = { netns: 2, pid: 900_201, role: 'server' } as const;
const USER_PORT = 8083;
const RECOMMENDATION_PORT = 8084;
const NAMING = {
  version: 1,
  machines: [
    { name: 'm1', netns: 'n1', netnsInode: 1, addresses: ['10.0.0.1'] },
    { name: 'm2', netns: 'n2', netnsInode: 2, addresses: ['10.0.0.2'] },
  ],
  endpoints: [
    { address: '10.0.0.2', port: USER_PORT, service: 'user', machine: 'm2' },
    { address: '10.0.0.2', port: RECOMMENDATION_PORT, service: 'recommendation', machine: 'm2' },
  ],
  processes: [
    { pid: GATEWAY.pid, service: 'gateway', machine: 'm1' },
    { pid: CART.pid, service: 'cart', machine: 'm1' },
    { pid: USER.pid, service: 'user', machine: 'm2' },
    { pid: RECOMMENDATION.pid, service: 'recommendation', machine: 'm2' },
  ],
};

let dir = '';
let batches: AnyBatch[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rootwalk-flows-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function start(naming: object | undefined = NAMING): CollectorPipeline {
  const file = join(dir, 'naming.json');
  if (naming !== undefined) writeFileSync(file, JSON.stringify(naming));
  batches = [];
  const made = new CollectorPipeline({
    environment: 'test',
    name: 'host',
    ...(naming === undefined ? {} : { namingFile: file }),
    procRoot: join(dir, 'proc'),
    cgroupRoot: join(dir, 'no-cgroup'),
    onBatch: (batch) => batches.push(batch),
  });
  made.advance(T0);
  return made;
}

/** Frames in their order, time going on with them. */
function play(made: CollectorPipeline, frames: readonly Frame[], untilMs = T0 + 20_000): void {
  let nowMs = T0;
  const advance = (toMs: number): void => {
    for (; nowMs + 250 <= toMs; nowMs += 250) made.advance(nowMs + 250);
  };
  for (const frame of frames) {
    if ('atMs' in frame) advance(frame.atMs);
    made.frame(frame);
  }
  advance(untilMs);
}

const run = (...frames: readonly Frame[]): void => play(start(), frames);
const tcp = (): TcpRecord[] => batches.flatMap((batch) => (batch.type === 'tcp' ? batch.records : []));
const edges = (): string[] =>
  [...new Set(tcp().map((record) => `${record.side} ${record.caller}>${record.callee}:${record.calleePort}`))].sort();
/** side caller>callee:port and what was counted there, of records that have it. */
const counted = (field: 'drops' | 'resetsSent' | 'retransmits'): [string, unknown][] =>
  tcp()
    .filter((record) => record[field] !== undefined && record[field] !== 0)
    .map((record) => [`${record.side} ${record.caller}>${record.callee}:${record.calleePort}`, record[field]]);
const unattributed = (): number =>
  batches
    .flatMap((batch) => (batch.type === 'health' ? batch.records : []))
    .reduce((sum, record) => sum + (record.lost.unattributed_flows ?? 0), 0);

const toUser = (port: number) => tuple(`10.0.0.1:${port}`, `10.0.0.2:${USER_PORT}`);
const toRecommendation = (port: number) => tuple(`10.0.0.1:${port}`, `10.0.0.2:${RECOMMENDATION_PORT}`);
const mirrored = ({ localAddress, localPort, remoteAddress, remotePort, family }: ReturnType<typeof tuple>) => ({
  family,
  localAddress: remoteAddress,
  localPort: remotePort,
  remoteAddress: localAddress,
  remotePort: localPort,
});
/** An established connection with both ends. */
const both = (id: number, caller: typeof GATEWAY | typeof CART, port: number, atMs = T0 + 10): Frame[] => [
  conn({ ...caller, connId: id, atMs, kind: 'opened', tuple: toRecommendation(port) }),
  conn({ ...RECOMMENDATION, connId: id + 1, atMs, kind: 'opened', tuple: mirrored(toRecommendation(port)) }),
];

describe('packets and their edges', () => {
  it('does not take another server for the callee because the client uses the port towards both', () => {
    const waiting = { ...GATEWAY, connId: 9, tuple: toUser(40_000) };
    run(
      ...both(1, GATEWAY, 40_000),
      stats({ ...waiting, atMs: T0 + 1_000, state: 2 }, { segmentsOut: 1 }),
      flow({ atMs: T0 + 1_000, netns: 2, tuple: waiting.tuple, count: 1 }),
      stats({ ...waiting, atMs: T0 + 2_000, state: 2 }, { segmentsOut: 2, retransmits: 1 }),
      flow({ atMs: T0 + 2_000, netns: 2, tuple: waiting.tuple, count: 1 }),
      conn({ ...waiting, atMs: T0 + 2_500, kind: 'failed', reason: 'timed_out' }),
      stats({ ...GATEWAY, connId: 1, atMs: T0 + 3_000, tuple: toRecommendation(40_000) }, { segmentsOut: 5 }),
      stats({ ...RECOMMENDATION, connId: 2, atMs: T0 + 3_000, tuple: mirrored(toRecommendation(40_000)) }, {}),
    );
    expect(edges()).toEqual([
      'client gateway>recommendation:8084',
      'client gateway>user:8083',
      'server gateway>recommendation:8084',
      'server gateway>user:8083',
    ]);
    expect(counted('drops')).toEqual([['server gateway>user:8083', { NETFILTER_DROP: 2 }]]);
  });

  it('does not join a server whose client is gone with another call from that port', () => {
    run(
      // The client's FIN was dropped: the server's end stays; another service takes the port towards another server.
      ...both(1, GATEWAY, 40_000),
      conn({ ...GATEWAY, connId: 1, atMs: T0 + 500, kind: 'closed', tuple: toRecommendation(40_000) }),
      conn({ ...CART, connId: 5, atMs: T0 + 9_000, startMs: T0 + 8_999, kind: 'opened', tuple: toUser(40_000) }),
      conn({ ...USER, connId: 6, atMs: T0 + 9_000, kind: 'opened', tuple: mirrored(toUser(40_000)) }),
      listener({ atMs: T0 + 9_100, netns: 2, pid: USER.pid, tuple: tuple('10.0.0.2:9000', '0.0.0.0:0') }),
      stats(
        { ...RECOMMENDATION, connId: 2, atMs: T0 + 9_500, tuple: mirrored(toRecommendation(40_000)) },
        { retransmits: 3 },
      ),
    );
    expect(edges().filter((edge) => edge.includes('cart'))).toEqual(['client cart>user:8083', 'server cart>user:8083']);
  });

  it('joins both sides through a destination NAT, and only those', () => {
    const virtual = { ...GATEWAY, connId: 11, tuple: tuple('10.0.0.1:41000', '10.99.0.1:80') };
    const behind = { ...USER, connId: 12, tuple: mirrored(toUser(41_000)) };
    run(
      ...both(1, CART, 41_000, T0 + 100),
      conn({ ...virtual, atMs: T0 + 5_000, kind: 'opened' }),
      conn({ ...behind, atMs: T0 + 5_001, startMs: T0 + 5_000.2, kind: 'opened' }),
      stats({ ...virtual, atMs: T0 + 6_000 }, { bytesSent: 10 }),
      stats({ ...behind, atMs: T0 + 6_000 }, { bytesReceived: 10 }),
      stats({ ...CART, connId: 1, atMs: T0 + 6_000, tuple: toRecommendation(41_000) }, { bytesSent: 10 }),
    );
    expect(edges()).toEqual([
      'client cart>recommendation:8084',
      'client gateway>user:80',
      'server cart>recommendation:8084',
      'server gateway>user:8083',
    ]);
  });

  it('does not join a connection that was there already with one that began later at the same port', () => {
    const kept = { ...CART, connId: 11, tuple: tuple('10.0.0.1:41000', '10.0.0.9:6379') };
    const virtual = { ...GATEWAY, connId: 12, tuple: tuple('10.0.0.1:41000', '10.99.0.1:80') };
    const behind = { ...USER, connId: 13, tuple: mirrored(toUser(41_000)) };
    run(
      conn({ ...kept, atMs: T0 + 100, kind: 'discovered' }),
      conn({ ...virtual, atMs: T0 + 9_000, kind: 'opened' }),
      conn({ ...behind, atMs: T0 + 9_001, startMs: T0 + 9_000.2, kind: 'opened' }),
      stats({ ...kept, atMs: T0 + 9_500 }, { bytesSent: 10 }),
      stats({ ...virtual, atMs: T0 + 9_500 }, { bytesSent: 10 }),
      stats({ ...behind, atMs: T0 + 9_500 }, { bytesReceived: 10 }),
    );
    expect(edges()).toEqual(['client cart>10.0.0.9:6379:6379', 'client gateway>user:80', 'server gateway>user:8083']);
  });

  it('gives late packets of an ended connection to its caller, not to the one that called last', () => {
    const failed = { ...GATEWAY, connId: 3, tuple: toUser(40_001) };
    run(
      conn({ ...failed, atMs: T0 + 300, kind: 'failed', reason: 'aborted', connectNs: 3e8, totals: TOTALS }),
      conn({ ...CART, connId: 5, atMs: T0 + 400, kind: 'opened', tuple: toUser(40_002) }),
      conn({ ...USER, connId: 6, atMs: T0 + 400, kind: 'opened', tuple: mirrored(toUser(40_002)) }),
      stats({ ...CART, connId: 5, atMs: T0 + 900, tuple: toUser(40_002) }, { segmentsOut: 4 }),
      flow({ atMs: T0 + 1_000, netns: 2, tuple: failed.tuple, count: 1 }),
      conn({ ...CART, connId: 5, atMs: T0 + 1_100, kind: 'closed', tuple: toUser(40_002) }),
      flow({ atMs: T0 + 2_000, netns: 2, tuple: toUser(40_002), count: 2 }),
    );
    expect(counted('drops')).toEqual([
      ['server gateway>user:8083', { NETFILTER_DROP: 1 }],
      ['server cart>user:8083', { NETFILTER_DROP: 2 }],
    ]);
  });

  it('names no caller when two were seen to call from the address', () => {
    run(
      conn({ ...GATEWAY, connId: 3, atMs: T0 + 100, kind: 'opened', tuple: toUser(40_001) }),
      conn({ ...CART, connId: 5, atMs: T0 + 100, kind: 'opened', tuple: toUser(40_002) }),
      stats({ ...GATEWAY, connId: 3, atMs: T0 + 900, tuple: toUser(40_001) }, { segmentsOut: 4 }),
      stats({ ...CART, connId: 5, atMs: T0 + 900, tuple: toUser(40_002) }, { segmentsOut: 4 }),
      flow({ atMs: T0 + 1_000, netns: 2, tuple: toUser(40_003), count: 1 }),
    );
    expect(counted('drops')).toEqual([['server 10.0.0.1>user:8083', { NETFILTER_DROP: 1 }]]);
  });

  it('does not turn the edge around when the client’s host resets what comes too late', () => {
    const rst = toUser(40_005);
    run(
      conn({ ...GATEWAY, connId: 3, atMs: T0 + 100, kind: 'opened', tuple: toUser(40_004) }),
      stats({ ...GATEWAY, connId: 3, atMs: T0 + 900, tuple: toUser(40_004) }, { segmentsOut: 4 }),
      flow({ atMs: T0 + 1_000, netns: 1, kind: 'reset_sent', reason: '', tuple: rst, count: 2 }),
      // And dropped on its way, at either end.
      flow({ atMs: T0 + 1_000, netns: 1, tuple: mirrored(rst), count: 3 }),
      flow({ atMs: T0 + 1_000, netns: 2, tuple: mirrored(rst), count: 4 }),
    );
    expect(edges()).toEqual(['client gateway>user:8083', 'server gateway>user:8083']);
    expect(counted('resetsSent')).toEqual([['client gateway>user:8083', 2]]);
    expect(Object.fromEntries(counted('drops'))).toEqual({
      'client gateway>user:8083': { NETFILTER_DROP: 3 },
      'server gateway>user:8083': { NETFILTER_DROP: 4 },
    });
  });

  it.each(['drop', 'reset_sent'] as const)('makes no edge of a %s between two client ports, and counts it', (kind) => {
    run(flow({ atMs: T0 + 1_000, kind, netns: 1, tuple: tuple('10.0.0.1:40000', '10.0.0.2:50000'), count: 7 }));
    expect(edges()).toEqual([]);
    expect(unattributed()).toBe(1);
  });

  it('knows the server of strangers by the client’s port, in either direction', () => {
    const strange = tuple('10.0.0.8:45000', '10.0.0.9:7000');
    run(
      flow({ atMs: T0 + 1_000, netns: 3, tuple: strange, count: 1 }),
      flow({ atMs: T0 + 1_000, netns: 3, tuple: mirrored(strange), count: 2 }),
      // Port 1234 is no client's by the kernel's range; a listener decides where it says otherwise.
      listener({ atMs: T0 + 1_000, netns: 4, pid: 77, comm: 'odd', tuple: tuple('10.0.0.4:45001', '0.0.0.0:0') }),
      flow({ atMs: T0 + 1_001, netns: 4, tuple: tuple('10.0.0.4:45001', '10.0.0.8:1234'), count: 4 }),
    );
    expect(edges()).toEqual(['client 10.0.0.8>10.0.0.9:7000:7000', 'server 10.0.0.8>odd:45001']);
  });

  it('takes the kernel’s own range of client ports', () => {
    mkdirSync(join(dir, 'proc/sys/net/ipv4'), { recursive: true });
    writeFileSync(join(dir, 'proc/sys/net/ipv4/ip_local_port_range'), '10000\t20000\n');
    run(flow({ atMs: T0 + 1_000, netns: 3, tuple: tuple('10.0.0.8:15000', '10.0.0.9:45000'), count: 1 }));
    expect(edges()).toEqual(['client 10.0.0.8>10.0.0.9:45000:45000']);
  });

  it('forgets a listener whose port may be a client’s next', () => {
    const temporary = { netns: 1, pid: 900_150, comm: 'probe', tuple: tuple('10.0.0.1:40100', '0.0.0.0:0') };
    run(
      listener({ ...temporary, atMs: T0 + 100, kind: 'opened' }),
      listener({ ...temporary, atMs: T0 + 200, kind: 'closed' }),
      conn({ ...GATEWAY, role: 'unknown', connId: 3, atMs: T0 + 300, kind: 'discovered', tuple: toUser(40_100) }),
      stats({ ...GATEWAY, role: 'unknown', connId: 3, atMs: T0 + 900, tuple: toUser(40_100) }, { segmentsOut: 4 }),
      flow({ atMs: T0 + 1_000, netns: 2, tuple: mirrored(toUser(40_100)), count: 1 }),
    );
    expect(edges()).toEqual(['client gateway>user:8083', 'server gateway>user:8083']);
  });

  it('takes the local port of a connect that was told before it had one', () => {
    const waiting = { ...GATEWAY, connId: 3 };
    run(
      stats({ ...waiting, atMs: T0 + 1_000, state: 2, tuple: toUser(0) }, { segmentsOut: 1 }),
      stats({ ...CART, connId: 4, atMs: T0 + 1_000, state: 2, tuple: toUser(0) }, { segmentsOut: 1 }),
      stats({ ...waiting, atMs: T0 + 2_000, state: 2, tuple: toUser(40_200) }, { segmentsOut: 2 }),
      stats({ ...CART, connId: 4, atMs: T0 + 2_000, state: 2, tuple: toUser(40_201) }, { segmentsOut: 2 }),
      flow({ atMs: T0 + 2_000, netns: 2, tuple: toUser(40_200), count: 1 }),
    );
    expect(counted('drops')).toEqual([['server gateway>user:8083', { NETFILTER_DROP: 1 }]]);
  });

  it('keeps the owner’s name of a socket that outlives its process', () => {
    const proc = join(dir, 'proc/900300');
    mkdirSync(join(proc, 'ns'), { recursive: true });
    writeFileSync(join(proc, 'stat'), '900300 (node) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 100 1 1');
    writeFileSync(join(proc, 'cmdline'), 'node\0checkout.js\0');
    writeFileSync(join(proc, 'cgroup'), '0::/\n');
    symlinkSync('net:[1]', join(proc, 'ns/net'));
    const orphan = { netns: 1, pid: 900_300, comm: 'node', role: 'client', connId: 3, tuple: toUser(40_300) } as const;
    const made = start();
    play(made, [conn({ ...orphan, atMs: T0 + 100, kind: 'opened' })], T0 + 100);
    made.frame(stats({ ...orphan, atMs: T0 + 900 }, { segmentsOut: 4 }));
    rmSync(proc, { recursive: true });
    made.frame({
      ...{
        type: 'process',
        kind: 'exit',
        atMs: T0 + 1_000,
        netns: 1,
        pid: 900_300,
        parentPid: 1,
        uid: 0,
        comm: 'node',
      },
      ...{ cgroupId: 0, path: '', exitCode: 1, signal: 0 },
    });
    play(made, [
      // A new listener: all names are looked at again.
      listener({ atMs: T0 + 8_000, netns: 2, pid: USER.pid, tuple: tuple('10.0.0.2:9000', '0.0.0.0:0') }),
      stats({ ...orphan, atMs: T0 + 9_000 }, { segmentsOut: 9, retransmits: 5 }),
    ]);
    expect(edges()).toEqual(['client checkout>user:8083']);
  });
});
