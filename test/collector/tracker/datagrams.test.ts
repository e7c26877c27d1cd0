/** Datagrams become calls: matched by key, once per question, failed when nobody answers. */
import { describe, expect, it } from 'vitest';
import type { Call } from '../../../collector/tracker/calls.ts';
import type { Connection } from '../../../collector/tracker/connection.ts';
import type { TrackerOptions } from '../../../collector/tracker/tracker.ts';
import { Tracker } from '../../../collector/tracker/tracker.ts';
import { A, AAAA, answer, message, question } from '../dns-messages.ts';
import { datagram, tuple } from '../frames-of.ts';

interface Seen extends Call {
  readonly id: number;
  readonly role: string;
}

const NAME = 'cart.shop';
const CLIENT = tuple('10.0.0.1:40000', '10.0.0.2:53');
const SERVER = tuple('10.0.0.2:53', '10.0.0.1:40000');

function start(options: TrackerOptions = {}) {
  const calls: Seen[] = [];
  const under = new Tracker(
    {
      onCall: (connection: Connection, call) => void calls.push({ ...call, id: connection.id, role: connection.role }),
      onOpened: () => {},
      onFailed: () => {},
      onClosed: () => {},
      onTraffic: () => {},
    },
    options,
  );
  const send = (atMs: number, bytes: Buffer, more: object = {}): void =>
    under.datagram(datagram({ atMs, tuple: CLIENT, direction: 'send', ...more }, bytes));
  const receive = (atMs: number, bytes: Buffer, more: object = {}): void =>
    under.datagram(datagram({ atMs, tuple: CLIENT, direction: 'recv', ...more }, bytes));
  const unanswered = (beforeMs: number): unknown[] => {
    const seen: unknown[] = [];
    for (const { layer7 } of under.callers())
      layer7?.forEachUnanswered(beforeMs, (operation, atMs, protocol) => seen.push([protocol, operation, atMs]));
    return seen;
  };
  return { under, calls, send, receive, unanswered };
}

describe('datagrams', () => {
  it('match two questions of one call with their answers, in any order', () => {
    const { under, calls, send, receive } = start();
    send(10, question(NAME, 1, A));
    send(10, question(NAME, 2, AAAA));
    receive(14, answer(NAME, 0, 2, AAAA, 0));
    receive(15, answer(NAME, 0, 1, A));
    expect(calls).toMatchObject([
      { protocol: 'dns', operation: 'AAAA cart.shop', status: 'NOERROR', failed: false, startMs: 10, endMs: 14 },
      { protocol: 'dns', operation: 'A cart.shop', status: 'NOERROR', failed: false, startMs: 10, endMs: 15 },
    ]);
    expect(calls[0]).toMatchObject({ requestBytes: 27, responseBytes: 27, role: 'client' });
    expect(calls[0]!.id).toBeLessThan(0);
    expect(under.counters.losses).toEqual({ requests: 0, responses: 0, bytes: 0 });
  });

  it('tell the server’s side from the question read to the answer written', () => {
    const { calls, send, receive } = start();
    const server = { tuple: SERVER, role: 'server', pid: 7 };
    receive(10, question(NAME), server);
    send(12, answer(NAME, 2), server);
    expect(calls).toMatchObject([
      { role: 'server', status: 'SERVFAIL', failed: true, errorType: 'SERVFAIL', startMs: 10, endMs: 12 },
    ]);
  });

  it('are told apart by direction and content where both ports are the protocol’s', () => {
    const { calls, send, receive } = start();
    const both = { tuple: tuple('10.0.0.1:53', '10.0.0.2:53'), role: 'unknown' };
    send(10, question(NAME), both);
    receive(11, question(NAME), both);
    send(12, answer(NAME), both);
    receive(20, answer(NAME), both);
    expect(calls.map(({ role, startMs, endMs }) => [role, startMs, endMs])).toEqual([
      ['server', 11, 12],
      ['client', 10, 20],
    ]);
  });

  it('are one call when the question is sent again, from the first time on', () => {
    const { calls, send, receive } = start();
    send(10, question(NAME));
    send(1_010, question(NAME));
    receive(1_020, answer(NAME));
    receive(1_021, answer(NAME));
    expect(calls).toMatchObject([{ startMs: 10, endMs: 1_020 }]);
  });

  it('fail when nobody answers, and are told while they wait', () => {
    const { under, calls, send, receive, unanswered } = start();
    send(10, question(NAME));
    expect(unanswered(5)).toEqual([]);
    expect(unanswered(1_500)).toEqual([['dns', 'A cart.shop', 10]]);
    under.tick(5_000);
    expect(calls).toEqual([]);
    under.tick(5_020);
    under.tick(5_200);
    expect(calls).toMatchObject([{ status: 'none', failed: true, errorType: 'timeout', startMs: 10, endMs: 5_020 }]);
    expect(calls[0]!.responseBytes).toBeNaN();
    expect(unanswered(6_000)).toEqual([]);
    // It comes late, for nobody.
    receive(6_000, answer(NAME));
    expect(calls).toHaveLength(1);
    expect(under.counters.losses).toEqual({ requests: 0, responses: 0, bytes: 0 });
  });

  it('fail nothing where their answers may have been lost', () => {
    const { under, calls, send, receive, unanswered } = start();
    send(10, question(NAME, 1));
    send(20, question(NAME, 2));
    under.datagrams.doubt(1_000);
    send(1_010, question(NAME, 3));
    expect(unanswered(2_000)).toEqual([['dns', 'A cart.shop', 1_010]]);
    receive(3_000, answer(NAME, 0, 2));
    under.tick(7_000);
    expect(calls.map(({ status, startMs }) => [status, startMs])).toEqual([
      ['NOERROR', 20],
      ['none', 1_010],
    ]);
    expect(under.counters.losses.requests).toBe(1);
  });

  it('are another call when the question is sent again after its time', () => {
    const { under, calls, send, receive } = start();
    send(10, question(NAME));
    // The resolver is faster than the clock that expires calls.
    send(5_011, question(NAME));
    under.tick(5_200);
    receive(5_300, answer(NAME));
    expect(calls.map(({ status, errorType, startMs, endMs }) => [status, errorType, startMs, endMs])).toEqual([
      ['none', 'timeout', 10, 5_011],
      ['NOERROR', undefined, 5_011, 5_300],
    ]);
  });

  it.each([
    [111, 'recv', 'connection_refused'],
    [101, 'send', 'unreachable'],
    [1, 'send', 'not_permitted'],
  ] as const)('fail at once with errno %i', (errno, direction, errorType) => {
    const { under, calls, send } = start();
    send(10, question(NAME, 1));
    send(10, question(NAME, 2, AAAA));
    under.datagram(datagram({ atMs: 11, tuple: CLIENT, direction, errno }));
    expect(calls.map((call) => [call.operation, call.errorType, call.endMs])).toEqual([
      ['A cart.shop', errorType, 11],
      ['AAAA cart.shop', errorType, 11],
    ]);
    send(12, question(NAME, 1));
    under.tick(6_000);
    expect(calls).toHaveLength(3);
  });

  it('keep nobody waiting for the other servers when one has answered', () => {
    const { under, calls, send, receive } = start();
    const unbound = (server: string) => ({ tuple: tuple('0.0.0.0:40000', `${server}:53`) });
    send(10, question(NAME), unbound('10.0.0.2'));
    send(10, question(NAME), unbound('10.0.0.3'));
    send(10, question('other.shop', 8), unbound('10.0.0.3'));
    receive(12, answer(NAME), unbound('10.0.0.3'));
    under.tick(6_000);
    expect(calls.map(({ operation, status, errorType }) => [operation, status, errorType])).toEqual([
      ['A cart.shop', 'NOERROR', undefined],
      ['A other.shop', 'none', 'timeout'],
    ]);
  });

  it.each([
    ['SERVFAIL', 2],
    ['REFUSED', 5],
  ])('wait for the other servers after %s', (status, rcode) => {
    const { under, calls, send, receive } = start();
    const unbound = (server: string) => ({ tuple: tuple('0.0.0.0:40000', `${server}:53`) });
    for (const server of ['10.0.0.2', '10.0.0.3', '10.0.0.4']) send(10, question(NAME), unbound(server));
    receive(11, answer(NAME, rcode), unbound('10.0.0.2'));
    receive(15, answer(NAME), unbound('10.0.0.3'));
    under.tick(6_000);
    expect(calls.map((call) => [call.status, call.endMs])).toEqual([
      [status, 11],
      ['NOERROR', 15],
    ]);
  });

  it('cost a resolver that asks thousands of servers from one socket no more than others', () => {
    const { under, calls, send, receive } = start();
    const server = (i: number) => ({ tuple: tuple('0.0.0.0:40000', `10.0.${i >> 8}.${i & 255}:53`) });
    const from = performance.now();
    for (let i = 0; i < 20_000; i++) send(10, question(NAME, i), server(i));
    for (let i = 0; i < 20_000; i++) receive(12, answer(NAME, 0, i), server(i));
    expect(calls).toHaveLength(20_000);
    under.tick(30_000);
    expect(under.datagrams.size).toBe(0);
    expect(under.datagrams.index.size).toBe(0);
    // 0.3 s; 13 s where each answer and each end looks at all of the socket's servers.
    expect(performance.now() - from).toBeLessThan(5_000);
  });

  it('count what fits nothing, and take no answer to another question', () => {
    const { under, calls, send, receive } = start();
    send(10, question(NAME));
    receive(11, answer('other.shop'));
    receive(12, answer(NAME, 0, 9));
    receive(13, Buffer.from('garbage'));
    receive(14, question(NAME));
    expect(calls).toEqual([]);
    expect(under.counters.losses).toEqual({ requests: 0, responses: 2, bytes: 34 });
    receive(15, message('', A, { flags: 0x8182, questions: 0 }).subarray(0, 12));
    expect(calls).toMatchObject([{ operation: 'A cart.shop', status: 'SERVFAIL' }]);
  });

  it('are forgotten when nothing comes any more, sooner where nothing can', () => {
    const { under, send, receive } = start();
    send(10, question(NAME));
    receive(11, answer(NAME));
    send(10, question(NAME), { tuple: tuple('10.0.0.1:40001', '10.0.0.2:53') });
    expect(under.datagrams.size).toBe(2);
    under.tick(2_500);
    expect(under.datagrams.size).toBe(1);
    under.tick(10_000);
    expect(under.datagrams.size).toBe(1);
    under.tick(15_100);
    expect(under.datagrams.size).toBe(0);
    expect(under.datagrams.index.size).toBe(0);
    expect(under.counters).toMatchObject({ evicted: 0, losses: { requests: 0 } });
  });

  it('keep at most so many ends, and count what that costs', () => {
    const { under, send } = start({ maxDatagramConnections: 100 });
    for (let port = 1; port <= 1_000; port++)
      send(10, question(NAME), { tuple: tuple(`10.0.0.1:${port}`, '10.0.0.2:53') });
    expect(under.datagrams.size).toBe(100);
    expect(under.datagrams.index.size).toBe(100);
    expect(under.counters).toMatchObject({ evicted: 900, losses: { requests: 900 } });
  });

  it('are no connections, and leave those of TCP with the same ports alone', () => {
    const { under, send } = start();
    send(10, question(NAME));
    expect([...under.connections]).toEqual([]);
    expect([...under.callers()]).toHaveLength(1);
    expect(under.index.find(1, CLIENT)).toBeUndefined();
    under.reset();
    expect([...under.callers()]).toEqual([]);
  });

  it('are counted and left alone while payload is not looked at', () => {
    const { under, calls, send, receive } = start();
    send(10, question(NAME));
    under.shed();
    receive(11, answer(NAME));
    under.tick(6_000);
    expect(calls).toEqual([]);
    expect(under.counters).toMatchObject({ dataEvents: 2, shedEvents: 1 });
  });
});
