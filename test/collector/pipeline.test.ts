/** Both ends of connections, as frames, through tracker, naming and windows to records. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Frame } from '../../collector/frames/types.ts';
import { CollectorPipeline } from '../../collector/pipeline.ts';
import type { AnyBatch, CallRecord, TcpRecord } from '../../src/model/records.ts';
import { conn, data, flow, listener, stats, TOTALS, tick, tuple } from './frames-of.ts';

const T0 = 1_700_000_000_000;
const NAMING = {
  version: 1,
  machines: [
    { name: 'm1', netns: 'n1', netnsInode: 1, addresses: ['10.0.0.1'] },
    { name: 'm2', netns: 'n2', netnsInode: 2, addresses: ['10.0.0.2'] },
  ],
  endpoints: [{ address: '10.0.0.2', port: 8080, service: 'cart', instance: 'cart-1', machine: 'm2' }],
  processes: [
    { pid: 900_100, service: 'web', instance: 'web-1', machine: 'm1' },
    { pid: 900_200, service: 'cart', instance: 'cart-1', machine: 'm2' },
  ],
};
const CLIENT = { connId: 1, netns: 1, pid: 900_100, role: 'client' } as const;
const SERVER = { connId: 2, netns: 2, pid: 900_200, role: 'server' } as const;
const CLIENT_TUPLE = tuple('10.0.0.1:40000', '10.0.0.2:8080');
const SERVER_TUPLE = tuple('10.0.0.2:8080', '10.0.0.1:40000');
const GET = 'GET /items/7 HTTP/1.1\r\nHost: cart\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const EDGE = {
  caller: 'web',
  callee: 'cart',
  callerInstance: 'web-1',
  calleeInstance: 'cart-1',
  callerMachine: 'm1',
  calleeMachine: 'm2',
};

let dir = '';
let batches: AnyBatch[] = [];
let namingProblems: string[] = [];

function pipeline(): CollectorPipeline {
  const file = join(dir, 'naming.json');
  writeFileSync(file, JSON.stringify(NAMING));
  batches = [];
  namingProblems = [];
  const made = new CollectorPipeline({
    environment: 'test',
    name: 'host',
    namingFile: file,
    procRoot: join(dir, 'no-proc'),
    cgroupRoot: join(dir, 'no-cgroup'),
    onNamingProblem: (problem) => namingProblems.push(problem),
    onBatch: (batch) => batches.push(batch),
  });
  made.advance(T0);
  return made;
}

function run(frames: readonly Frame[], untilMs = T0 + 20_000): CollectorPipeline {
  const made = pipeline();
  for (const frame of frames) made.frame(frame);
  for (let nowMs = T0 + 500; nowMs <= untilMs; nowMs += 500) made.advance(nowMs);
  return made;
}

const calls = (): CallRecord[] => batches.flatMap((batch) => (batch.type === 'call' ? batch.records : []));
/** Of the first window. */
const tcp = (): TcpRecord[] =>
  batches.flatMap((batch) => (batch.type === 'tcp' && batch.windowStartMs === T0 ? batch.records : []));

const opened = [
  conn({ ...CLIENT, atMs: T0 + 1, kind: 'opened', tuple: CLIENT_TUPLE, connectNs: 250_000 }),
  conn({ ...SERVER, atMs: T0 + 1, kind: 'opened', tuple: SERVER_TUPLE }),
];

/** One request, seen from both sides: client 10 ms, server 6 ms. */
const exchange = (at: number, clientSeq: number, serverSeq: number): Frame[] => [
  data({ ...CLIENT, direction: 'send', enterMs: at, streamSeq: clientSeq }, GET),
  data({ ...SERVER, direction: 'recv', enterMs: at + 1, exitMs: at + 2, streamSeq: clientSeq }, GET),
  data({ ...SERVER, direction: 'send', enterMs: at + 8, exitMs: at + 9, streamSeq: serverSeq }, OK),
  data({ ...CLIENT, direction: 'recv', enterMs: at + 1, exitMs: at + 10, streamSeq: serverSeq }, OK),
];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rootwalk-pipeline-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('collector pipeline', () => {
  it('records a call on both sides, joined and named', () => {
    run([...opened, ...exchange(T0 + 100, 1, 1)]);
    const expected = { ...EDGE, protocol: 'http', operation: 'GET /items/{id}', status: '200', count: 1, errors: 0 };
    expect(calls()).toMatchObject([
      { ...expected, side: 'server', durationSumUs: 6000 },
      { ...expected, side: 'client', durationSumUs: 10_000, requestBytes: GET.length, responseBytes: OK.length },
    ]);
  });

  it('tells of a call that hangs with every window until it ends', () => {
    const [asked, read, answered, got] = exchange(T0 + 100, 1, 1) as [Frame, Frame, Frame, Frame];
    const made = pipeline();
    for (const frame of [...opened, asked, read]) made.frame(frame);
    const until = (from: number, to: number): void => {
      for (let nowMs = T0 + from; nowMs <= T0 + to; nowMs += 500) made.advance(nowMs);
    };
    until(500, 12_500);
    for (const frame of [answered, got]) made.frame({ ...frame, enterMs: T0 + 12_600, exitMs: T0 + 12_601 } as Frame);
    until(13_000, 20_000);
    const rows = batches.flatMap((batch) =>
      batch.type === 'call'
        ? batch.records.map(({ side, status, count, errors, durationSumUs, durationHistogram }) => [
            (batch.windowStartMs - T0) / 1000,
            side,
            status,
            count,
            errors,
            durationSumUs,
            durationHistogram === undefined,
          ])
        : [],
    );
    expect(rows).toEqual([
      [0, 'client', 'active', 1, 0, 4_900_000, true],
      [0, 'server', 'active', 1, 0, 4_898_000, true],
      [5, 'client', 'active', 1, 0, 9_900_000, true],
      [5, 'server', 'active', 1, 0, 9_898_000, true],
      [10, 'server', '200', 1, 0, 12_498_000, false],
      [10, 'client', '200', 1, 0, 12_501_000, false],
    ]);
  });

  it('says who calls whom, what is part of what and what runs where', () => {
    run([...opened, ...exchange(T0 + 100, 1, 1)]);
    const found = batches.flatMap((batch) =>
      batch.type === 'topology' && batch.windowStartMs === T0 ? batch.records : [],
    );
    expect(found.map((record) => `${record.relation} ${record.from} ${record.to}`)).toEqual([
      'calls web cart',
      'part_of cart-1 cart',
      'part_of web-1 web',
      'runs_on cart-1 m2',
      'runs_on web-1 m1',
    ]);
  });

  it('takes data before the control event, and data after the close', () => {
    const frames = [...exchange(T0 + 100, 1, 1), ...exchange(T0 + 200, 1 + GET.length, 1 + OK.length)];
    run([
      ...frames.slice(0, 6),
      ...opened,
      conn({ ...CLIENT, atMs: T0 + 230, kind: 'closed', tuple: CLIENT_TUPLE }),
      conn({ ...SERVER, atMs: T0 + 230, kind: 'closed', tuple: SERVER_TUPLE }),
      ...frames.slice(6),
    ]);
    expect(calls().map((call) => [call.side, call.count, call.status])).toEqual([
      ['server', 2, '200'],
      ['client', 2, '200'],
    ]);
  });

  it('splits windows by the time of the event', () => {
    run([...opened, ...exchange(T0 + 4_995, 1, 1)]);
    const byWindow = batches
      .filter((batch) => batch.type === 'call')
      .map((batch) => [batch.windowStartMs - T0, batch.records[0]?.side]);
    // The server answered at +5003, the client had it at +5005.
    expect(byWindow).toEqual([[5_000, 'server']]);
    expect(calls()).toHaveLength(2);
  });

  it('sums TCP counters as differences, with failures by reason', () => {
    run([
      ...opened,
      stats(
        { ...CLIENT, atMs: T0 + 1000, tuple: CLIENT_TUPLE },
        { bytesSent: 100, segmentsOut: 5, segmentsIn: 4, retransmits: 2, srttUs: 300, lastRttUs: 200 },
      ),
      stats(
        { ...CLIENT, atMs: T0 + 2000, tuple: CLIENT_TUPLE },
        { bytesSent: 150, segmentsOut: 7, segmentsIn: 5, retransmits: 3, srttUs: 500, lastRttUs: 200 },
      ),
      conn({
        ...CLIENT,
        connId: 3,
        atMs: T0 + 2100,
        kind: 'failed',
        reason: 'refused',
        tuple: tuple('10.0.0.1:40001', '10.0.0.2:8080'),
      }),
      conn({
        ...CLIENT,
        connId: 4,
        atMs: T0 + 2200,
        kind: 'failed',
        reason: 'aborted',
        connectNs: 1e9,
        synRetransmits: 1,
        tuple: tuple('10.0.0.1:40002', '10.0.0.2:8080'),
      }),
    ]);
    expect(tcp().find((record) => record.side === 'client')).toMatchObject({
      ...EDGE,
      calleePort: 8080,
      bytesOut: 150,
      segmentsOut: 7,
      segmentsIn: 5,
      retransmits: 3,
      rttSumUs: 800,
      rttCount: 2,
      rttMinUs: 200,
      connects: 1,
      connectTimeSumUs: 250,
      connectFailures: { refused: 1, timed_out: 1 },
      activeConnections: 1,
    });
  });

  it('counts the retransmissions of a connect while it waits, and each once', () => {
    const waiting = { ...CLIENT, connId: 9, tuple: tuple('10.0.0.1:40009', '10.0.0.2:8080') };
    const totals = (retransmits: number) => ({ segmentsOut: 1 + retransmits, retransmits });
    run([
      stats({ ...waiting, atMs: T0 + 1_000, state: 2 }, totals(0)),
      stats({ ...waiting, atMs: T0 + 2_000, state: 2 }, totals(1)),
      stats({ ...waiting, atMs: T0 + 4_000, state: 2 }, totals(2)),
      conn({ ...waiting, atMs: T0 + 4_900, kind: 'failed', reason: 'timed_out', totals: { ...TOTALS, ...totals(2) } }),
    ]);
    expect(tcp()).toMatchObject([
      { ...EDGE, retransmits: 2, segmentsOut: 3, connects: 0, activeConnections: 0, connectFailures: { timed_out: 1 } },
    ]);
  });

  it('starts a discovered connection at its totals', () => {
    run([
      conn({
        ...CLIENT,
        atMs: T0 + 1,
        kind: 'discovered',
        tuple: CLIENT_TUPLE,
        totals: { ...TOTALS, bytesSent: 1_000_000 },
      }),
      stats({ ...CLIENT, atMs: T0 + 1000, tuple: CLIENT_TUPLE }, { bytesSent: 1_000_100 }),
    ]);
    expect(tcp()[0]).toMatchObject({ bytesOut: 100, connects: 0 });
  });

  it('gives drops to the edge and the side that saw them, known connection or not', () => {
    run([
      ...opened,
      flow({ atMs: T0 + 1000, netns: 2, tuple: CLIENT_TUPLE, count: 3 }),
      flow({
        atMs: T0 + 1000,
        netns: 1,
        tuple: tuple('10.0.0.1:41000', '10.0.0.2:8080'),
        count: 2,
        reason: 'QDISC_DROP',
      }),
      flow({
        atMs: T0 + 1000,
        netns: 2,
        kind: 'reset_sent',
        reason: '',
        tuple: tuple('10.0.0.2:8080', '10.0.0.1:41001'),
        count: 4,
      }),
    ]);
    expect(tcp()).toHaveLength(2);
    expect(tcp().find((record) => record.side === 'server')).toMatchObject({
      ...EDGE,
      drops: { NETFILTER_DROP: 3 },
      resetsSent: 4,
    });
    expect(tcp().find((record) => record.side === 'client')).toMatchObject({ ...EDGE, drops: { QDISC_DROP: 2 } });
  });

  it('gives a SYN filtered at the server to the server’s side', () => {
    const waiting = { ...CLIENT, connId: 9, tuple: tuple('10.0.0.1:40009', '10.0.0.2:8080') };
    run([
      stats({ ...waiting, atMs: T0 + 1_000, state: 2 }, { segmentsOut: 1 }),
      flow({ atMs: T0 + 1_000, netns: 2, tuple: waiting.tuple, count: 1 }),
      flow({ atMs: T0 + 2_000, netns: 2, tuple: tuple('10.0.0.1:40010', '10.0.0.2:8080'), count: 1 }),
    ]);
    expect(tcp().map(({ side, drops }) => [side, drops])).toEqual([
      ['client', undefined],
      ['server', { NETFILTER_DROP: 2 }],
    ]);
  });

  it('fails what was unanswered by how the connection ended', () => {
    const ask = (id: number) => [
      conn({ ...CLIENT, connId: id, atMs: T0, kind: 'opened', tuple: tuple(`10.0.0.1:${id}`, '10.0.0.2:8080') }),
      data({ ...CLIENT, connId: id, direction: 'send', enterMs: T0 + 10, streamSeq: 1 }, GET),
    ];
    const close = (id: number, more: Partial<Parameters<typeof conn>[0]>) =>
      conn({
        ...CLIENT,
        connId: id,
        atMs: T0 + 3_000,
        kind: 'closed',
        tuple: tuple(`10.0.0.1:${id}`, '10.0.0.2:8080'),
        ...more,
      });
    run([
      ...[11, 12, 13].flatMap(ask),
      close(11, { reason: 'reset' }),
      close(12, { reason: 'timed_out' }),
      close(13, { leftMs: T0 + 2_900 }),
    ]);
    expect(calls().map((call) => [call.status, call.errorType, call.errors])).toEqual([
      ['none', 'connection_reset', 1],
      ['none', 'timeout', 2],
    ]);
  });

  it('infers role and counts from a connection that was open before', () => {
    run([
      conn({ ...CLIENT, role: 'unknown', atMs: T0, kind: 'discovered', tuple: CLIENT_TUPLE }),
      data({ ...CLIENT, role: 'unknown', direction: 'recv', enterMs: T0 + 5, streamSeq: 77 }, 'rest of an answer'),
      data({ ...CLIENT, role: 'unknown', direction: 'send', enterMs: T0 + 10, streamSeq: 1 }, GET),
      data({ ...CLIENT, role: 'unknown', direction: 'recv', enterMs: T0 + 20, streamSeq: 94 }, OK),
    ]);
    expect(calls()).toMatchObject([{ ...EDGE, side: 'client', count: 1, status: '200' }]);
  });

  it('reports health every window, with what was lost as a difference', () => {
    const made = pipeline();
    const counted = { controlEvents: 2, dataEvents: 4, loaderCpuUs: 10, conns: 1 };
    made.frame({ type: 'probe', name: 'tcp_drop', attached: false, errno: 2, reason: 'no such function' });
    made.frame(tick({ ...counted, lostData: 5, atMs: T0 + 1000 }));
    made.advance(T0 + 5_600);
    made.frame(tick({ ...counted, lostData: 7, atMs: T0 + 6000 }));
    made.advance(T0 + 10_600);
    const health = batches.flatMap((batch) => (batch.type === 'health' ? batch.records : []));
    expect(health.map((record) => [record.lost.data, record.eventsReceived])).toEqual([
      [5, 6],
      [2, 0],
    ]);
    expect(health[0]?.probes).toEqual([{ name: 'tcp_drop', state: 'missing', reason: 'no such function' }]);
    // What was made of each type, zero too, so that a reader can tell a lost batch from silence.
    const made5 = batches.filter((batch) => batch.windowStartMs === T0 && batch.type === 'resource');
    expect(health[0]?.recordsProduced).toEqual({
      call: 0,
      tcp: 0,
      topology: 0,
      change: 0,
      resource: made5.reduce((sum, batch) => sum + batch.records.length, 0),
    });
  });

  it('says what changed, under the names in force when it is told', () => {
    const at = (frame: { atMs: number; pid: number }) => ({ ...frame, netns: 2, comm: 'node', cgroupId: 0 });
    const exit = (pid: number, signal: number): Frame => ({
      ...at({ atMs: T0 + 3_000, pid }),
      type: 'process',
      kind: 'exit',
      parentPid: 1,
      uid: 0,
      path: '',
      exitCode: 0,
      signal,
    });
    const made = pipeline();
    made.frame({ ...exit(900_300, 0), kind: 'exec', atMs: T0 + 100, path: '/usr/bin/node' } as Frame);
    made.frame(
      listener({ ...at({ atMs: T0 + 200, pid: 900_300 }), kind: 'opened', tuple: tuple('10.0.0.2:9999', '0.0.0.0:0') }),
    );
    writeFileSync(
      join(dir, 'naming.json'),
      JSON.stringify({
        ...NAMING,
        endpoints: [{ address: '10.0.0.2', port: 9999, service: 'order', instance: 'order-1', machine: 'm2' }],
      }),
    );
    for (let nowMs = T0 + 500; nowMs <= T0 + 5_000; nowMs += 500) made.advance(nowMs);
    // Forked workers: one that was killed, one that ended in order; and a child that runs something else.
    made.frame({ ...exit(900_302, 11), parentPid: 900_300 } as Frame);
    made.frame({ ...exit(900_303, 15), parentPid: 900_300 } as Frame);
    made.frame({ ...exit(900_304, 11), parentPid: 900_300, comm: 'convert' } as Frame);
    made.frame(exit(900_300, 9));
    made.frame(exit(900_301, 0));
    for (let nowMs = T0 + 5_500; nowMs <= T0 + 11_000; nowMs += 500) made.advance(nowMs);
    const found = batches.flatMap((batch) => (batch.type === 'change' ? batch.records : []));
    expect(found.map(({ change, entity, signal }) => [change, entity, signal])).toEqual([
      ['process_start', 'node@m2', undefined],
      ['listener_opened', 'node@m2', undefined],
      ['process_exit', 'order-1', 11],
      ['process_exit', 'order-1', 9],
    ]);
  });

  it('tells who starts under the name that the naming file has by then', () => {
    const made = pipeline();
    const fresh = { ...NAMING.endpoints[0], instance: 'cart-1-v2' };
    writeFileSync(join(dir, 'naming.json'), JSON.stringify({ ...NAMING, endpoints: [fresh], processes: [] }));
    const at = { atMs: T0 + 200, pid: 900_300, netns: 2 };
    made.frame(listener({ ...at, kind: 'opened', tuple: tuple('10.0.0.2:8080', '0.0.0.0:0') }));
    made.advance(T0 + 20_000);
    const told = batches.flatMap((batch) => (batch.type === 'change' ? batch.records : []));
    expect(told.map(({ change, entity }) => [change, entity])).toEqual([['listener_opened', 'cart-1-v2']]);
  });

  it('says once that the naming file broke, and keeps the names', () => {
    const made = pipeline();
    writeFileSync(join(dir, 'naming.json'), '{');
    for (const frame of [...opened, ...exchange(T0 + 100, 1, 1)]) made.frame(frame);
    for (let nowMs = T0 + 500; nowMs <= T0 + 20_000; nowMs += 500) made.advance(nowMs);
    expect(namingProblems).toEqual([expect.stringMatching(/naming\.json: expected JSON/)]);
    expect(calls()).toMatchObject([EDGE, EDGE]);
  });

  it('tells the kernel side to leave payload alone while the breaker is open, and counts what went by', () => {
    let cpuUs = 0;
    let load = 2;
    const told: [number, boolean][] = [];
    batches = [];
    const made = new CollectorPipeline({
      environment: 'test',
      name: 'host',
      procRoot: join(dir, 'none'),
      cgroupRoot: join(dir, 'none'),
      usage: () => ({ cpuUs, memoryBytes: 1 }),
      onShed: (isShedding) => told.push([nowMs - T0, isShedding]),
      onBatch: (batch) => batches.push(batch),
    });
    let nowMs = T0;
    for (; nowMs <= T0 + 12_000; nowMs += 1_000) {
      if (told.length === 1 && load === 2) {
        for (const frame of exchange(nowMs, 1, 1)) made.frame(frame);
        load = 0;
      }
      made.advance(nowMs);
      cpuUs += load * 1e6;
    }
    expect(told).toEqual([
      [2_000, true],
      [9_000, false],
    ]);
    const health = batches.flatMap((batch) => (batch.type === 'health' ? batch.records : []));
    expect(health.map((record) => [record.breaker, record.lost.shed_events])).toEqual([
      ['shedding_l7', 4],
      ['closed', 0],
    ]);
    expect(calls()).toEqual([]);
  });

  it('leaves out excluded ports and processes', () => {
    const made = new CollectorPipeline({
      environment: 'test',
      name: 'host',
      procRoot: join(dir, 'none'),
      cgroupRoot: join(dir, 'none'),
      excludedPorts: [8080],
      onBatch: (batch) => batches.push(batch),
    });
    batches = [];
    made.advance(T0);
    for (const frame of [...opened, ...exchange(T0 + 100, 1, 1)]) made.frame(frame);
    made.advance(T0 + 20_000);
    expect([...calls(), ...tcp()]).toEqual([]);
  });
});
