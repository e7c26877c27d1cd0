import { describe, expect, it } from 'vitest';
import type { DetectConfig } from '../../src/detect/index.ts';
import { createDetector } from '../../src/detect/index.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { IncidentEvent } from '../../src/model/incident.ts';
import type { AnyBatch } from '../../src/model/records.ts';
import type { ClosedWindow } from '../../src/model/window.ts';
import { createRandom } from '../../src/stats/random.ts';
import type { ShopOptions } from '../ingest/shop.ts';
import { SHOP, shop, T0, WINDOW_MS } from '../ingest/shop.ts';

const at = (window: number): number => T0 + window * WINDOW_MS;

function windowsOf(batches: readonly AnyBatch[]): ClosedWindow[] {
  const ingest = createIngest();
  return [...batches.flatMap((batch) => ingest.push(batch).closed), ...ingest.flush()];
}

function run(options: ShopOptions, config: Partial<DetectConfig> = {}) {
  const detector = createDetector(config);
  const seen = new Map<string, { first: number; entity: string }>();
  const events: IncidentEvent[] = [];
  for (const window of windowsOf(shop(options))) {
    events.push(...detector.step(window));
    for (const anomaly of detector.anomalies()) {
      const key = `${anomaly.entity.name} ${anomaly.metric} ${anomaly.symptom}`;
      if (!seen.has(key)) seen.set(key, { first: (window.startMs - T0) / WINDOW_MS, entity: anomaly.entity.name });
    }
  }
  const of = (kind: string) => events.filter((event) => event.kind === kind);
  return { detector, events, opened: of('opened'), resolved: of('resolved'), seen };
}

const FAULT = 24;

describe('healthy systems', () => {
  it.each([1, 2, 3, 4, 5])('an hour of steady traffic opens nothing (seed %d)', (seed) => {
    const { opened, seen } = run({ windows: 720, seed });
    expect(opened).toEqual([]);
    expect([...seen.keys()]).toEqual([]);
  });

  it('a load ramp x2 over a minute and back, with durations growing by queueing, opens nothing', () => {
    const ramp = Array.from({ length: 60 }, (_, k) => {
      const load = k < 12 ? 1 + k / 12 : k < 48 ? 2 : 2 - (k - 48) / 12;
      return { fromMs: at(FAULT + k), toMs: at(FAULT + k + 1), load, slower: load ** 1.2 };
    });
    const { opened, seen } = run({ windows: 120, effects: ramp });
    expect(opened).toEqual([]);
    expect([...seen.keys()].some((key) => key.includes('traffic_rise'))).toBe(true);
  });

  it('a slow decline of all traffic to a third opens nothing', () => {
    const decline = Array.from({ length: 60 }, (_, k) => ({
      fromMs: at(FAULT + k),
      toMs: at(FAULT + k + 1),
      load: Math.max(0.33, 1 - k / 30),
    }));
    expect(run({ windows: 90, effects: decline }).opened).toEqual([]);
  });

  it('a restart that makes one instance slow for 20 s opens nothing; the same slowness without it would show', () => {
    const effects = [{ instance: 'product-2', fromMs: at(FAULT), toMs: at(FAULT + 3), slower: 6 }];
    const changes = [
      {
        atMs: at(FAULT),
        change: 'process_start',
        entityKind: 'instance',
        entity: 'product-2',
        service: 'product',
      } as const,
    ];
    const quiet = run({ windows: 40, effects, changes });
    expect([...quiet.seen.keys()].filter((key) => key.startsWith('product-2'))).toEqual([]);
    const loud = run({ windows: 40, effects });
    expect([...loud.seen.keys()]).toContain('product-2 duration_mean_us latency_rise');
  });

  it('one error of three requests is nothing', () => {
    const edges = [{ caller: 'a', callee: 'b', rps: 0.6, meanUs: 10_000, networkUs: 100 }];
    const effects = [{ fromMs: at(30), toMs: at(32), errorRatio: 0.34 }];
    expect(run({ windows: 60, edges, effects }).opened).toEqual([]);
  });
});

describe('faults', () => {
  it.each([
    ['latency', { callee: 'cart', slower: 4 }, 'cart duration_mean_us latency_rise'],
    ['errors', { callee: 'product', instance: 'product-1', errorRatio: 0.3 }, 'product error_ratio error_rise'],
    ['traffic drop', { callee: 'redis', load: 0.02 }, 'redis request_rate_per_s traffic_drop'],
    ['slow statement', { callee: 'db', slower: 20 }, 'db duration_p99_us latency_rise'],
  ] as const)('%s: one incident, within four windows, with the onset right', (_name, effect, expected) => {
    const { opened, events, seen } = run({
      windows: 60,
      effects: [{ ...effect, fromMs: at(FAULT), toMs: at(FAULT + 18) }],
    });
    expect(opened).toHaveLength(1);
    const { incident, atMs } = opened[0]!;
    expect((atMs - at(FAULT)) / WINDOW_MS).toBeLessThanOrEqual(3);
    expect(incident.startMs).toBe(at(FAULT));
    expect([...seen.keys()]).toContain(expected);
    expect(events.filter((event) => event.kind === 'resolved')).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({ kind: 'resolved', incident: { id: incident.id, state: 'resolved' } });
    const resolvedAfter = (events.at(-1)!.atMs - at(FAULT + 18)) / WINDOW_MS;
    expect(resolvedAfter).toBeGreaterThanOrEqual(6);
    expect(resolvedAfter).toBeLessThanOrEqual(16);
  });

  it('packet loss: retransmits join the latency they cause, one incident', () => {
    const effect = { caller: 'gateway', callee: 'cart', fromMs: at(FAULT), toMs: at(FAULT + 18) };
    const { opened, detector, seen } = run({
      windows: 42,
      effects: [
        { ...effect, networkUs: 60_000, retransmitRatio: 0.08 },
        { ...effect, caller: 'loadgen', callee: 'gateway', slower: 3 },
      ],
    });
    expect(opened).toHaveLength(1);
    const names = detector.incidents()[0]!.anomalies.map((a) => `${a.entity.name} ${a.metric}`);
    expect(names).toContain('gateway -> cart retransmit_ratio');
    expect(names).toContain('gateway -> cart network_time_us');
    expect([...seen.keys()].filter((key) => key.includes('retransmit'))).toEqual([
      'gateway -> cart retransmit_ratio retransmit_rise',
    ]);
  });

  it('what a caller absorbs opens only by lasting two minutes', () => {
    const absorbed = { caller: 'gateway', callee: 'cart', fromMs: at(FAULT), networkUs: 60_000 };
    const brief = run({ windows: 60, effects: [{ ...absorbed, toMs: at(FAULT + 18) }] });
    expect(brief.opened).toEqual([]);
    expect([...brief.seen.keys()]).toContain('gateway -> cart duration_mean_us latency_rise');
    const lasting = run({ windows: 80, effects: [{ ...absorbed, toMs: at(80) }] });
    expect(lasting.opened).toHaveLength(1);
    expect(lasting.opened[0]!.atMs - at(FAULT)).toBeGreaterThanOrEqual(24 * WINDOW_MS);
  });

  it('retransmits nobody feels open nothing but are seen', () => {
    const { opened, seen } = run({
      windows: 42,
      effects: [{ caller: 'product', callee: 'db', fromMs: at(FAULT), toMs: at(42), retransmitRatio: 0.05 }],
    });
    expect(opened).toEqual([]);
    expect([...seen.keys()]).toEqual(['product -> db retransmit_ratio retransmit_rise']);
  });

  it('two faults in unconnected parts are two incidents; connected ones are one', () => {
    const other = [
      { caller: 'cron', callee: 'billing', rps: 40, meanUs: 8_000, networkUs: 200 },
      { caller: 'billing', callee: 'ledger', rps: 40, meanUs: 3_000, networkUs: 200 },
    ];
    const both = { fromMs: at(FAULT), toMs: at(FAULT + 12) };
    const effects = [
      { ...both, callee: 'cart', slower: 5 },
      { ...both, callee: 'ledger', errorRatio: 0.4 },
    ];
    expect(run({ windows: 50, edges: [...SHOP, ...other], effects }).opened).toHaveLength(2);
    const connected = [
      { ...both, callee: 'db', slower: 20 },
      { ...both, callee: 'product', slower: 5, fromMs: at(FAULT + 3) },
      { ...both, callee: 'gateway', slower: 4, fromMs: at(FAULT + 5) },
    ];
    const { opened, events } = run({ windows: 50, effects: connected });
    expect(opened).toHaveLength(1);
    expect(events.filter((event) => event.kind === 'updated').length).toBeGreaterThan(0);
  });

  it('a flapping fault is one incident with one id', () => {
    const effects = [0, 1, 2, 3].map((k) => ({
      callee: 'cart',
      slower: 6,
      fromMs: at(FAULT + k * 10),
      toMs: at(FAULT + k * 10 + 5),
    }));
    const { events, opened } = run({ windows: 90, effects });
    expect(opened).toHaveLength(1);
    expect(new Set(events.map((event) => event.incident.id)).size).toBe(1);
    expect(events.at(-1)!.kind).toBe('resolved');
  });

  it('opened again, it has what came back and since when; what was before is no baseline', () => {
    const flare = (callee: string, from: number) =>
      [callee, 'gateway'].map((slow) => ({
        callee: slow,
        slower: 6,
        fromMs: at(FAULT + from),
        toMs: at(FAULT + from + 6),
      }));
    const { events, detector } = run({ windows: 90, effects: [...flare('cart', 0), ...flare('product', 18)] });
    expect(new Set(events.map(({ incident }) => incident.id)).size).toBe(1);
    expect(events.map(({ kind }) => kind).filter((kind) => kind === 'resolved')).toHaveLength(2);
    const { incident } = events.at(-1)!;
    expect(incident.startMs).toBe(at(FAULT));
    expect(incident.again?.startMs).toBe(at(FAULT + 18));
    expect(Math.min(...incident.anomalies.map(({ onsetMs }) => onsetMs))).toBe(at(FAULT + 18));
    expect(incident.anomalies.map(({ entity }) => entity.name)).not.toContain('cart');
    const [before, ...more] = detector.unhealthySpans(incident.environment, incident.id);
    expect(before).toEqual({ fromMs: at(FAULT), toMs: events.find(({ kind }) => kind === 'resolved')!.atMs });
    expect(more).toEqual([]);
    expect(detector.unhealthySpans(incident.environment)).toHaveLength(2);
  });

  it('ends with its last symptom: what begins after it, before it is resolved, is no part of it', () => {
    const fault = { callee: 'cart', slower: 6, fromMs: at(FAULT), toMs: at(FAULT + 12) };
    const after = { caller: 'gateway', callee: 'cart', fromMs: at(FAULT + 13), toMs: at(FAULT + 40) };
    const { resolved } = run({ windows: 90, effects: [fault, { ...after, retransmitRatio: 0.08 }] });
    expect(resolved).toHaveLength(1);
    const { incident, atMs } = resolved[0]!;
    expect(incident.lastSymptomMs).toBe(at(FAULT + 11));
    expect(atMs).toBeGreaterThan(at(FAULT + 16));
    expect(incident.anomalies.map(({ symptom }) => symptom)).not.toContain('retransmit_rise');
    const during = run({ windows: 90, effects: [fault, { ...after, fromMs: at(FAULT), retransmitRatio: 0.08 }] });
    expect(during.resolved[0]!.incident.anomalies.map(({ symptom }) => symptom)).toContain('retransmit_rise');
  });

  it('a level that stays is accepted after the release time', () => {
    const { events, detector } = run(
      { windows: 140, effects: [{ callee: 'cart', slower: 4, fromMs: at(FAULT), toMs: Infinity }] },
      { releaseWindows: 60 },
    );
    expect(events.map((event) => event.kind).filter((kind) => kind !== 'updated')).toEqual(['opened', 'resolved']);
    expect(detector.anomalies()).toEqual([]);
  });
});

describe('missing data', () => {
  it('a collector that goes silent is not a traffic drop', () => {
    const effects = ['m-cart-1', 'm-redis-1'].map((silentCollector) => ({
      silentCollector,
      fromMs: at(FAULT),
      toMs: at(FAULT + 20),
    }));
    const { opened, seen } = run({ windows: 70, effects });
    expect(opened).toEqual([]);
    expect([...seen.keys()].filter((key) => key.includes('traffic_drop'))).toEqual([]);
  });

  it('a lost partition is not a traffic drop; a service that is really silent is', () => {
    const span = { fromMs: at(FAULT), toMs: at(FAULT + 20) };
    const drops = (effects: ShopOptions['effects'], declares = true): string[] => {
      const { seen, opened } = run({ windows: 70, effects: effects ?? [], declares });
      const names = [...seen.keys()].filter((key) => key.includes('traffic_drop'));
      expect(opened.length > 0).toBe(names.length > 0);
      return names;
    };
    const lost = [{ ...span, lost: ['m-cart-1/call', 'm-redis-1/call'] }];
    expect(drops(lost)).toEqual([]);
    expect(drops([{ ...span, lost: ['m-cart-1/call', 'm-cart-1/health'] }])).toEqual([]);
    expect(drops([{ ...span, callee: 'cart', load: 0 }])).toContain('cart request_rate_per_s traffic_drop');
    // What it would be without the collectors' word.
    expect(drops(lost, false)).toContain('cart request_rate_per_s traffic_drop');
  });

  it('half of the hosts without a collector: the fault is still found, once', () => {
    const effects = [
      ...['m-cart-1', 'm-db-1', 'm-product-2'].map((silentCollector) => ({
        silentCollector,
        fromMs: 0,
        toMs: Infinity,
      })),
      { callee: 'cart', slower: 5, fromMs: at(FAULT), toMs: at(FAULT + 12) },
    ];
    const { opened } = run({ windows: 50, effects });
    expect(opened).toHaveLength(1);
    expect(opened[0]!.incident.anomalies.some((anomaly) => anomaly.entity.name.includes('cart'))).toBe(true);
  });
});

describe('late data', () => {
  const order = (batches: readonly AnyBatch[], collector: string, lateMs: number) =>
    batches
      .map((batch, k) => ({ batch, k, at: batch.windowStartMs + (batch.collector === collector ? lateMs : 0) }))
      .sort((a, b) => a.at - b.at || a.k - b.k)
      .map(({ batch }) => batch);

  it.each([2_000, 8_000, 30_000, 60_000])(
    'one collector %d ms late: nothing when healthy, one incident when not',
    (lateMs) => {
      const effects = [{ callee: 'cart', slower: 5, fromMs: at(30), toMs: at(42) }];
      for (const [options, expected] of [
        [{ windows: 70 }, 0],
        [{ windows: 70, effects }, 1],
      ] as const) {
        const ingest = createIngest();
        const detector = createDetector();
        const opened = order(shop(options), 'm-redis-1', lateMs)
          .flatMap((batch) => ingest.push(batch).closed)
          .flatMap((window) => detector.step(window))
          .filter((event) => event.kind === 'opened');
        expect(opened).toHaveLength(expected);
        expect(detector.anomalies().map((anomaly) => anomaly.symptom)).not.toContain('traffic_drop');
        expect(ingest.counters().lateBatches > 0).toBe(lateMs >= 30_000);
      }
    },
  );
});

describe('clocks that differ', () => {
  /** Traffic by the second, put into windows of five by each collector's own clock; `m-cart-1` is `skewMs` ahead. */
  const skewed = (skewMs: number, effects: ShopOptions['effects']): AnyBatch[] => {
    const sequences = new Map<string, number>();
    return shop({ windows: 70 * 5, windowMs: 1_000, effects: effects ?? [], declares: false }).map((batch) => {
      const own = batch.windowStartMs + (batch.collector === 'm-cart-1' ? skewMs : 0);
      const windowStartMs = Math.floor(own / WINDOW_MS) * WINDOW_MS;
      const key = `${batch.collector}/${batch.type}/${windowStartMs}`;
      const sequence = sequences.get(key) ?? 0;
      sequences.set(key, sequence + 1);
      return { ...batch, windowStartMs, windowMs: WINDOW_MS, sequence } as AnyBatch;
    });
  };

  it.each([-2_000, 2_000])(
    'a collector %d ms off: nothing when healthy, one incident with its onset when not',
    (skewMs) => {
      for (const fault of [false, true]) {
        const effects = fault ? [{ callee: 'cart', slower: 5, fromMs: at(30), toMs: at(42) }] : [];
        const ingest = createIngest();
        const detector = createDetector();
        const opened = [...skewed(skewMs, effects).flatMap((batch) => ingest.push(batch).closed), ...ingest.flush()]
          .flatMap((window) => detector.step(window))
          .filter((event) => event.kind === 'opened');
        expect(opened).toHaveLength(fault ? 1 : 0);
        if (fault) expect(Math.abs(opened[0]!.incident.startMs - at(30))).toBeLessThanOrEqual(WINDOW_MS);
        expect(ingest.counters().lateBatches).toBe(0);
      }
    },
  );
});

describe('order', () => {
  it('any order of batches within the lateness gives the same events and the same comparison, byte for byte', () => {
    const batches = shop({
      windows: 50,
      effects: [
        { callee: 'cart', slower: 5, fromMs: at(30), toMs: at(42) },
        { caller: 'gateway', callee: 'cart', retransmitRatio: 0.05, fromMs: at(30), toMs: at(42) },
      ],
    });
    const all = (order: readonly AnyBatch[]): string => {
      const ingest = createIngest();
      const detector = createDetector();
      const step = (windows: readonly ClosedWindow[]) => windows.flatMap((window) => detector.step(window));
      const events = [...order.flatMap((batch) => step(ingest.push(batch).closed)), ...step(ingest.flush())];
      const comparison = ingest.compare('test', at(30), at(40), { anomalies: detector.incidents()[0]!.anomalies });
      return JSON.stringify([events, comparison]);
    };
    const expected = all(batches);
    expect(expected).toContain('"opened"');
    for (let seed = 1; seed <= 5; seed++) {
      const random = createRandom(seed);
      const order = batches
        .map((batch) => ({ batch, at: batch.windowStartMs + random() * 10_000 }))
        .sort((a, b) => a.at - b.at)
        .map(({ batch }) => batch);
      expect(all(order)).toBe(expected);
    }
  });
});

describe('state', () => {
  const windows = windowsOf(
    shop({
      windows: 70,
      effects: [
        { callee: 'cart', slower: 5, fromMs: at(30), toMs: at(45) },
        { caller: 'gateway', callee: 'product', retransmitRatio: 0.05, fromMs: at(35), toMs: at(50) },
      ],
      resources: (startMs) => [
        {
          entityKind: 'instance',
          entity: 'cart-1',
          service: 'cart',
          cpuPeriods: 50,
          cpuThrottledPeriods: startMs < at(30) || startMs >= at(45) ? 0 : 40,
          extra: { queueLength: startMs < at(30) ? 4 : 40 },
        },
      ],
    }),
  );

  it.each([5, 20, 31, 33, 40, 55])('a restart at window %d makes the same decisions, byte for byte', (cut) => {
    const whole = createDetector();
    const expected = windows.map((window) => JSON.stringify([whole.step(window), whole.anomalies()]));
    const first = createDetector();
    const before = windows.slice(0, cut).map((window) => JSON.stringify([first.step(window), first.anomalies()]));
    const second = createDetector();
    second.restore(first.snapshot());
    expect(Buffer.from(second.snapshot()).equals(Buffer.from(first.snapshot()))).toBe(true);
    const after = windows.slice(cut).map((window) => JSON.stringify([second.step(window), second.anomalies()]));
    expect([...before, ...after]).toEqual(expected);
    expect(expected.join('')).toContain('throttling');
    expect(expected.join('')).toContain('queueLength');
  });

  it('refuses windows out of order and snapshots of another version', () => {
    const detector = createDetector();
    detector.step(windows[1]!);
    expect(() => detector.step(windows[0]!)).toThrow(/in order/);
    expect(() => detector.restore(new TextEncoder().encode('{"version":99,"environments":[]}'))).toThrow(
      /expected version \d+, found 99/,
    );
  });
});
