/** Facts: the published table equals the catalogue; unknown stays null; numbers by hand. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { factDefinition, factNames } from '../../src/classify/fact-catalogue.ts';
import { tableOf, writesOrLocks } from '../../src/classify/facts-database.ts';
import { FACT_PATTERNS, FACTS, factsOf } from '../../src/classify/index.ts';
import type { CallLeaf } from '../../src/model/comparison.ts';
import { edge, machine, service } from '../../src/model/entity.ts';
import type { FactValue } from '../../src/model/verdict.ts';
import type { Suspect } from '../../src/model/walk.ts';
import type { World } from './fixtures.ts';
import {
  BASELINE_WINDOWS,
  CURRENT_WINDOWS,
  call,
  comparison,
  healthyTcp,
  pair,
  resource,
  START,
  suspect,
  tcp,
  toOrders,
  walk,
} from './fixtures.ts';

function facts(world: World, who: Suspect): (name: string) => FactValue {
  const { sheet } = factsOf(comparison(world), walk([who]), who);
  return (name) => sheet.get(name)?.value ?? null;
}

describe('the catalogue', () => {
  it('is printed in docs/rules.md, fact by fact, with type and meaning', () => {
    const page = readFileSync(fileURLToPath(new URL('../../docs/rules.md', import.meta.url)), 'utf8');
    const rows = new Map(
      [...page.matchAll(/^\| `([^`]+)` \| (\w+)[^|]* \| (.*) \|$/gm)].map((m) => [m[1], [m[2], m[3]]]),
    );
    for (const { name, type, text } of FACTS) {
      expect(rows.get(name)?.[0], name).toBe(type);
      expect(rows.get(name)?.[1], name).toContain(text);
    }
    for (const { prefix, suffixName } of FACT_PATTERNS) expect(rows.has(`${prefix}<${suffixName}>`)).toBe(true);
    const listed = [...rows.keys()].filter((name) => name?.includes('.'));
    expect(listed).toHaveLength(FACTS.length + FACT_PATTERNS.length);
  });

  it('has unique names and finds every one of them', () => {
    expect(new Set(factNames()).size).toBe(factNames().length);
    for (const name of factNames()) expect(factDefinition(name), name).toBeDefined();
    expect(factDefinition('edge.drops_rise_per_s.lower_case')).toBeUndefined();
    expect(factDefinition('change.count.nothing')).toBeUndefined();
  });
});

describe('calls in flight', () => {
  const hung = (caller: string, side: 'client' | 'server', perWindow: number) =>
    call({
      ...{ caller, callee: 'db', side, status: 'active', before: [0, 0, 0] },
      now: [perWindow, side === 'client' ? perWindow : 0, 9e6],
    });
  const ended = (caller: string, side: 'client' | 'server') =>
    call({ caller, callee: 'db', side, before: [10, 0, 1_000], now: [1, 0, 1_000] });
  const who = suspect(service('db'), 'self', 0.9);

  it('are read as far as both ends of them are seen: others hold none of those that wait', () => {
    const seen = [ended('orders', 'client'), ended('orders', 'server'), hung('orders', 'client', 4)];
    expect(facts({ calls: seen }, who)('edge.read_share')).toBe(0);
    // Users, whose own side nobody sees.
    const users = [ended('external', 'server'), hung('external', 'server', 8)];
    expect(facts({ calls: [...seen, ...users] }, who)('edge.read_share')).toBe(0);
    // A copy of a name whose called end nobody sees.
    const elsewhere = [ended('batch', 'client'), hung('batch', 'client', 12)];
    const read = [...seen, hung('orders', 'server', 4)];
    expect(facts({ calls: [...read, ...elsewhere] }, who)('edge.read_share')).toBe(1);
    expect(facts({ calls: [...users, ...elsewhere] }, who)('edge.read_share')).toBeNull();
  });

  it('have not succeeded, whoever sees them', () => {
    const users = [ended('external', 'server'), hung('external', 'server', 8)];
    expect(facts({ calls: users }, who)('edge.success_ratio')).toBeCloseTo(0.1, 9);
  });
});

describe('calls whose durations nobody tells', () => {
  const unknown = (leaf: CallLeaf): CallLeaf => ({
    ...leaf,
    baseline: { ...leaf.baseline, durationSumUs: Number.NaN, durationSquareUs2: Number.NaN },
    current: { ...leaf.current, durationSumUs: Number.NaN, durationSquareUs2: Number.NaN },
  });

  it('are in no mean: it is that of the others', () => {
    const ends = { caller: 'orders', callee: 'db', protocol: 'mysql', operation: 'SELECT a FROM t' } as const;
    const calls = (['client', 'server'] as const).flatMap((side) => [
      call({ ...ends, side, before: [100, 0, 1_000], now: [100, 0, 3_000] }),
      // Failed calls, of which there were none before.
      unknown(call({ ...ends, side, status: 'none', errorType: 'timeout', before: [0, 0, 0], now: [300, 300, 0] })),
    ]);
    const of = facts({ calls }, suspect(service('db'), 'self', 0.9));
    for (const name of ['service.latency_ratio', 'db.latency_ratio', 'edge.client_latency_ratio'])
      expect(of(name), name).toBeCloseTo(3, 9);
    expect(of('edge.server_latency_ratio')).toBeCloseTo(3, 9);
    expect(of('db.statements_slowed')).toBe(1);
    const caller = facts({ calls }, suspect(service('orders'), 'self', 0.9));
    expect(caller('out.callee_latency_ratio')).toBeCloseTo(3, 9);
  });
});

describe('with no data at all', () => {
  it.each(['edge', 'service', 'instance', 'machine'] as const)(
    'a suspect %s has no number that pretends to be known',
    (kind) => {
      const entity = kind === 'edge' ? edge('a', 'b') : { kind, name: 'a' };
      const who = suspect(entity, 'unexplained', Number.NaN);
      const empty = { ...comparison({ instances: {}, health: { collectors: [], eventsReceived: 0 } }) };
      const { sheet } = factsOf(empty, { ...walk([]), ledgers: [] }, who);
      const known = [...sheet].filter(([, { value }]) => typeof value === 'number').map(([name]) => name);
      expect(known.sort()).toEqual([
        'suspect.onset_before_symptom_s',
        'telemetry.coverage_ratio',
        'telemetry.silent_collectors',
      ]);
    },
  );
});

describe('numbers by hand', () => {
  const lossy = tcp('gateway', 'orders', 'client', healthyTcp([pair('retransmits', 1, 50, { baselineSpread: 2 })]));

  it('retransmits: ratio over both directions, rise over all windows in deviations of both sums', () => {
    const server = tcp('gateway', 'orders', 'server', [
      pair('segmentsOut', 1_000, 1_000),
      pair('retransmits', 1, 10, { baselineSpread: 2 }),
    ]);
    const get = facts({ tcp: [lossy, server] }, suspect(toOrders, 'network', 0.9));
    expect(get('edge.retransmit_ratio')).toBeCloseTo(60 / 2_000, 9);
    expect(get('edge.retransmit_ratio_delta')).toBeCloseTo(58 / 2_000, 9);
    // 60 and 2 a window; the baseline scatters four times as much as Poisson: 8 instead of 2.
    const [now, before] = [60 * CURRENT_WINDOWS + 3 / 8, 2 * BASELINE_WINDOWS + 3 / 8];
    // Six windows against sixty that tell what is usual.
    const sigma = (2 * (Math.sqrt(now) - Math.sqrt(0.1 * before))) / Math.sqrt(4 * 1.1);
    expect(get('edge.retransmits_rise_sigma')).toBeCloseTo(sigma, 9);
  });

  it('what was sent again needlessly: what receivers had already, of the rise; none where no kernel gives reasons', () => {
    const receiver = tcp('gateway', 'orders', 'server', [pair('drops.TCP_OLD_DATA', 0, 40)]);
    const get = facts({ tcp: [lossy, receiver] }, suspect(toOrders, 'network', 0.9));
    expect(get('edge.spurious_retransmit_ratio')).toBeCloseTo(40 / 49, 9);
    expect(facts({ tcp: [lossy] }, suspect(toOrders, 'network', 0.9))('edge.spurious_retransmit_ratio')).toBe(0);
    const silent = facts({ tcp: [tcp('gateway', 'orders', 'client', [])] }, suspect(toOrders, 'network', 0.9));
    expect(silent('edge.spurious_retransmit_ratio')).toBe(null);
  });

  it('the share of its CPU that an instance no longer uses; unknown of one that never used any', () => {
    const of = (before: number, now: number): FactValue => {
      const used = resource('instance', 'orders-1', 'orders', [pair('cpuUsedUs', before, now)]);
      return facts({ resources: [used] }, suspect(service('orders'), 'self', 0.9))('instance.cpu_drop_ratio');
    };
    expect(of(500_000, 50_000)).toBeCloseTo(0.9, 9);
    expect(of(500_000, 600_000)).toBe(0);
    expect(of(1_000, 0)).toBe(null);
  });

  it('what it calls more often: whose calls cost most, not of whom there are most', () => {
    const calls = [
      call({ caller: 'gateway', callee: 'orders', side: 'server', before: [100, 0, 9_000], now: [100, 0, 60_000] }),
      call({ caller: 'orders', callee: 'db', before: [100, 0, 300], now: [640, 0, 300] }),
      call({ caller: 'orders', callee: 'cart', before: [70, 0, 6_000], now: [600, 0, 6_000] }),
      call({ caller: 'orders', callee: 'stock', before: [70, 0, 9_000], now: [610, 0, 9_000] }),
    ];
    const cost = (callee: string, share: number): Suspect => suspect(edge('orders', callee), 'calls', share);
    const more = (...drawn: readonly Suspect[]) => {
      const who = suspect(service('orders'), 'calls', 0.8);
      const { sheet } = factsOf(comparison({ calls }), { ...walk(drawn), suspects: [who] }, who);
      return ['out.more_called', 'out.calls_per_request_ratio'].map((name) => sheet.get(name)?.value);
    };
    expect(more(cost('stock', 0.5), cost('cart', 0.4), cost('db', 0.1))).toEqual([
      'stock, cart',
      expect.closeTo(8.714, 3),
    ]);
    // No ledger has them: the callee of which there are most.
    expect(more(suspect(service('orders'), 'self', 0.8))).toEqual(['db', expect.closeTo(6.4, 9)]);
  });

  it('OOM kills of an instance: what its counter or the kernel says, whichever saw more; not a sibling’s', () => {
    const of = (perWindow: number, ...killed: readonly string[]): FactValue => {
      const resources = [resource('instance', 'orders-1', 'orders', [pair('oomKills', 0, perWindow)])];
      const changes = killed.map((entity, i) => ({
        atMs: START + 1_000 * i,
        change: 'oom_kill' as const,
        entityKind: 'instance' as const,
        entity,
        service: 'orders',
      }));
      return facts({ resources, changes }, suspect(service('orders'), 'self', 0.9))('instance.oom_kills');
    };
    expect(of(1 / CURRENT_WINDOWS, 'orders-1', 'orders-1')).toBe(2);
    expect(of(3 / CURRENT_WINDOWS, 'orders-1')).toBeCloseTo(3, 9);
    expect(of(1 / CURRENT_WINDOWS, 'orders-2', 'orders-2')).toBeCloseTo(1, 9);
  });

  it('a CPU quota that was cut: to what share, though it was given back before the end', () => {
    const of = (now: number, ...steps: readonly (readonly [from: string, to: string])[]): FactValue => {
      const resources = [resource('instance', 'orders-1', 'orders', [pair('cpuLimitUs', 5_000_000, now)])];
      const changes = steps.map(([from, to], i) => ({
        atMs: START + 1_000 * i,
        change: 'limit_changed' as const,
        entityKind: 'instance' as const,
        entity: 'orders-1',
        detail: { limit: 'cpuLimit', from, to },
      }));
      return facts({ resources, changes }, suspect(service('orders'), 'self', 0.9))('instance.cpu_limit_ratio');
    };
    expect(of(2_500_000, ['1', '0.05'], ['0.05', '1'])).toBeCloseTo(0.05, 9);
    expect(of(2_500_000)).toBeCloseTo(0.5, 9);
    expect(of(10_000_000, ['1', '2'])).toBeCloseTo(2, 9);
    expect(of(5_000_000, ['none', '1'])).toBeCloseTo(1, 9);
  });

  it('calls that succeed: against what the callers are asked themselves, when that became less', () => {
    const ratio = (asked: number, made: number): FactValue => {
      const calls = [
        call({ caller: 'web', callee: 'gateway', side: 'server', before: [100, 0, 9_000], now: [asked, 0, 9_000] }),
        call({ caller: 'gateway', callee: 'orders', before: [50, 0, 5_000], now: [made, 0, 5_000] }),
      ];
      return facts({ calls }, suspect(toOrders, 'network', 0.9))('edge.success_ratio');
    };
    expect(ratio(100, 5)).toBeCloseTo(0.1, 9);
    expect(ratio(10, 5)).toBeCloseTo(1, 9);
    expect(ratio(300, 50)).toBeCloseTo(1, 9);
    expect(ratio(0, 0)).toBe(0);
  });

  it('a drop reason nobody saw is zero when the probe watches, unknown when it does not', () => {
    const watched = facts({ tcp: [lossy] }, suspect(toOrders, 'network', 0.9));
    expect(watched('edge.drops_rise_per_s.NETFILTER_DROP')).toBe(0);
    const blind = facts(
      { tcp: [lossy], probes: [{ name: 'kfree_skb', state: 'missing' }] },
      suspect(toOrders, 'network', 0.9),
    );
    expect(blind('edge.drops_rise_per_s.NETFILTER_DROP')).toBe(null);
    const fallback = [
      { name: 'kfree_skb', state: 'attached' },
      { name: 'tcp_drop', state: 'missing' },
    ] as const;
    expect(
      facts(
        { tcp: [lossy], probes: fallback },
        suspect(toOrders, 'network', 0.9),
      )('edge.drops_rise_per_s.NETFILTER_DROP'),
    ).toBe(0);
  });

  it('connections to a port that carried nothing before are not the edge', () => {
    const stray = {
      ...tcp('gateway', 'orders', 'client', [
        pair('connectFailures.timed_out', Number.NaN, 40, { baselineWindows: 0 }),
      ]),
      calleePort: 9,
    };
    const own = { ...lossy, calleePort: 8080 };
    const get = facts({ tcp: [own, stray] }, suspect(toOrders, 'network', 0.9));
    expect(get('edge.connect_failures_rise_per_s.timed_out')).toBe(0);
    const alone = facts({ tcp: [stray] }, suspect(toOrders, 'network', 0.9));
    expect(alone('edge.connect_failures_rise_per_s.timed_out')).toBe(8);
  });

  it('a callee is slow only when its own side says so', () => {
    const db = (side: 'client' | 'server', now: number) =>
      call({
        caller: 'orders',
        callee: 'db',
        side,
        protocol: 'postgresql',
        operation: 'SELECT ?',
        before: [500, 0, 1_000],
        now: [400, 0, now],
      });
    const who = suspect(service('orders'), 'self', 0.9);
    expect(facts({ calls: [db('client', 90_000), db('server', 1_000)] }, who)('out.callee_latency_ratio')).toBe(1);
    const slow = facts({ calls: [db('client', 90_000), db('server', 80_000)] }, who);
    expect(slow('out.callee_latency_ratio')).toBe(80);
    expect(slow('out.slow_callee')).toBe('db');
  });

  it('network time: the client waits longer than the server takes', () => {
    const calls = [
      call({ caller: 'gateway', callee: 'orders', before: [500, 0, 10_000], now: [500, 0, 80_000] }),
      call({ caller: 'gateway', callee: 'orders', side: 'server', before: [500, 0, 9_000], now: [500, 0, 9_500] }),
    ];
    const get = facts({ calls }, suspect(toOrders, 'network', 0.9));
    expect(get('edge.network_time_rise_us')).toBe(69_500);
    expect(get('edge.client_latency_ratio')).toBe(8);
    expect(get('edge.network_time_of_rise_ratio')).toBeCloseTo(69_500 / 70_000, 9);
    expect(get('edge.network_time_share')).toBeCloseTo(0.9, 9);
    expect(get('service.self_time_share')).toBe(0);
  });

  it('network time of several edges: each by itself, and only where both ends are seen', () => {
    const call500 = (caller: string, side: 'client' | 'server', before: number, now: number, count = 500) =>
      call({ caller, callee: 'orders', side, before: [500, 0, before], now: [count, 0, now] });
    // 900 calls wait 10 ms longer, all in the callee; 100 wait 20 ms longer, all on the way; the third sees one end only.
    const calls = [
      call500('gateway', 'client', 2_000, 12_000, 900),
      call500('gateway', 'server', 1_000, 11_000, 900),
      call500('batch', 'client', 2_000, 22_000, 100),
      call500('batch', 'server', 1_000, 1_000, 100),
      call500('unseen', 'server', 1_000, 90_000),
    ];
    const get = facts({ calls }, suspect(service('orders'), 'self', 0.9));
    expect(get('edge.network_time_rise_us')).toBe(2_000);
    expect(get('edge.network_time_of_rise_ratio')).toBeCloseTo(2 / 11, 9);
    const quick = facts(
      { calls: [call500('gateway', 'client', 9_000, 8_000), call500('gateway', 'server', 8_000, 6_000)] },
      suspect(service('orders'), 'self', 0.9),
    );
    expect(quick('edge.network_time_of_rise_ratio')).toBe(0);
    const oneEnd = facts(
      { calls: [call500('gateway', 'server', 8_000, 16_000)] },
      suspect(service('orders'), 'self', 0.9),
    );
    expect(oneEnd('edge.network_time_of_rise_ratio')).toBeNull();
  });

  it('the worst instance speaks and is named', () => {
    const cpu = (name: string, throttled: number) =>
      resource('instance', name, 'orders', [pair('cpuPeriods', 50, 50), pair('cpuThrottledPeriods', 5, throttled)]);
    const who = suspect(service('orders'), 'self', 0.9);
    const { sheet } = factsOf(comparison({ resources: [cpu('orders-1', 5), cpu('orders-2', 30)] }), walk([who]), who);
    expect(sheet.get('instance.cpu_throttled_ratio')).toMatchObject({ value: 0.6, witness: 'orders-2' });
    expect(sheet.get('instance.cpu_throttled_ratio_delta')?.value).toBeCloseTo(0.5, 9);
  });

  it('machines: share of all cores, a neighbour by its rise', () => {
    const resources = [
      resource('machine', 'm1', undefined, [pair('cpuUsedUs', 2_000_000, 9_500_000), pair('cpuCount', 2, 2)]),
      resource('instance', 'orders-1', 'orders', [pair('cpuUsedUs', 100_000, 100_000)]),
      resource('instance', 'batch-1', 'batch', [pair('cpuUsedUs', 0, 7_500_000)]),
    ];
    const get = facts({ resources }, suspect(service('orders'), 'self', 0.9));
    expect(get('machine.cpu_used_ratio')).toBeCloseTo(0.95, 9);
    expect(get('machine.neighbour_cpu_rise_cores')).toBeCloseTo(1.5, 9);
    expect(get('machine.neighbour_traffic_ratio')).toBe(null);
    const asked = call({ caller: 'web', callee: 'batch', side: 'server', before: [10, 0, 1], now: [30, 0, 1] });
    const calls = [{ ...asked, calleeInstance: 'batch-1' }];
    const busy = facts({ resources, calls }, suspect(service('orders'), 'self', 0.9));
    expect(busy('machine.neighbour_traffic_ratio')).toBeCloseTo(3, 9);
    expect(facts({ resources }, suspect(machine('m1'), 'self', 0.9))('machine.cpu_used_ratio')).toBeCloseTo(0.95, 9);
    // Of a machine as a suspect, what does not suffer is a neighbour.
    const shared = { ...suspect(machine('m1'), 'self', 0.9), instances: ['orders-1'] };
    expect(facts({ resources }, shared)('machine.neighbour_cpu_rise_cores')).toBeCloseTo(1.5, 9);
    expect(facts({ resources }, shared)('instance.cpu_rise_cores')).toBeCloseTo(0, 9);
  });

  it('changes count from two minutes before the symptom; an older one is no cause', () => {
    const exit = (atMs: number) =>
      ({ atMs, change: 'process_exit', entityKind: 'instance', entity: 'orders-1', service: 'orders' }) as const;
    const who = suspect(service('orders'), 'self', 0.9);
    expect(facts({ changes: [exit(START - 30_000)] }, who)('change.before_symptom_s.process_exit')).toBe(30);
    expect(facts({ changes: [exit(START - 600_000)] }, who)('change.count.process_exit')).toBe(0);
    // Who does not tell how it ended tells of no crash, and of no stop either.
    const crashes = (...changes: World['changes'] & object): FactValue => facts({ changes }, who)('change.crashes');
    expect(crashes(exit(START))).toBeNull();
    expect(crashes({ ...exit(START), exitCode: 0 }, { ...exit(START), signal: 15 })).toBe(0);
    expect(crashes(exit(START), { ...exit(START), signal: 11 })).toBe(1);
    expect(
      facts({ changes: [{ ...exit(START), entity: 'web-1', service: 'web' }] }, who)('change.count.process_exit'),
    ).toBe(0);
  });
});

describe('statements', () => {
  it.each([
    ['SELECT * FROM orders o JOIN users u ON u.id = o.user_id', 'orders', false],
    ['INSERT INTO shop.orders (a) VALUES (?)', 'shop.orders', true],
    ['UPDATE "Stock" SET n = n - ?', 'stock', true],
    ['DELETE FROM `carts` WHERE id = ?', 'carts', true],
    ['SELECT n FROM stock WHERE id = ? FOR UPDATE', 'stock', true],
    ['select n from stock for no key update', 'stock', true],
    ['LOCK TABLE orders IN EXCLUSIVE MODE', 'orders', true],
    ['TRUNCATE logs', 'logs', true],
    ['BEGIN', null, false],
    ['SELECT pg_sleep(?)', null, false],
    ['GET', null, false],
    ['select extract(year from created_at), count(*) from orders group by ?', 'orders', false],
    [
      'select trim(both ? from name), substring(sku from ? for ?) from items where a is distinct from b',
      'items',
      false,
    ],
    ['select id from accounts where id = ? lock in share mode', 'accounts', true],
    [
      'with due as (select id from jobs limit ?) update jobs set state = ? where id in (select id from due)',
      'jobs',
      true,
    ],
    ['with due as (select id from jobs) select * from due', 'jobs', false],
  ])('%s', (text, table, locks) => {
    expect(tableOf(text)).toBe(table);
    expect(writesOrLocks(text)).toBe(locks);
  });
});
