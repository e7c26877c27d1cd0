/** What is told of lookups: both ends named, calls and topology, and nothing of TCP. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CollectorPipeline } from '../../../collector/pipeline.ts';
import type { AnyBatch, CallRecord, TopologyRecord } from '../../../src/model/records.ts';
import { answer, question } from '../dns-messages.ts';
import { datagram, listener, tick, tuple } from '../frames-of.ts';

const T0 = 1_700_000_000_000;
const WEB = { netns: 1, pid: 900_100, comm: 'web', role: 'client' } as const;
const RESOLVER = { netns: 2, pid: 900_200, comm: 'resolver', role: 'server' } as const;
const UPSTREAM = { netns: 2, pid: 900_200, comm: 'resolver', role: 'client' } as const;

let dir = '';
let batches: AnyBatch[] = [];
let under: CollectorPipeline;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rootwalk-datagrams-'));
  batches = [];
  under = new CollectorPipeline({
    environment: 'test',
    name: 'host',
    procRoot: join(dir, 'proc'),
    cgroupRoot: join(dir, 'no-cgroup'),
    onBatch: (batch) => batches.push(batch),
  });
  under.advance(T0);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** One lookup, as both ends see it: the client's local address, the server's, as far as their sockets know them. */
function lookup(
  atMs: number,
  client = '10.0.0.1:40000',
  server = '10.0.0.2:53',
  to = '10.0.0.2:53',
  from = client,
  who: object = WEB,
): void {
  const asks = { ...WEB, ...who, tuple: tuple(client, to) };
  const serves = { ...RESOLVER, tuple: tuple(server, from) };
  under.frame(datagram({ ...asks, atMs, direction: 'send' }, question('cart.shop')));
  under.frame(datagram({ ...serves, atMs: atMs + 1, direction: 'recv' }, question('cart.shop')));
  const source = { ...serves, tuple: tuple(server.replace('0.0.0.0', '10.0.0.2'), from) };
  under.frame(datagram({ ...source, atMs: atMs + 3, direction: 'send' }, answer('cart.shop')));
  under.frame(datagram({ ...asks, atMs: atMs + 4, direction: 'recv' }, answer('cart.shop')));
}

function edges(): string[] {
  under.stop(T0 + 20_000);
  return calls().map((call) => `${call.side} ${call.caller} -> ${call.callee}:${call.count} ${call.status}`);
}
const calls = (): readonly CallRecord[] => batches.flatMap((batch) => (batch.type === 'call' ? batch.records : []));
const topology = (): readonly TopologyRecord[] =>
  batches.flatMap((batch) => (batch.type === 'topology' ? batch.records : []));

describe('lookups', () => {
  it('are calls of the edge to the resolver, at both ends, and of the topology', () => {
    lookup(T0 + 10);
    expect(edges()).toEqual(['server web -> resolver:1 NOERROR', 'client web -> resolver:1 NOERROR']);
    expect(calls()[1]).toMatchObject({ protocol: 'dns', operation: 'A cart.shop', errors: 0, durationSumUs: 4_000 });
    expect(topology()).toContainEqual(expect.objectContaining({ relation: 'calls', from: 'web', to: 'resolver' }));
  });

  it('are no connections: nothing of TCP is told', () => {
    lookup(T0 + 10);
    under.frame(
      datagram(
        { ...WEB, atMs: T0 + 20, tuple: tuple('10.0.0.1:40001', '10.0.0.2:53'), direction: 'send' },
        question('a.b'),
      ),
    );
    under.frame({
      type: 'listenerStats',
      atMs: T0 + 100,
      netns: 2,
      tuple: tuple('0.0.0.0:53', '0.0.0.0:0'),
      pid: 0,
      drops: 3,
      queue: 0,
      backlog: 5,
    });
    under.advance(T0 + 6_000);
    under.stop(T0 + 20_000);
    const active = batches.flatMap((batch) => (batch.type === 'tcp' ? batch.records : []));
    expect(active.filter((record) => (record.activeConnections ?? 0) > 0 || (record.connects ?? 0) > 0)).toEqual([]);
  });

  it.each([
    ['the resolver is bound to all addresses', '10.0.0.1:40000', '0.0.0.0:53'],
    ['neither socket says its address', '0.0.0.0:40000', '0.0.0.0:53'],
    ['only the resolver’s does', '0.0.0.0:40000', '10.0.0.2:53'],
  ])('have both names when %s', (_what, client, server) => {
    // Where the client's address is known to be, for whatever else it does.
    under.namer.learnAddress('10.0.0.1', 1);
    lookup(T0 + 10, client, server, '10.0.0.2:53', '10.0.0.1:40000');
    expect(edges()).toEqual(['server web -> resolver:1 NOERROR', 'client web -> resolver:1 NOERROR']);
  });

  it('have both names when the client is told after it was answered', () => {
    under.namer.learnAddress('10.0.0.1', 1);
    const serves = { ...RESOLVER, tuple: tuple('10.0.0.2:53', '10.0.0.1:40000') };
    const asks = { ...WEB, tuple: tuple('0.0.0.0:40000', '10.0.0.2:53') };
    under.frame(datagram({ ...serves, atMs: T0 + 11, direction: 'recv' }, question('cart.shop')));
    under.frame(datagram({ ...serves, atMs: T0 + 12, direction: 'send' }, answer('cart.shop')));
    under.frame(datagram({ ...asks, atMs: T0 + 10, direction: 'send' }, question('cart.shop')));
    under.frame(datagram({ ...asks, atMs: T0 + 13, direction: 'recv' }, answer('cart.shop')));
    under.advance(T0 + 250);
    expect(edges().sort()).toEqual(['client web -> resolver:1 NOERROR', 'server web -> resolver:1 NOERROR']);
  });

  it.each([
    ['which is bound', '10.0.0.1:40000'],
    ['which is bound to all addresses', '0.0.0.0:40000'],
  ])('are the next process’s when it has the port of the last one, %s', (_what, client) => {
    under.namer.learnAddress('10.0.0.1', 1);
    const ask = (atMs: number, pid: number, comm: string): void =>
      lookup(atMs, client, '10.0.0.2:53', '10.0.0.2:53', '10.0.0.1:40000', { pid, comm });
    ask(T0 + 10, 900_100, 'web');
    ask(T0 + 500, 900_101, 'mail');
    ask(T0 + 900, 900_102, 'batch');
    expect(edges().sort()).toEqual([
      'client batch -> resolver:1 NOERROR',
      'client mail -> resolver:1 NOERROR',
      'client web -> resolver:1 NOERROR',
      'server batch -> resolver:1 NOERROR',
      'server mail -> resolver:1 NOERROR',
      'server web -> resolver:1 NOERROR',
    ]);
  });

  it('have not failed where payload was lost while they waited', () => {
    const ask = (atMs: number, id: number): void =>
      under.frame(
        datagram(
          { ...WEB, atMs, tuple: tuple('10.0.0.1:40000', '10.0.0.2:53'), direction: 'send' },
          question('a.b', id),
        ),
      );
    ask(T0 + 100, 1);
    under.frame(tick({ atMs: T0 + 1_000, lostData: 5 }));
    ask(T0 + 1_500, 2);
    under.frame(tick({ atMs: T0 + 2_000, lostData: 5 }));
    under.advance(T0 + 9_000);
    under.stop(T0 + 20_000);
    const failed = calls().filter((call) => call.errorType === 'timeout');
    expect(failed.reduce((sum, call) => sum + call.count, 0)).toBe(1);
    expect(under.tracker.counters.losses.requests).toBe(1);
  });

  it('have both names behind a destination NAT', () => {
    lookup(T0 + 10, '10.0.0.1:40000', '10.0.0.2:53', '10.96.0.10:53');
    expect(edges()).toEqual(['server web -> resolver:1 NOERROR', 'client web -> resolver:1 NOERROR']);
  });

  it('tell the client’s end of the connection where the other end is on another host, for who joins both', () => {
    const asks = { ...WEB, tuple: tuple('10.0.0.1:40000', '10.0.0.7:53') };
    under.frame(datagram({ ...asks, atMs: T0 + 10, direction: 'send' }, question('cart.shop')));
    under.frame(datagram({ ...asks, atMs: T0 + 14, direction: 'recv' }, answer('cart.shop')));
    const serves = { ...RESOLVER, tuple: tuple('10.0.0.2:53', '10.0.0.8:50000') };
    under.frame(datagram({ ...serves, atMs: T0 + 20, direction: 'recv' }, question('cart.shop')));
    under.frame(datagram({ ...serves, atMs: T0 + 21, direction: 'send' }, answer('cart.shop')));
    under.stop(T0 + 20_000);
    const tcp = batches.flatMap((batch) => (batch.type === 'tcp' ? batch.records : []));
    expect(tcp.map(({ side, caller, callee, clientEndpoints }) => [side, caller, callee, clientEndpoints])).toEqual([
      ['client', 'web', '10.0.0.7:53', ['10.0.0.1:40000']],
      ['server', '10.0.0.8', 'resolver', ['10.0.0.8:50000']],
    ]);
  });

  it('go to who listens there over TCP, who answered there before, or an address', () => {
    const ask = (atMs: number, port: number, server: string): void =>
      under.frame(
        datagram(
          { ...WEB, atMs, tuple: tuple(`10.0.0.1:${port}`, `${server}:53`), direction: 'send' },
          question('a.b'),
        ),
      );
    under.frame(
      listener({ atMs: T0, tuple: tuple('10.0.0.3:53', '0.0.0.0:0'), pid: 900_300, netns: 3, comm: 'named' }),
    );
    lookup(T0 + 10);
    ask(T0 + 100, 41_000, '10.0.0.3');
    ask(T0 + 100, 41_001, '10.0.0.2');
    ask(T0 + 100, 41_002, '10.0.0.4');
    ask(T0 + 100, 41_003, '8.8.8.8');
    under.advance(T0 + 6_000);
    const failed = edges().filter((edge) => edge.endsWith('none'));
    expect(failed).toEqual([
      'client web -> named:1 none',
      'client web -> resolver:1 none',
      'client web -> 10.0.0.4:53:1 none',
      'client web -> external:1 none',
    ]);
  });

  it('of a resolver at its upstream are calls of its own, and in flight while they wait', () => {
    const upstream = { ...UPSTREAM, tuple: tuple('0.0.0.0:5353', '10.0.0.9:53') };
    under.frame(datagram({ ...upstream, atMs: T0 + 3_000, direction: 'send' }, question('cart.shop')));
    under.advance(T0 + 5_010);
    under.advance(T0 + 8_100);
    under.stop(T0 + 20_000);
    expect(calls().map((call) => [call.caller, call.callee, call.status, call.count, call.errorType])).toEqual([
      ['resolver', '10.0.0.9:53', 'active', 1, undefined],
      ['resolver', '10.0.0.9:53', 'none', 1, 'timeout'],
    ]);
  });
});
