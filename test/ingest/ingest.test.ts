import { describe, expect, it } from 'vitest';
import type { Ingest, IngestConfig } from '../../src/ingest/index.ts';
import { contentHash, createIngest } from '../../src/ingest/index.ts';
import type { AnyBatch, CallRecord } from '../../src/model/records.ts';
import type { ClosedWindow } from '../../src/model/window.ts';
import { createRandom, shuffled } from '../../src/stats/random.ts';
import { canonicalText } from './canonical-text.ts';
import { SHOP, shop, T0, WINDOW_MS } from './shop.ts';

function feed(ingest: Ingest, batches: readonly AnyBatch[]): ClosedWindow[] {
  const closed = batches.flatMap((batch) => ingest.push(batch).closed);
  return [...closed, ...ingest.flush()];
}

function one(overrides: Partial<AnyBatch> = {}, record: Partial<CallRecord> = {}): AnyBatch {
  return {
    schemaVersion: 1,
    type: 'call',
    environment: 'e',
    collector: 'c1',
    windowStartMs: T0,
    windowMs: WINDOW_MS,
    sequence: 0,
    records: [
      {
        caller: 'a',
        callee: 'b',
        side: 'server',
        protocol: 'http',
        operation: 'GET /',
        status: '200',
        count: 10,
        errors: 1,
        durationSumUs: 1000.1,
        ...record,
      },
    ],
    ...overrides,
  } as AnyBatch;
}

const at = (window: number, collector = 'c1'): AnyBatch => one({ collector, windowStartMs: T0 + window * WINDOW_MS });

describe('windows', () => {
  it('close in order when the slowest active source passed them by the lateness', () => {
    const ingest = createIngest();
    expect(ingest.push(at(0, 'c1')).closed).toEqual([]);
    expect(ingest.push(at(0, 'c2')).closed).toEqual([]);
    expect(ingest.push(at(3, 'c1')).closed).toEqual([]);
    const closed = ingest.push(at(3, 'c2')).closed;
    expect(closed.map((window) => window.startMs)).toEqual([T0]);
    expect(closed[0]!.collectors).toEqual(['c1', 'c2']);
  });

  it('do not wait for a source that went idle', () => {
    const ingest = createIngest();
    ingest.push(at(0, 'c2'));
    const closed = [0, 1, 2, 3, 4, 5, 6, 7, 8].flatMap((w) => ingest.push(at(w)).closed);
    expect(closed.map((window) => (window.startMs - T0) / WINDOW_MS)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(closed[0]!.collectors).toEqual(['c1', 'c2']);
    expect(closed[1]!.collectors).toEqual(['c1']);
  });

  it('count and drop what is late, and recognise what is delivered twice', () => {
    const ingest = createIngest();
    ingest.push(at(0));
    expect(ingest.push(at(0)).outcome).toBe('duplicate');
    expect(ingest.push(one({ sequence: 1 })).outcome).toBe('accepted');
    expect(ingest.push(one({}, { count: 11 })).outcome).toBe('accepted');
    for (let w = 1; w < 5; w++) ingest.push(at(w));
    expect(ingest.push(at(0)).outcome).toBe('duplicate');
    expect(ingest.push(one({}, { count: 12 })).outcome).toBe('late');
    expect(ingest.counters()).toMatchObject({ batches: 7, lateBatches: 1, lateRecords: 1, duplicateBatches: 2 });
  });

  it('refuse windows of the future, of odd length and off the grid, with the mend', () => {
    const ingest = createIngest();
    expect(ingest.push(at(0), { receivedMs: T0 + 5_000 }).outcome).toBe('accepted');
    const future = ingest.push(at(1000), { receivedMs: T0 + 5_000, origin: 'calls/0/7' });
    expect(future).toMatchObject({ outcome: 'rejected', reason: 'future' });
    expect(future.message).toContain('collector "c1"');
    expect(future.message).toContain('calls/0/7');
    expect(ingest.push(one({ windowMs: 7_000, windowStartMs: 0 }))).toMatchObject({ reason: 'bad_window' });
    expect(ingest.push(one({ windowStartMs: T0 + 1 }))).toMatchObject({ reason: 'bad_window' });
    expect(ingest.push(at(1), { receivedMs: T0 + 8_000 }).outcome).toBe('accepted');
    expect(ingest.counters()).toMatchObject({ rejectedBatches: 3, clockSkewMs: { c1: 2_000 } });
  });

  it('merge a leaf from several collectors, exactly, and keep unknown unknown', () => {
    const ingest = createIngest();
    const values = [0.1, 0.2, 0.3, 1e9, 0.7];
    const batches = values.map((durationSumUs, i) => one({ collector: `c${i}` }, { durationSumUs }));
    const [window] = feed(ingest, batches);
    expect(window!.calls.rows).toBe(1);
    expect(window!.calls.count[0]).toBe(50);
    expect(window!.calls.durationSumUs[0]).toBeCloseTo(1e9 + 1.3, 2);
    const [unknown] = feed(createIngest(), [one(), one({ sequence: 1 }, { durationSumUs: undefined as never })]);
    expect(unknown!.calls.durationSumUs[0]).toBeNaN();
    expect(unknown!.calls.count[0]).toBe(20);
  });

  it('tell a missing batch from a missing service', () => {
    const [window] = feed(createIngest(), [one(), one({ sequence: 2 })]);
    expect(window!.incomplete).toEqual(['c1/call']);
  });

  it('tell records lost on the way from records never made', () => {
    const health = (produced: Record<string, number> | undefined, windowStartMs = T0): AnyBatch => ({
      ...one({ windowStartMs }),
      type: 'health',
      records: [
        { machine: 'c1', probes: [], lost: {}, ...(produced === undefined ? {} : { recordsProduced: produced }) },
      ],
    });
    const incomplete = (...batches: AnyBatch[]) => feed(createIngest(), batches).map((window) => window.incomplete);
    expect(incomplete(one(), health({ call: 1, tcp: 0 }))).toEqual([[]]);
    expect(incomplete(one(), health({ call: 2, tcp: 0 }))).toEqual([['c1/call']]);
    expect(incomplete(health({ call: 0, tcp: 3 }))).toEqual([['c1/tcp']]);
    // Nobody says what it made, as with a hand-made producer: no row means zero.
    expect(incomplete(health(undefined))).toEqual([[]]);
    // A compacted topic gives only the newest of each key.
    expect(incomplete(health({ topology: 4 }))).toEqual([[]]);
    // The health record that would account for the calls is missing as well; something else of the collector came.
    const next = T0 + WINDOW_MS;
    const tcp = { ...one({ windowStartMs: next }), type: 'tcp', records: [] } as unknown as AnyBatch;
    expect(incomplete(one(), health({ call: 1 }), tcp)).toEqual([[], ['c1/call']]);
    expect(incomplete(one(), tcp)).toEqual([[], []]);
  });

  it('are byte-identical for any order within the lateness', () => {
    const batches = shop({ windows: 12, seed: 5 });
    const expected = feed(createIngest(), batches).map(canonicalText);
    expect(expected).toHaveLength(12);
    for (let seed = 1; seed <= 10; seed++) {
      const random = createRandom(seed);
      // Every batch may overtake others by less than the lateness.
      const order = shuffled(batches, random)
        .map((batch) => ({ batch, at: batch.windowStartMs + random() * 10_000 }))
        .sort((a, b) => a.at - b.at)
        .map(({ batch }) => batch);
      const ingest = createIngest();
      expect(feed(ingest, order).map(canonicalText)).toEqual(expected);
      expect(ingest.counters().lateBatches).toBe(0);
    }
  });
});

describe('comparison', () => {
  const fault = T0 + 24 * WINDOW_MS;
  const batches = shop({
    windows: 30,
    effects: [{ caller: 'gateway', callee: 'cart', fromMs: fault, toMs: Infinity, slower: 5, retransmitRatio: 0.05 }],
    changes: [{ atMs: fault - 1000, change: 'version', entityKind: 'service', entity: 'cart' }],
    resources: (startMs) => [
      {
        entityKind: 'instance',
        entity: 'cart-1',
        service: 'cart',
        machine: 'm-cart-1',
        cpuUsedUs: startMs < fault ? 1e6 : 3e6,
      },
    ],
  });

  function compareWith(config: Partial<IngestConfig>) {
    const ingest = createIngest(config);
    feed(ingest, batches);
    return ingest.compare('test', fault, T0 + 29 * WINDOW_MS);
  }

  it('sets healthy windows before the onset against the windows since', () => {
    const comparison = compareWith({});
    expect(comparison.baseline).toEqual({ fromMs: T0, toMs: fault - 2 * WINDOW_MS, windows: 22 });
    expect(comparison.current).toEqual({ fromMs: fault, toMs: fault + 6 * WINDOW_MS, windows: 6 });
    const cart = comparison.calls.filter(
      (leaf) => leaf.callee === 'cart' && leaf.side === 'server' && leaf.status === '200',
    );
    expect(cart).toHaveLength(1);
    const { baseline, current } = cart[0]!;
    expect(baseline.count / 22 / (60 * 5)).toBeCloseTo(1, 1);
    expect(current.durationSumUs / current.count / (baseline.durationSumUs / baseline.count)).toBeGreaterThan(4);
    expect(baseline.durationSquareUs2).toBeGreaterThan(baseline.durationSumUs ** 2 / baseline.count - 1);
    const edge = comparison.tcp.find((other) => other.callee === 'cart')!;
    const retransmits = edge.metrics.find((pair) => pair.metric === 'retransmits')!;
    expect(retransmits.currentMean).toBeGreaterThan(20 * Math.max(retransmits.baselineMean, 0.2));
    expect(retransmits.onsetMs).toBe(fault);
    expect(comparison.resources[0]!.metrics[0]).toMatchObject({
      metric: 'cpuUsedUs',
      baselineMean: 1e6,
      currentMean: 3e6,
      baselineSpread: 0,
      baselineWindows: 22,
      onsetMs: fault,
    });
    expect(comparison.topology.calls).toContainEqual(['cart', 'redis']);
    expect(comparison.topology.runsOn).toContainEqual(['product-2', 'm-product-2']);
    expect(comparison.changes).toHaveLength(1);
    expect(comparison.health.collectors).toHaveLength(7);
  });

  it('keeps the same sums when windows have been folded to minutes', () => {
    const detailed = compareWith({});
    const folded = compareWith({ detailWindows: 8, detailWindowsMax: 8 });
    expect(folded.baseline.windows).toBe(22);
    const pick = (comparison: typeof folded) =>
      comparison.calls.map((leaf) => [
        leaf.caller,
        leaf.callee,
        leaf.side,
        leaf.status,
        leaf.baseline.count,
        leaf.current.count,
      ]);
    expect(pick(folded)).toEqual(pick(detailed));
    const mean = (comparison: typeof folded) =>
      comparison.tcp.map((edge) => edge.metrics.find((pair) => pair.metric === 'segmentsOut')!.baselineMean);
    mean(folded).forEach((value, i) => {
      expect(value).toBeCloseTo(mean(detailed)[i]!, 6);
    });
  });

  it('leaves other incidents out of the baseline and names collectors that fell silent', () => {
    const ingest = createIngest();
    feed(
      ingest,
      batches.filter((batch) => batch.collector !== 'm-redis-1' || batch.windowStartMs < fault),
    );
    const comparison = ingest.compare('test', fault, T0 + 29 * WINDOW_MS, {
      exclude: [{ fromMs: T0, toMs: T0 + 10 * WINDOW_MS }],
    });
    expect(comparison.baseline).toEqual({ fromMs: T0 + 10 * WINDOW_MS, toMs: fault - 2 * WINDOW_MS, windows: 12 });
    expect(comparison.health.silentCollectors).toEqual(['m-redis-1']);
  });

  it('scales what a collector tells by the windows that came whole, and leaves out what nobody knows', () => {
    const lost = (from: number, to: number) =>
      shop({
        windows: 30,
        effects: [{ lost: ['m-cart-1/call'], fromMs: T0 + from * WINDOW_MS, toMs: T0 + to * WINDOW_MS }],
      });
    const counts = (all: readonly AnyBatch[], config: Partial<IngestConfig> = {}) => {
      const ingest = createIngest(config);
      feed(ingest, all);
      const comparison = ingest.compare('test', fault, T0 + 29 * WINDOW_MS);
      const leaf = comparison.calls.find((c) => c.callee === 'cart' && c.side === 'server' && c.status === '200');
      return { leaf, health: comparison.health, rate: (leaf?.baseline.count ?? 0) / comparison.baseline.windows };
    };
    const { rate, leaf } = counts(lost(0, 0));
    const whole = leaf!;
    const partly = counts(lost(26, 29));
    expect(partly.leaf!.current.count).not.toBe(whole.current.count);
    expect(partly.leaf!.current.count / whole.current.count).toBeCloseTo(1, 1);
    expect(partly.leaf!.baseline).toEqual(whole.baseline);
    expect(partly.health.lostRecords).toEqual([{ collector: 'm-cart-1', type: 'call', windows: 3, ofWindows: 6 }]);
    expect(counts(lost(24, 30)).leaf).toBeUndefined();
    // The same when the windows have left the detail.
    const early = lost(3, 9);
    const folded = counts(early, { detailWindows: 6, detailBytes: 0 });
    expect(folded.rate).not.toBe(rate);
    expect(folded.rate / rate).toBeCloseTo(1, 1);
    expect(counts(early).rate / rate).toBeCloseTo(1, 1);
  });

  it('refuses an unknown environment by name', () => {
    expect(() => createIngest().compare('nowhere', 0, 0)).toThrow(/"nowhere"/);
  });

  it('hashes bytes the same way every time', () => {
    expect(contentHash(new TextEncoder().encode('x'))).toBe(contentHash(new TextEncoder().encode('x')));
    expect(SHOP.length).toBe(6);
  });
});
