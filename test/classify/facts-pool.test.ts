/** Facts of connection pools, by hand: which callee is meant, how much is left, how even the failures are. */
import { describe, expect, it } from 'vitest';
import { factsOf } from '../../src/classify/index.ts';
import type { CallLeaf } from '../../src/model/comparison.ts';
import { service } from '../../src/model/entity.ts';
import type { FactValue } from '../../src/model/verdict.ts';
import type { World } from './fixtures.ts';
import { call, comparison, pair, suspect, tcp, walk } from './fixtures.ts';

const WHO = suspect(service('orders'), 'self', 0.9);

function pool(world: World): (name: string) => FactValue {
  const { sheet } = factsOf(comparison(world), walk([WHO]), WHO);
  return (name) => sheet.get(name)?.value ?? null;
}

/** Calls per window before and now, of so many milliseconds now. */
function calls(callee: string, before: number, now: number, nowMs = 1): CallLeaf {
  return call({ caller: 'orders', callee, before: [before, 0, 1_000], now: [now, 0, nowMs * 1_000] });
}

function connections(callee: string, open: readonly [number, number], sent: readonly [number, number], connects = 0) {
  const metrics = [pair('activeConnections', ...open), pair('connects', connects, connects), pair('bytesOut', ...sent)];
  return tcp('orders', callee, 'client', metrics);
}

const failed = (meanMs: number, operation = 'GET /') =>
  call({
    ...{ caller: 'api', callee: 'orders', side: 'server', status: '503', errorType: '503', operation },
    ...{ before: [0, 0, 0], now: [10, 10, meanMs * 1_000] },
  });

describe('pools', () => {
  it('connections that stay open while hardly a call goes over them', () => {
    const fact = pool({
      tcp: [connections('db', [6, 6], [30_000, 300]), connections('cache', [4, 4], [9_000, 8_000])],
      calls: [calls('db', 300, 3), calls('cache', 100, 90)],
    });
    expect(fact('out.pool_callee')).toBe('db');
    expect(fact('out.pool_connections_ratio')).toBe(1);
    expect(fact('out.pool_bytes_ratio')).toBeCloseTo(0.01, 9);
    expect(fact('out.unread_callees')).toBe(0);
  });

  it('as many calls over a sixth of the connections: busy is time with a call, of all connections', () => {
    const fact = pool({ tcp: [connections('db', [12, 2], [60_000, 60_000])], calls: [calls('db', 600, 600, 5)] });
    expect(fact('out.pool_connections_ratio')).toBeCloseTo(1 / 6, 9);
    expect(fact('out.pool_bytes_ratio')).toBe(1);
    // 600 calls of 5 ms are 3 s of the 2 x 5 s that two connections have in a window.
    expect(fact('out.pool_busy_ratio')).toBeCloseTo(0.3, 9);
  });

  it('the rush when the wait is over is no sign that there was none', () => {
    // 100 a window, and 24,100 in the last of six.
    const sent = pair('bytesOut', 30_000, 4_100, { currentMax: 24_100 });
    const fact = pool({
      tcp: [tcp('orders', 'db', 'client', [pair('activeConnections', 6, 6), pair('connects', 0, 0), sent])],
      calls: [calls('db', 300, 290)],
    });
    expect(fact('out.pool_bytes_ratio')).toBeCloseTo(100 / 30_000, 9);
  });

  it('counts callees whose calls nobody reads and that got quiet, but not those that send as ever, or never did', () => {
    const unread = (callee: string, before: number, now: number) =>
      tcp('orders', callee, 'client', [pair('bytesOut', 500, 500), pair('bytesIn', before, now)]);
    const count = (...tls: ReturnType<typeof unread>[]) =>
      pool({ tcp: [connections('db', [6, 6], [30_000, 300]), ...tls], calls: [calls('db', 300, 3)] })(
        'out.unread_callees',
      );
    expect(count(unread('payments', 5_000, 100), unread('kafka', 9_000, 8_000), unread('old', 0, 0))).toBe(1);
    expect(count()).toBe(0);
  });

  it('connections for each call are no pool, and connections nobody counts are unknown', () => {
    const each = pool({ tcp: [connections('db', [2, 1], [20_000, 2_000], 100)], calls: [calls('db', 200, 20)] });
    expect(each('out.pool_callee')).toBeNull();
    const uncounted = pool({ tcp: [tcp('orders', 'db', 'client', [])], calls: [calls('db', 200, 20)] });
    expect(uncounted('out.pool_connections_ratio')).toBeNull();
  });

  it('answers that all fail after three seconds vary little, those after one to five much; a few say nothing', () => {
    const variation = (...all: CallLeaf[]) => pool({ calls: all })('service.failed_duration_variation_ratio');
    expect(variation(failed(3_000), failed(3_010, 'POST /'))).toBeCloseTo(5 / 3_005, 6);
    expect(variation(failed(1_000), failed(5_000, 'POST /'))).toBeCloseTo(2 / 3, 6);
    const few = { ...failed(3_000), current: { ...failed(3_000).current, count: 2, errors: 2 } };
    expect(variation(few)).toBeNull();
    expect(variation(calls('db', 10, 10))).toBeNull();
  });
});
