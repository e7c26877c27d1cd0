/** The two ends of a call on two hosts, each of which knows the other by an address only. */
import { describe, expect, it } from 'vitest';
import { createIngest } from '../../src/ingest/index.ts';
import type { AnyBatch, CallRecord, TcpRecord } from '../../src/model/records.ts';
import type { ClosedWindow } from '../../src/model/window.ts';
import { createRandom, shuffled } from '../../src/stats/random.ts';
import { T0, WINDOW_MS } from './shop.ts';

interface Seen {
  readonly caller: string;
  readonly callee: string;
  readonly callerInstance?: string;
  readonly calleeInstance?: string;
  readonly side: 'client' | 'server';
  readonly endpoints?: readonly string[];
  readonly count?: number;
  readonly operation?: string;
}

/** What one collector says of a window: calls, their TCP counters, the relations. */
function told(collector: string, window: number, seen: readonly Seen[]): AnyBatch[] {
  const envelope = {
    schemaVersion: 1 as const,
    environment: 'e',
    collector,
    windowStartMs: T0 + window * WINDOW_MS,
    windowMs: WINDOW_MS,
    sequence: 0,
  };
  const ends = ({ endpoints: _, count: __, operation: ___, ...edge }: Seen) => ({
    ...edge,
    ...(edge.side === 'client' ? { callerMachine: collector } : { calleeMachine: collector }),
  });
  const calls = seen.map((edge): CallRecord => {
    const { count = 10, operation = 'GET /' } = edge;
    const durationHistogram = { scale: 3, offset: 8, counts: [Math.max(count - 1, 0), 0, Math.min(count, 1)] };
    const call = { protocol: 'http', operation, status: '200', count, errors: 0, durationSumUs: count * 100 };
    return { ...ends(edge), ...call, durationHistogram };
  });
  const tcp = seen.map(
    (edge): TcpRecord => ({
      ...ends(edge),
      segmentsOut: 20,
      rttMinUs: edge.count ?? 10,
      drops: { NETFILTER_DROP: 1 },
      ...(edge.endpoints === undefined ? {} : { clientEndpoints: edge.endpoints }),
    }),
  );
  const topology = seen.map(({ caller, callee }) => ({ relation: 'calls' as const, from: caller, to: callee }));
  return [
    { ...envelope, type: 'call', records: calls },
    { ...envelope, type: 'tcp', records: tcp },
    { ...envelope, type: 'topology', records: topology },
  ];
}

function windowsOf(batches: readonly AnyBatch[]): ClosedWindow[] {
  const ingest = createIngest();
  return [...batches.flatMap((batch) => ingest.push(batch).closed), ...ingest.flush()];
}

/** `caller(instance@machine) > callee(instance@machine) side: count` of calls, sorted. */
function callsOf({ names, callDirectory: { keys, width }, calls }: ClosedWindow): string[] {
  return Array.from(calls.leaf, (leaf, row) => {
    const name = (i: number): string => names.name(keys[leaf * width + i]!);
    const side = keys[leaf * width + 6] === 0 ? 'client' : 'server';
    return `${name(0)}(${name(2)}@${name(4)}) > ${name(1)}(${name(3)}@${name(5)}) ${side}: ${calls.count[row]}`;
  }).sort();
}

const WEB: Seen = {
  caller: 'web',
  callerInstance: 'web-1',
  callee: '10.0.0.7:8080',
  side: 'client',
  endpoints: ['10.0.0.5:40001', '10.0.0.5:40002'],
};
const CART: Seen = {
  caller: '10.0.0.5',
  callee: 'cart',
  calleeInstance: 'cart-1',
  side: 'server',
  endpoints: ['10.0.0.5:40002', '10.0.0.5:40001'],
};

describe('ends on two hosts', () => {
  it('have names as soon as both tell the same connections, in calls, counters, sketches and relations', () => {
    const [window] = windowsOf([...told('a', 0, [WEB]), ...told('b', 0, [CART])]);
    expect(callsOf(window!)).toEqual([
      'web(web-1@a) > cart(cart-1@b) client: 10',
      'web(web-1@a) > cart(cart-1@b) server: 10',
    ]);
    expect(window!.topology).toEqual([['calls', 'web', 'cart']]);
    const { names, histograms, tcp, tcpDirectory } = window!;
    expect(Array.from(histograms.callee, (id) => names.name(id))).toEqual(['cart', 'cart']);
    expect(Array.from(histograms.caller, (id) => names.name(id))).toEqual(['web', 'web']);
    expect(Array.from(tcp.leaf, (leaf) => names.name(tcpDirectory.keys[leaf * tcpDirectory.width + 1]!))).toEqual([
      'cart',
      'cart',
    ]);
  });

  it('keep them when connections are no longer told, and have them in the first window whatever comes first', () => {
    const { endpoints: _, ...silent } = WEB;
    const batches = [
      ...told('a', 0, [WEB]),
      ...told('b', 0, [CART]),
      ...told('a', 1, [silent]),
      ...told('b', 1, [{ ...CART, endpoints: [] }]),
    ];
    for (let seed = 1; seed <= 20; seed++) {
      const windows = windowsOf(shuffled(batches, createRandom(seed)));
      expect(windows.map((window) => callsOf(window).map((text) => text.split(' ')[2]))).toEqual([
        ['cart(cart-1@b)', 'cart(cart-1@b)'],
        ['cart(cart-1@b)', 'cart(cart-1@b)'],
      ]);
    }
  });

  it('behind an address that stands for several instances have the name of their service', () => {
    const asked = { ...WEB, callee: '10.96.0.12:80', endpoints: ['10.0.0.5:1', '10.0.0.5:2'] };
    const [window] = windowsOf([
      ...told('a', 0, [asked]),
      ...told('b', 0, [{ ...CART, endpoints: ['10.0.0.5:1'] }]),
      ...told('c', 0, [{ ...CART, calleeInstance: 'cart-2', endpoints: ['10.0.0.5:2'] }]),
    ]);
    expect(callsOf(window!)).toEqual([
      'web(web-1@a) > cart(@) client: 10',
      'web(web-1@a) > cart(cart-1@b) server: 10',
      'web(web-1@a) > cart(cart-2@c) server: 10',
    ]);
  });

  it('are added up where two addresses are one service', () => {
    const other = { ...WEB, callee: '10.0.0.8:8080', endpoints: ['10.0.0.5:9'], count: 5 };
    const [window] = windowsOf([
      ...told('a', 0, [
        { ...WEB, callee: '10.96.0.12:80' },
        { ...other, callee: '10.96.0.13:80' },
      ]),
      ...told('b', 0, [{ ...CART, endpoints: [...CART.endpoints!, '10.0.0.5:9'] }]),
    ]);
    expect(callsOf(window!)).toContain('web(web-1@a) > cart(cart-1@b) client: 15');
    const { histograms, tcp } = window!;
    const client = histograms.side.indexOf(0);
    expect([...histograms.counts.slice(histograms.start[client], histograms.start[client + 1])]).toEqual([13, 0, 2]);
    const values = (field: number): number[] => [...tcp.values[field]!];
    expect(values(0).sort()).toEqual([20, 40]);
    expect(values(7).sort()).toEqual([10, 5]);
    expect([...tcp.dropValue].reduce((sum, value) => sum + value, 0)).toBe(3);
    expect(Math.max(...tcp.dropRow)).toBeLessThan(tcp.rows);
  });

  it('of several services under one address get their parts of what the callee saw: by operation, else by calls', () => {
    const api = { ...WEB, caller: 'api', callerInstance: 'api-1', endpoints: ['10.0.0.5:7'] };
    // Connections of web alone are told by both; that api calls cart from there too is known all the same.
    const windowOf = (web: Partial<Seen>, other: Partial<Seen>, cart: readonly Partial<Seen>[]): ClosedWindow =>
      windowsOf([
        ...told('a', 0, [
          { ...WEB, ...web },
          { ...api, ...other },
        ]),
        ...told(
          'b',
          0,
          cart.map((one) => ({ ...CART, ...one })),
        ),
      ])[0]!;
    const servers = (window: ClosedWindow): string[] => callsOf(window).filter((text) => text.includes('server'));
    const window = windowOf({ count: 30 }, { count: 10 }, [{ count: 40 }]);
    expect(servers(window)).toEqual([
      'api(api-1@a) > cart(cart-1@b) server: 10',
      'web(web-1@a) > cart(cart-1@b) server: 30',
    ]);
    expect(window.topology).toEqual([
      ['calls', 'api', 'cart'],
      ['calls', 'web', 'cart'],
    ]);
    const { tcp, histograms, names } = window;
    expect([...tcp.values[0]!].sort()).toEqual([15, 20, 20, 5].sort());
    expect([...tcp.dropValue].reduce((sum, value) => sum + value, 0)).toBe(3);
    const counts = Array.from(histograms.caller, (id, row) => [
      names.name(id),
      histograms.side[row],
      histograms.counts.slice(histograms.start[row], histograms.start[row + 1]).reduce((sum, count) => sum + count, 0),
    ]);
    expect(counts.filter(([, side]) => side === 1).sort()).toEqual([
      ['api', 1, 10],
      ['web', 1, 30],
    ]);
    const operations = windowOf({ operation: 'GET /a' }, { operation: 'GET /b' }, [
      { operation: 'GET /a', count: 11 },
      { operation: 'GET /b', count: 9 },
    ]);
    expect(servers(operations)).toEqual([
      'api(api-1@a) > cart(cart-1@b) server: 9',
      'web(web-1@a) > cart(cart-1@b) server: 11',
    ]);
    // Nobody there counted a call: nobody’s.
    const silent = windowOf({ operation: 'GET /a', count: 0 }, { count: 0 }, [{}]);
    expect(servers(silent)).toEqual(['10.0.0.5(@) > cart(cart-1@b) server: 10']);
  });

  it('of an address that was given away are the new owner’s', () => {
    const user = { ...CART, callee: 'user', calleeInstance: 'user-1' };
    const windows = windowsOf([
      ...told('a', 0, [WEB]),
      ...told('b', 0, [CART]),
      ...told('a', 1, [WEB]),
      ...told('b', 1, [user]),
    ]);
    expect(windows.map((window) => callsOf(window)[0])).toEqual([
      'web(web-1@a) > cart(cart-1@b) client: 10',
      'web(web-1@a) > user(user-1@b) client: 10',
    ]);
  });

  it('stay addresses where nothing is told by both', () => {
    const [window] = windowsOf([...told('a', 0, [WEB]), ...told('b', 0, [{ ...CART, endpoints: ['10.0.0.6:40001'] }])]);
    expect(callsOf(window!)).toEqual([
      '10.0.0.5(@) > cart(cart-1@b) server: 10',
      'web(web-1@a) > 10.0.0.7:8080(@) client: 10',
    ]);
  });
});
