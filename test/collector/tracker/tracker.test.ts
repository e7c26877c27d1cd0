import { describe, expect, it } from 'vitest';
import type { TcpTotals } from '../../../collector/frames/types.ts';
import type { Call } from '../../../collector/tracker/calls.ts';
import type { Connection } from '../../../collector/tracker/connection.ts';
import type { TrackerOptions } from '../../../collector/tracker/tracker.ts';
import { Tracker } from '../../../collector/tracker/tracker.ts';
import { conn, data, TOTALS, tuple } from '../frames-of.ts';

interface Seen extends Call {
  readonly id: number;
  readonly role: string;
}

function tracker(options: TrackerOptions = {}): { tracker: Tracker; calls: Seen[] } {
  const calls: Seen[] = [];
  const made = new Tracker(
    {
      onCall: (connection: Connection, call) => void calls.push({ ...call, id: connection.id, role: connection.role }),
      onOpened: () => {},
      onFailed: () => {},
      onClosed: () => {},
      onTraffic: () => {},
    },
    options,
  );
  return { tracker: made, calls };
}

const GET = 'GET /a HTTP/1.1\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const TUPLE = tuple('10.0.0.1:40000', '10.0.0.2:80');

describe('tracker', () => {
  it('notices bytes it did not see by their sequence numbers, and goes on at the next head', () => {
    const { tracker: under, calls } = tracker();
    const ask = (n: number, at: number) =>
      under.data(data({ connId: 1, direction: 'send', enterMs: at, streamSeq: 100 + n * GET.length }, GET));
    const answer = (n: number, at: number) =>
      under.data(data({ connId: 1, direction: 'recv', enterMs: at, streamSeq: 500 + n * OK.length }, OK));
    ask(0, 10);
    answer(0, 20);
    ask(1, 30);
    // The second answer was lost.
    ask(2, 50);
    answer(2, 60);
    // The fourth request was lost.
    answer(3, 80);
    ask(4, 90);
    answer(4, 100);
    expect(calls.map(({ status, startMs, endMs }) => [status, startMs, endMs])).toEqual([
      ['200', 10, 20],
      ['200', 50, 60],
      ['200', 90, 100],
    ]);
    expect(under.counters.losses).toMatchObject({ requests: 1, responses: 1 });
  });

  it.each(['client', 'server'] as const)('fails no call of a %s whose answer no event told of', (role) => {
    const ends = (said: number, more: Partial<TcpTotals> = {}) => {
      const { tracker: under, calls } = tracker();
      under.conn(conn({ connId: 1, kind: 'opened', atMs: 1, tuple: TUPLE, role }));
      const asks = role === 'client' ? 'send' : 'recv';
      under.data(data({ connId: 1, direction: asks, enterMs: 10, streamSeq: 100, role }, GET));
      const totals = { ...TOTALS, [role === 'client' ? 'bytesReceived' : 'bytesSent']: said, ...more };
      under.conn(conn({ connId: 1, kind: 'closed', atMs: 50, tuple: TUPLE, role, totals }));
      under.tick(1_000);
      return [calls.map(({ errorType }) => errorType), under.counters.losses.requests];
    };
    expect(ends(OK.length)).toEqual([[], 1]);
    expect(ends(0)).toEqual([['connection_closed'], 0]);
    // It was there, and nobody read it.
    if (role === 'client') expect(ends(OK.length, { unreadBytes: OK.length })).toEqual([['connection_closed'], 0]);
  });

  it('wraps sequence numbers', () => {
    const { tracker: under, calls } = tracker();
    const start = 2 ** 32 - 5;
    under.data(data({ connId: 1, direction: 'send', enterMs: 1, streamSeq: start }, GET));
    under.data(data({ connId: 1, direction: 'recv', enterMs: 2, streamSeq: 2 ** 32 - OK.length }, OK));
    under.data(data({ connId: 1, direction: 'send', enterMs: 3, streamSeq: GET.length - 5 }, GET));
    under.data(data({ connId: 1, direction: 'recv', enterMs: 4, streamSeq: 0 }, OK));
    expect(calls).toHaveLength(2);
    expect(under.counters.losses.requests).toBe(0);
  });

  it('ignores an event that comes twice or overtaken', () => {
    const { tracker: under, calls } = tracker();
    const ask = data({ connId: 1, direction: 'send', enterMs: 1, streamSeq: 100 }, GET);
    under.data(ask);
    under.data(ask);
    under.data(data({ connId: 1, direction: 'recv', enterMs: 2, streamSeq: 1 }, OK));
    expect(calls).toHaveLength(1);
  });

  it('holds bytes while the protocol is not known', () => {
    const { tracker: under, calls } = tracker();
    under.data(data({ connId: 1, direction: 'send', enterMs: 1, streamSeq: 1, protocol: 'undetermined' }, 'GE'));
    under.data(data({ connId: 1, direction: 'send', enterMs: 2, streamSeq: 3 }, GET.slice(2)));
    under.data(data({ connId: 1, direction: 'recv', enterMs: 5, streamSeq: 1 }, OK));
    expect(calls).toMatchObject([{ operation: 'GET /a', startMs: 1, endMs: 5 }]);
  });

  it('times what is sent by the call’s begin and what is received by its end', () => {
    const { tracker: under, calls } = tracker();
    under.data(data({ connId: 1, direction: 'send', enterMs: 10, exitMs: 12, streamSeq: 1 }, GET));
    under.data(data({ connId: 1, direction: 'recv', enterMs: 12, exitMs: 20, streamSeq: 1 }, OK));
    expect(calls[0]).toMatchObject({ startMs: 10, endMs: 20 });
  });

  it.each([
    ['its process closed first', { leftMs: 70 }, 'timeout', 70],
    [
      'so it did, and what the server sent later was answered by a reset',
      { leftMs: 70, reason: 'reset' },
      'timeout',
      70,
    ],
    ['the server closed first', {}, 'connection_closed', 110],
    ['a reset came first', { reason: 'reset' }, 'connection_reset', 110],
  ] as const)('says how a call without an answer ended: %s', (_name, how, errorType, endMs) => {
    const { tracker: under, calls } = tracker();
    under.data(data({ connId: 1, direction: 'send', enterMs: 10, streamSeq: 1 }, GET));
    under.conn(conn({ connId: 1, kind: 'closed', atMs: 110, tuple: TUPLE, ...how }));
    under.tick(60_000);
    expect(calls).toMatchObject([{ status: 'none', errorType, failed: true, startMs: 10, endMs }]);
  });

  it('reports a request without an answer once its time is over', () => {
    const { tracker: under, calls } = tracker({ requestTimeoutMs: 1000 });
    under.data(data({ connId: 1, direction: 'send', enterMs: 10, streamSeq: 1 }, GET));
    under.tick(1_000);
    expect(calls).toEqual([]);
    under.tick(1_011);
    under.tick(1_500);
    expect(calls).toMatchObject([{ status: 'none', errorType: 'timeout', failed: true, startMs: 10, endMs: 1_011 }]);
    under.conn(conn({ connId: 1, kind: 'closed', atMs: 1_600, tuple: TUPLE }));
    under.tick(5_000);
    expect(calls).toHaveLength(1);
  });

  it('takes a response that goes on for longer than that for what its head says, once', () => {
    const { tracker: under, calls } = tracker({ requestTimeoutMs: 1000 });
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n';
    under.data(data({ connId: 1, direction: 'send', enterMs: 10, streamSeq: 1 }, GET));
    under.data(data({ connId: 1, direction: 'recv', enterMs: 20, streamSeq: 1 }, head));
    under.tick(1_011);
    expect(calls).toMatchObject([{ status: '200', failed: false, errorType: undefined, startMs: 10, endMs: 1_011 }]);
    under.data(data({ connId: 1, direction: 'recv', enterMs: 2_000, streamSeq: 1 + head.length }, 'x'.repeat(100_000)));
    under.tick(2_500);
    expect(calls).toHaveLength(1);
  });

  it('tells what has no answer yet, and for how long; not what is being answered or waits by its nature', () => {
    const { tracker: under, calls } = tracker({ requestTimeoutMs: 5_000 });
    const found = (beforeMs: number): [string, number][] => {
      const seen: [string, number][] = [];
      for (const { layer7 } of under.connections)
        layer7?.forEachUnanswered(beforeMs, (name, at) => seen.push([name, at]));
      return seen;
    };
    const BLPOP = '*3\r\n$5\r\nBLPOP\r\n$1\r\nq\r\n$1\r\n0\r\n';
    under.data(data({ connId: 1, direction: 'send', enterMs: 10, streamSeq: 1 }, GET));
    under.data(data({ connId: 2, direction: 'recv', enterMs: 15, exitMs: 20, streamSeq: 1, role: 'server' }, GET));
    under.data(data({ connId: 3, direction: 'send', enterMs: 30, streamSeq: 1 }, GET));
    under.data(data({ connId: 3, direction: 'recv', enterMs: 40, streamSeq: 1 }, OK.slice(0, -1)));
    under.data(data({ connId: 4, direction: 'send', enterMs: 50, streamSeq: 1, protocol: 'redis' }, BLPOP));
    under.data(data({ connId: 5, direction: 'send', enterMs: 60, streamSeq: 1 }, GET));
    expect(found(50)).toEqual([
      ['GET /a', 10],
      ['GET /a', 20],
    ]);
    under.tick(9_000);
    expect(calls.map(({ id, errorType }) => [id, errorType])).toEqual([
      [1, 'timeout'],
      [2, 'timeout'],
      [3, undefined],
      [5, 'timeout'],
    ]);
    expect(found(9_000)).toEqual([]);
  });

  it('tells no call that waits for work, however it ends, unless with an error', () => {
    const { tracker: under, calls } = tracker({});
    const command = (...words: string[]): string =>
      `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
    const asked = (connId: number, request: string, answer: string): void => {
      under.data(data({ connId, direction: 'send', enterMs: 10, streamSeq: 1, protocol: 'redis' }, request));
      under.data(data({ connId, direction: 'recv', enterMs: 20, exitMs: 4_000, streamSeq: 1 }, answer));
    };
    asked(1, command('BRPOP', 'jobs', '5'), '*-1\r\n');
    asked(2, command('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '1', 'BLOCK', '5000', 'STREAMS', 's', '>'), '*-1\r\n');
    asked(3, command('xread', 'block', '0', 'STREAMS', 's', '$'), '_\r\n');
    asked(4, command('XREAD', 'COUNT', '2', 'STREAMS', 's', '0'), '*-1\r\n');
    asked(5, command('BLPOP', 'jobs', '0'), '-WRONGTYPE no list\r\n');
    under.data(
      data({ connId: 6, direction: 'send', enterMs: 10, streamSeq: 1, protocol: 'redis' }, command('BLPOP', 'q', '0')),
    );
    under.conn(conn({ connId: 6, kind: 'closed', atMs: 5_000, tuple: TUPLE }));
    expect(calls.map(({ id, operation, errorType }) => [id, operation, errorType])).toEqual([
      [4, 'XREAD', undefined],
      [5, 'BLPOP', 'WRONGTYPE'],
    ]);
  });

  it('stays bounded and counts what it forgets', () => {
    const { tracker: under } = tracker({ maxConnections: 100 });
    for (let id = 1; id <= 1000; id++) {
      under.conn(conn({ connId: id, kind: 'opened', atMs: id, tuple: tuple(`10.0.0.1:${id}`, '10.0.0.2:80') }));
      under.data(data({ connId: id, direction: 'send', enterMs: id, streamSeq: 1 }, GET.slice(0, 9)));
    }
    expect([...under.connections]).toHaveLength(100);
    expect(under.counters.evicted).toBe(900);
    expect(under.index.size).toBe(100);
  });

  it('forgets idle and closed connections', () => {
    const { tracker: under } = tracker({ idleEvictionMs: 10_000 });
    under.conn(conn({ connId: 1, kind: 'opened', atMs: 1, tuple: TUPLE }));
    under.conn(conn({ connId: 2, kind: 'opened', atMs: 1, tuple: tuple('10.0.0.1:40001', '10.0.0.2:80') }));
    under.conn(conn({ connId: 2, kind: 'closed', atMs: 2, tuple: tuple('10.0.0.1:40001', '10.0.0.2:80') }));
    under.tick(1_000);
    expect([...under.connections].map((connection) => connection.id)).toEqual([1]);
    under.tick(20_000);
    expect([...under.connections]).toEqual([]);
    expect(under.index.size).toBe(0);
  });

  it('forgets connections that nothing but data told of', () => {
    const { tracker: under, calls } = tracker();
    const ask = (connId: number, atMs: number) =>
      under.data(data({ connId, direction: 'send', enterMs: atMs, streamSeq: 0, protocol: 'undetermined' }, 'ping\n'));
    under.conn(conn({ connId: 1, kind: 'opened', atMs: 1, tuple: TUPLE }));
    ask(1, 2);
    // Of a Unix socket: never told, and so never ended.
    for (let id = 2; id < 1_000; id++) ask(id, 10);
    ask(1_000, 10_000);
    under.tick(35_000);
    expect([...under.connections].map(({ id }) => id)).toEqual([1, 1_000]);
    expect(under.counters).toMatchObject({ connections: 2, evicted: 0 });
    // One that turns out to be a service's is told in time.
    under.conn(conn({ connId: 1_000, kind: 'opened', atMs: 10_001, tuple: tuple('10.0.0.1:40001', '10.0.0.2:80') }));
    under.tick(100_000);
    expect([...under.connections].map(({ id }) => id)).toEqual([1, 1_000]);
    expect(calls).toEqual([]);
  });

  it('keeps ended connections a moment, and no more of them than a bound', () => {
    const { tracker: under } = tracker();
    const open = (id: number, atMs: number) => {
      const where = tuple(`10.0.${id >> 14}.1:${1024 + (id % 16_384)}`, '10.0.0.2:80');
      under.conn(conn({ connId: id, kind: 'opened', atMs, tuple: where }));
      under.conn(conn({ connId: id, kind: 'closed', atMs: atMs + 1, tuple: where }));
    };
    let most = 0;
    for (let id = 0; id < 120_000; id++) {
      open(id, id);
      if (id % 250 !== 0) continue;
      under.tick(id);
      most = Math.max(most, under.index.size);
    }
    // One per millisecond: those of the last 3 s, and of the time between two ticks.
    expect(most).toBeGreaterThan(2_900);
    expect(most).toBeLessThan(3_600);
    // All at once: the bound.
    for (let id = 120_000; id < 200_000; id++) open(id, 120_000);
    under.tick(121_000);
    expect(under.index.size).toBe(50_000);
    under.tick(124_000);
    expect([under.index.size, [...under.connections].length, [...under.index.ended()].length]).toEqual([0, 0, 0]);
  });

  it('sheds payload, and starts anew when it may look again', () => {
    const { tracker: under, calls } = tracker();
    under.data(data({ connId: 1, direction: 'send', enterMs: 1, streamSeq: 1 }, GET));
    under.shed();
    under.data(data({ connId: 1, direction: 'recv', enterMs: 2, streamSeq: 1 }, OK));
    under.shedding = false;
    under.data(data({ connId: 1, direction: 'send', enterMs: 3, streamSeq: 500 }, GET));
    under.data(data({ connId: 1, direction: 'recv', enterMs: 4, streamSeq: 900 }, OK));
    expect(calls).toMatchObject([{ startMs: 3, endMs: 4 }]);
  });

  it('leaves the connections of an earlier run of the loader', () => {
    const { tracker: under, calls } = tracker();
    under.data(data({ connId: 1, direction: 'send', enterMs: 1, streamSeq: 1 }, GET));
    under.reset();
    under.tick(100_000);
    expect([...under.connections]).toEqual([]);
    expect(calls).toEqual([]);
  });
});
