/** Facts of an instance that was not there before: its siblings' before, for as many requests, stands in for its own. */
import { describe, expect, it } from 'vitest';
import { factsOf } from '../../src/classify/index.ts';
import { instance, service } from '../../src/model/entity.ts';
import type { FactValue } from '../../src/model/verdict.ts';
import type { CallSpec } from './fixtures.ts';
import { call, comparison, pair, resource, suspect, walk } from './fixtures.ts';

const into = (calleeInstance: string, before: CallSpec['before'], now: CallSpec['now']) =>
  call({ caller: 'gateway', callee: 'orders', side: 'server', calleeInstance, before, now });

function factsOfNew(
  nowErrors: number,
  nowUs: number,
  more: readonly ReturnType<typeof call>[] = [],
): (name: string) => FactValue {
  const world = comparison({
    calls: [
      into('orders-1', [100, 1, 10_000], [50, 0.5, 10_000]),
      into('orders-2', [100, 1, 10_000], [50, 0.5, 10_000]),
      into('orders-v2-1', [0, 0, 0], [100, nowErrors, nowUs]),
      ...more,
    ],
    resources: [
      resource('instance', 'orders-1', 'orders', [pair('cpuUsedUs', 200_000, 100_000)]),
      resource('instance', 'orders-2', 'orders', [pair('cpuUsedUs', 200_000, 100_000)]),
      resource('instance', 'orders-v2-1', 'orders', [pair('cpuUsedUs', Number.NaN, 600_000, { baselineWindows: 0 })]),
    ],
    instances: { orders: ['orders-1', 'orders-2', 'orders-v2-1'] },
  });
  const who = { ...suspect(instance('orders-v2-1'), 'self', 1), service: 'orders' };
  const { sheet } = factsOf(world, walk([who]), who);
  return (name) => sheet.get(name)?.value ?? null;
}

describe('an instance that is new', () => {
  it('is held against its siblings: errors, duration, CPU for each request', () => {
    const facts = factsOfNew(21, 30_000);
    expect(facts('service.error_ratio_delta')).toBeCloseTo(0.2, 9);
    expect(facts('service.latency_ratio')).toBeCloseTo(3, 9);
    expect(facts('service.cpu_per_request_ratio')).toBeCloseTo(3, 9);
  });

  it('is held against what siblings computed, also where these replaced others before', () => {
    const half = { baselineWindows: 30 };
    const cpu = (name: string, of: string, ...[before, now, more]: readonly [number, number, object?]) =>
      resource('instance', name, of, [pair('cpuUsedUs', before, now, more)]);
    const world = comparison({
      calls: [
        into('orders-a', [50, 0, 10_000], [0, 0, 0]),
        into('orders-b', [50, 0, 10_000], [90, 0, 10_000]),
        into('orders-v2-1', [0, 0, 0], [10, 0, 30_000]),
      ],
      resources: [
        cpu('orders-a', 'orders', 200_000, Number.NaN, { ...half, currentWindows: 0 }),
        cpu('orders-b', 'orders', 200_000, 180_000, half),
        cpu('orders-v2-1', 'orders', Number.NaN, 60_000, { baselineWindows: 0 }),
        cpu('gateway-1', 'gateway', 100_000, 100_000),
      ],
      instances: { orders: ['orders-a', 'orders-b', 'orders-v2-1'], gateway: ['gateway-1'] },
    });
    const of = (entity: ReturnType<typeof instance>) => {
      const who = { ...suspect(entity, 'self', 1), service: 'orders' };
      return factsOf(world, walk([who]), who).sheet.get('service.cpu_per_request_ratio')?.value;
    };
    // 200 ms a window for 100 requests before, one instance after the other; 60 ms for 10, and 240 ms for 100.
    expect(of(instance('orders-v2-1'))).toBeCloseTo(3, 9);
    expect(of(service('orders'))).toBeCloseTo(1.2, 9);
  });

  it('is known to be new, though it has a before now', () => {
    expect(factsOfNew(0, 10_000)('service.new_instances_share')).toBe(1);
  });

  it('how many more requests than before it gets is unknown, not none', () => {
    const facts = factsOfNew(0, 10_000);
    for (const name of ['service.traffic_ratio', 'service.traffic_rise_per_s', 'edge.calls_ratio'])
      expect(facts(name), name).toBeNull();
  });

  it('nor is that of one that came in the middle of the baseline', () => {
    const rate = (baselineWindows: number) => {
      const world = comparison({
        calls: [into('orders-1', [50, 0, 10_000], [100, 0, 30_000])],
        resources: [
          resource('instance', 'orders-1', 'orders', [pair('cpuUsedUs', 100_000, 100_000, { baselineWindows })]),
          resource('instance', 'gateway-1', 'gateway', [pair('cpuUsedUs', 100_000, 100_000)]),
        ],
      });
      const who = { ...suspect(instance('orders-1'), 'self', 1), service: 'orders' };
      return factsOf(world, walk([who]), who).sheet.get('service.traffic_ratio')?.value;
    };
    expect(rate(30)).toBeNull();
    expect(rate(60)).toBeCloseTo(2, 9);
  });

  it('calls for each request what its siblings did, or more', () => {
    const out = (callerInstance: string, before: number, now: number) => ({
      ...call({ caller: 'orders', callee: 'stock', before: [before, 0, 1_000], now: [now, 0, 1_000] }),
      callerInstance,
    });
    const facts = factsOfNew(0, 10_000, [
      out('orders-1', 200, 100),
      out('orders-2', 200, 100),
      out('orders-v2-1', 0, 1_000),
    ]);
    expect(facts('out.calls_per_request_ratio')).toBeCloseTo(5, 9);
  });
});
