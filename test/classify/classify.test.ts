/** Lab faults drawn as comparisons, classified by the shipped rules. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { classify, createRuleSet, factsOf } from '../../src/classify/index.ts';
import { edge, instance, service } from '../../src/model/entity.ts';
import type { Verdict } from '../../src/model/verdict.ts';
import type { Suspect } from '../../src/model/walk.ts';
import type { World } from './fixtures.ts';
import {
  anomaly,
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

const rules = createRuleSet(fileURLToPath(new URL('../../rules', import.meta.url)));

async function verdict(world: World, who: Suspect, kind: 'latency' | 'errors' = 'latency'): Promise<Verdict> {
  const verdicts = await classify(comparison(world), walk([who], kind), rules);
  expect(verdicts).toHaveLength(1);
  return verdicts[0]!;
}

const slowEdge = [
  call({ caller: 'gateway', callee: 'orders', before: [500, 0, 10_000], now: [480, 2, 80_000] }),
  call({ caller: 'gateway', callee: 'orders', side: 'server', before: [500, 0, 9_000], now: [480, 0, 9_000] }),
];

describe('packet loss', () => {
  const lossy = tcp(
    'gateway',
    'orders',
    'client',
    healthyTcp([pair('retransmits', 0.2, 45), pair('drops.NETFILTER_DROP', 0, 30)]),
  );

  it('is named on the edge, with its evidence and what was excluded', async () => {
    const v = await verdict({ calls: slowEdge, tcp: [lossy] }, suspect(toOrders, 'network', 0.9));
    expect(v.faultClass).toBe('packet_loss');
    expect(v.title).toBe('Packets are lost between gateway and orders');
    expect(v.confidence).toBeGreaterThan(0.9);
    expect(v.evidence.map((e) => e.text)).toContain('rise of the retransmit ratio: 4.48 % (> 0.2 %)');
    expect(v.excluded.map((e) => e.faultClass)).toEqual(
      expect.arrayContaining(['connection_filtered', 'connection_refused', 'network_latency']),
    );
    expect(v.onsetMs).toBe(START);
  });

  it('needs no drop reason', async () => {
    const probes = [{ name: 'tp_btf/inet_sock_set_state', state: 'attached' as const }];
    const quiet = tcp('gateway', 'orders', 'client', healthyTcp([pair('retransmits', 0.2, 45)]));
    const v = await verdict({ calls: slowEdge, tcp: [quiet], probes }, suspect(toOrders, 'network', 0.9));
    expect(v.faultClass).toBe('packet_loss');
    expect(v.missing).toContain('edge.drops_rise_per_s');
  });

  it('is not said when retransmits are unknown: unknown, with what is missing', async () => {
    const blind = tcp('gateway', 'orders', 'client', [pair('segmentsOut', 1_000, 1_000)]);
    const v = await verdict({ calls: slowEdge, tcp: [blind], probes: [] }, suspect(toOrders, 'network', 0.9));
    expect(v.faultClass).toBe('unknown');
    expect(v.confidence).toBe(0);
    expect(v.missing).toContain('edge.retransmits_rise_sigma');
    expect(v.undecided?.map((u) => u.faultClass)).toContain('packet_loss');
    expect(v.undecided?.find((u) => u.faultClass === 'packet_loss')?.reason).toMatch(
      /^not known: .*rise of the retransmit ratio, rise of retransmits/,
    );
  });

  it('of one end names it before its callers; a machine is its own host', async () => {
    const onMachine = { ...lossy, calleeMachine: 'm1' };
    const one = await verdict(
      { calls: slowEdge, tcp: [onMachine] },
      suspect({ kind: 'machine', name: 'm1' }, 'network', 0.9),
    );
    expect(one.title).toBe('Packets are lost between m1 and its callers');
    expect(one.checks).toContain('The path: mtr --tcp from the host of a caller to m1');
    const way = await verdict({ calls: slowEdge, tcp: [lossy] }, suspect(toOrders, 'network', 0.9));
    expect(way.title).toBe('Packets are lost between gateway and orders');
    expect(way.checks).toContain('The path: mtr --tcp from the host of gateway to the host of orders');
  });

  it('that starts a minute after the symptom cannot be its cause', async () => {
    const late = tcp(
      'gateway',
      'orders',
      'client',
      healthyTcp([pair('retransmits', 0.2, 45, { onsetMs: START + 60_000 })]),
    );
    const v = await verdict({ calls: slowEdge, tcp: [late] }, suspect(toOrders, 'network', 0.9));
    expect(v.faultClass).not.toBe('packet_loss');
    expect(v.excluded.find((e) => e.faultClass === 'packet_loss')?.reason).toBe(
      'its evidence starts 60 s after the symptom',
    );
  });

  it('is not late for what was busy before, where only the way to a service shows that it is slow', async () => {
    const at = tcp('gateway', 'orders', 'client', healthyTcp([pair('retransmits', 0.2, 45, { onsetMs: START })]));
    const busy = anomaly(
      { kind: 'instance', name: 'gateway-1' },
      'cpu_used_cores',
      'resource_rise',
      0.1,
      0.3,
      START - 120_000,
    );
    const slow = anomaly(toOrders, 'duration_mean_us', 'latency_rise', 10_000, 80_000);
    const who = suspect(toOrders, 'network', 0.9);
    const v = await verdict({ calls: slowEdge, tcp: [at], anomalies: [busy, slow] }, who);
    expect(v.faultClass).toBe('packet_loss');
    // Nor where another service alone is slow; with nothing but the resource, that is when it began.
    const other = anomaly({ kind: 'service', name: 'db' }, 'duration_mean_us', 'latency_rise', 10_000, 80_000);
    expect((await verdict({ calls: slowEdge, tcp: [at], anomalies: [busy, other] }, who)).faultClass).toBe(
      'packet_loss',
    );
    expect((await verdict({ calls: slowEdge, tcp: [at], anomalies: [busy] }, who)).faultClass).not.toBe('packet_loss');
  });

  it('is not late for requests that were more before: these are no symptom of who got slow', async () => {
    const at = tcp('gateway', 'orders', 'client', healthyTcp([pair('retransmits', 0.2, 45, { onsetMs: START })]));
    const gateway = { kind: 'service', name: 'gateway' } as const;
    const more = anomaly(gateway, 'request_rate_per_s', 'traffic_rise', 10, 18, START - 120_000);
    const who = suspect(toOrders, 'network', 0.9);
    for (const entity of [gateway, toOrders]) {
      const slow = anomaly(entity, 'duration_mean_us', 'latency_rise', 10_000, 80_000);
      const v = await verdict({ calls: slowEdge, tcp: [at], anomalies: [more, slow] }, who);
      expect(v.faultClass).toBe('packet_loss');
    }
  });
});

describe('connections', () => {
  const dead = [
    call({ caller: 'gateway', callee: 'orders', before: [500, 0, 10_000], now: [0, 0, 0] }),
    call({
      caller: 'gateway',
      callee: 'orders',
      status: 'none',
      errorType: 'timeout',
      before: [0, 0, 0],
      now: [60, 60, 1_000_000],
    }),
  ];

  it('that time out behind total drops are filtered', async () => {
    const filtered = tcp(
      'gateway',
      'orders',
      'client',
      healthyTcp([
        pair('connects', 10, 0),
        pair('retransmits', 0.2, 30),
        pair('connectFailures.timed_out', 0, 12),
        pair('drops.NETFILTER_DROP', 0, 80),
      ]),
    );
    const v = await verdict({ calls: dead, tcp: [filtered] }, suspect(service('orders'), 'originated', 0.9), 'errors');
    expect(v.faultClass).toBe('connection_filtered');
    expect(v.excluded.find((e) => e.faultClass === 'packet_loss')?.reason).toMatch(/^nothing gets through at all/);
  });

  const refused = tcp(
    'gateway',
    'orders',
    'client',
    healthyTcp([pair('connects', 10, 0), pair('connectFailures.refused', 0, 90)]),
  );
  const exit = {
    atMs: START - 1_000,
    change: 'process_exit',
    entityKind: 'instance',
    entity: 'orders-1',
    service: 'orders',
    signal: 9,
  } as const;

  it('to a killed process are refused, and the process is blamed', async () => {
    const v = await verdict(
      { calls: dead, tcp: [refused], changes: [exit] },
      suspect(toOrders, 'originated', 0.9),
      'errors',
    );
    expect(v.ruleId).toBe('connection-refused-after-exit');
    expect(v.faultClass).toBe('connection_refused');
    expect(v.blames).toEqual(service('orders'));
    expect(v.title).toBe('The process of orders is gone; connections to it are refused');
  });

  it('refused without a known exit are still refused', async () => {
    const v = await verdict({ calls: dead, tcp: [refused] }, suspect(service('orders'), 'originated', 0.9), 'errors');
    expect(v.ruleId).toBe('connection-refused');
  });

  it('refused behind a gateway that answers 502 are not its own errors', async () => {
    const gateway = [
      call({ caller: 'client', callee: 'gateway', side: 'server', before: [500, 0, 10_000], now: [300, 0, 10_000] }),
      call({
        caller: 'client',
        callee: 'gateway',
        side: 'server',
        status: '502',
        errorType: '502',
        before: [0, 0, 0],
        now: [200, 200, 900],
      }),
    ];
    const v = await verdict(
      { calls: [...gateway, ...dead], tcp: [refused] },
      suspect(service('gateway'), 'originated', 0.9),
      'errors',
    );
    expect(v.faultClass).toBe('connection_refused');
    expect(v.blames).toEqual(service('orders'));
    expect(v.excluded.find((e) => e.faultClass === 'application_errors')?.reason).toMatch(
      /^its own calls cannot connect/,
    );
  });
});

describe('resources', () => {
  const slow = [
    call({ caller: 'gateway', callee: 'orders', side: 'server', before: [500, 0, 9_000], now: [480, 0, 90_000] }),
  ];
  const cpu = (throttled: number): ReturnType<typeof pair>[] => [
    pair('cpuPeriods', 50, 50),
    pair('cpuThrottledPeriods', 0, throttled),
    pair('cpuThrottledUs', 0, throttled * 60_000),
    pair('cpuUsedUs', 1_000_000, 480_000),
    pair('cpuLimitUs', 500_000, 500_000),
  ];

  it('a throttled instance is blamed by name, its sibling is not', async () => {
    const resources = [
      resource('instance', 'orders-1', 'orders', cpu(0)),
      resource('instance', 'orders-2', 'orders', cpu(45)),
    ];
    const v = await verdict({ calls: slow, resources }, suspect(service('orders'), 'self', 0.9));
    expect(v.faultClass).toBe('cpu_throttling');
    expect(v.blames).toEqual(instance('orders-2'));
    expect(v.title).toBe('orders-2 is throttled by its CPU quota');
    expect(v.excluded.find((e) => e.faultClass === 'slow_code')?.reason).toMatch(/^its CPU quota stops it/);
  });

  it("a quota that stops most of the instances is the service's, not that of the first of them", async () => {
    const resources = [45, 40, 0].map((periods, i) => resource('instance', `orders-${i}`, 'orders', cpu(periods)));
    const v = await verdict({ calls: slow, resources }, suspect(service('orders'), 'self', 0.9));
    expect(v.faultClass).toBe('cpu_throttling');
    expect(v.blames).toBeUndefined();
    expect(v.title).toBe('orders is throttled by its CPU quota');
  });

  it('of several ways to support only those that do are told', async () => {
    const cut = cpu(45).map((m) => (m.metric === 'cpuLimitUs' ? pair('cpuLimitUs', 20_000_000, 10_000_000) : m));
    const v = await verdict(
      { calls: slow, resources: [resource('instance', 'orders-1', 'orders', cut)] },
      suspect(service('orders'), 'self', 0.9),
    );
    const told = v.evidence.filter(({ role }) => role === 'supports').map(({ fact }) => fact);
    expect(told).toContain('instance.cpu_limit_ratio');
    expect(told).not.toContain('instance.cpu_used_of_limit');
  });

  it('waiting for a throttled callee shows on the edge: the callee is blamed', async () => {
    const resources = [resource('instance', 'db-1', 'db', cpu(45))];
    const calls = [call({ caller: 'orders', callee: 'db', before: [500, 0, 900], now: [480, 0, 9_000] })];
    const v = await verdict({ calls, resources }, suspect(edge('orders', 'db'), 'network', 0.9));
    expect(v.faultClass).toBe('cpu_throttling');
    expect(v.blames).toEqual(service('db'));
  });

  it('own time without any resource data is slow code with little confidence and a list of what is missing', async () => {
    const v = await verdict({ calls: slow }, suspect(service('orders'), 'self', 0.9));
    expect(v.faultClass).toBe('slow_code');
    expect(v.confidence).toBeLessThan(0.4);
    expect(v.missing).toEqual(expect.arrayContaining(['instance.cpu_throttled_ratio_delta']));
  });

  it('own time with healthy resources is slow code', async () => {
    const resources = [
      resource(
        'instance',
        'orders-1',
        'orders',
        cpu(0).map((m) => (m.metric === 'cpuUsedUs' ? pair('cpuUsedUs', 400_000, 1_900_000) : m)),
      ),
    ];
    const v = await verdict(
      { calls: slow, resources, tcp: [tcp('orders', 'db', 'client', healthyTcp())] },
      suspect(service('orders'), 'self', 0.9),
    );
    expect(v.faultClass).toBe('slow_code');
    expect(v.confidence).toBeGreaterThan(0.6);
  });

  it('an OOM kill outranks the refusals it causes', async () => {
    const changes = [
      { atMs: START - 500, change: 'oom_kill', entityKind: 'instance', entity: 'orders-1', service: 'orders' } as const,
    ];
    const gone = tcp('gateway', 'orders', 'client', healthyTcp([pair('connectFailures.refused', 0, 90)]));
    const v = await verdict(
      { calls: slow, changes, tcp: [gone] },
      suspect(service('orders'), 'originated', 0.9),
      'errors',
    );
    expect(v.faultClass).toBe('oom_kill');
    expect(v.excluded.find((e) => e.faultClass === 'connection_refused')?.reason).toMatch(/oom_kill outranks it/);
  });
});

describe('databases', () => {
  const statement = (
    operation: string,
    before: readonly [number, number, number],
    now: readonly [number, number, number],
  ): ReturnType<typeof call> =>
    call({
      caller: 'orders',
      callee: 'db',
      side: 'server',
      protocol: 'postgresql',
      operation,
      status: 'OK',
      before,
      now,
    });
  const dbCpu = (now: number): ReturnType<typeof resource>[] => [
    resource('instance', 'db-1', 'db', [pair('cpuUsedUs', 500_000, now)]),
  ];
  const well = [tcp('orders', 'db', 'client', healthyTcp())];

  it('a lock: several statements of one table wait, CPU flat', async () => {
    const calls = [
      statement('UPDATE stock SET quantity = quantity - ? WHERE id = ?', [50, 0, 1_000], [40, 0, 900_000]),
      statement('SELECT quantity FROM stock WHERE id = ? FOR UPDATE', [50, 0, 800], [40, 0, 800_000]),
      statement('SELECT * FROM products WHERE id = ?', [400, 0, 700], [400, 0, 720]),
    ];
    const v = await verdict({ calls, tcp: well, resources: dbCpu(450_000) }, suspect(service('db'), 'self', 0.95));
    expect(v.faultClass).toBe('database_lock');
    expect(v.title).toBe('Statements on stock in db wait for a lock');
    expect(v.confidence).toBeGreaterThan(0.8);
  });

  it('a slow statement: one fingerprint, the database works', async () => {
    const calls = [
      statement('SELECT * FROM products WHERE name LIKE ?', [50, 0, 2_000], [45, 0, 400_000]),
      statement('SELECT * FROM products WHERE id = ?', [400, 0, 700], [400, 0, 900]),
      statement('INSERT INTO orders VALUES (?)', [50, 0, 900], [50, 0, 1_000]),
    ];
    const v = await verdict(
      { calls, tcp: well, resources: dbCpu(2_400_000) },
      suspect(edge('orders', 'db'), 'network', 0.95),
    );
    expect(v.faultClass).toBe('slow_database');
    expect(v.blames).toEqual(service('db'));
    expect(v.summary).toContain('SELECT * FROM products WHERE name LIKE ?');
    expect(v.excluded.find((e) => e.faultClass === 'database_lock')?.reason).toMatch(/got slow: 0 \(needs > 0\)/);
    // One number is told once, however many thresholds it passes, and a name of ours in words.
    const told = v.evidence.map(({ fact, operator }) => `${fact} ${operator}`);
    expect(told).toEqual([...new Set(told)]);
    expect(told).toContain('db.self_time_share greaterThan');
  });

  it('are not judged when the callee is none', async () => {
    const facts = factsOf(
      comparison({ calls: slowEdge }),
      walk([suspect(toOrders, 'network', 0.9)]),
      suspect(toOrders, 'network', 0.9),
    );
    expect(facts.sheet.get('db.is_database')?.value).toBe(false);
    expect(facts.sheet.get('db.latency_ratio')?.value).toBe(null);
  });

  it('are not judged when hardly any of its calls come in a protocol of databases', () => {
    const stray = {
      ...call({ caller: 'web', callee: 'orders', side: 'client', before: [5, 0, 300], now: [5, 0, 300] }),
      protocol: 'redis',
    };
    const facts = factsOf(
      comparison({ calls: [...slowEdge, stray] }),
      walk([suspect(service('orders'), 'self', 0.9)]),
      suspect(service('orders'), 'self', 0.9),
    );
    expect(facts.sheet.get('db.is_database')?.value).toBe(false);
  });
});

describe('application errors', () => {
  it('of one route of one instance, with no erring callee', async () => {
    const calls = [
      call({
        caller: 'gateway',
        callee: 'orders',
        side: 'server',
        calleeInstance: 'orders-1',
        operation: 'POST /orders',
        before: [250, 0, 9_000],
        now: [100, 0, 9_000],
      }),
      call({
        caller: 'gateway',
        callee: 'orders',
        side: 'server',
        calleeInstance: 'orders-1',
        operation: 'POST /orders',
        status: '500',
        errorType: '500',
        before: [0, 0, 0],
        now: [150, 150, 1_000],
      }),
      call({
        caller: 'gateway',
        callee: 'orders',
        side: 'server',
        calleeInstance: 'orders-2',
        operation: 'POST /orders',
        before: [250, 0, 9_000],
        now: [250, 0, 9_000],
      }),
      call({
        caller: 'orders',
        callee: 'db',
        protocol: 'postgresql',
        operation: 'SELECT ?',
        before: [500, 0, 500],
        now: [500, 0, 500],
      }),
    ];
    const v = await verdict(
      { calls, tcp: [tcp('gateway', 'orders', 'client', healthyTcp()), tcp('orders', 'db', 'client', healthyTcp())] },
      suspect(instance('orders-1'), 'originated', 0.98, { service: 'orders', instances: ['orders-1'] }),
      'errors',
    );
    expect(v.faultClass).toBe('application_errors');

    expect(v.confidence).toBeGreaterThan(0.85);
    expect(v.checks?.[0]).toContain('POST /orders');
  });
});

describe('every verdict', () => {
  it('is the same for any order of rows', async () => {
    const world: World = {
      calls: slowEdge,
      tcp: [
        tcp('gateway', 'orders', 'client', healthyTcp([pair('retransmits', 0.2, 45)])),
        tcp('gateway', 'orders', 'server', healthyTcp()),
      ],
      resources: [
        resource('instance', 'orders-1', 'orders', [pair('cpuUsedUs', 5, 6)]),
        resource('instance', 'orders-2', 'orders', [pair('cpuUsedUs', 5, 6)]),
      ],
      anomalies: [
        anomaly(service('gateway'), 'duration_mean_us', 'latency_rise', 1, 9),
        anomaly(service('orders'), 'duration_mean_us', 'latency_rise', 1, 9),
      ],
    };
    const reversed: World = {
      calls: [...slowEdge].reverse(),
      tcp: [...world.tcp!].reverse(),
      resources: [...world.resources!].reverse(),
      anomalies: [...world.anomalies!].reverse(),
    };
    const who = suspect(toOrders, 'network', 0.9);
    expect(JSON.stringify(await verdict(reversed, who))).toBe(JSON.stringify(await verdict(world, who)));
  });

  it('loses confidence with lost events', async () => {
    const lossy = [tcp('gateway', 'orders', 'client', healthyTcp([pair('retransmits', 0.2, 45)]))];
    const who = suspect(toOrders, 'network', 0.9);
    const whole = await verdict({ calls: slowEdge, tcp: lossy }, who);
    const holes = await verdict(
      { calls: slowEdge, tcp: lossy, health: { lost: { events: 40_000 }, eventsReceived: 60_000 } },
      who,
    );
    expect(holes.faultClass).toBe('packet_loss');
    expect(holes.confidence).toBeCloseTo(whole.confidence * 0.6, 2);
  });
});
