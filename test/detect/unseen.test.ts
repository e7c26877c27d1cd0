import { describe, expect, it } from 'vitest';
import { createDetector } from '../../src/detect/index.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { AnyBatch, CallRecord, ResourceRecord } from '../../src/model/records.ts';
import { createRandom, normal, poisson } from '../../src/stats/random.ts';
import { SHOP, shop, T0, WINDOW_MS } from '../ingest/shop.ts';

const at = (window: number): number => T0 + window * WINDOW_MS;

/** @param cut  window before which the engine starts again */
function run(batches: readonly AnyBatch[], cut = Number.NaN) {
  const ingest = createIngest();
  let detector = createDetector();
  const events: string[] = [];
  const seen: string[] = [];
  [...batches.flatMap((batch) => ingest.push(batch).closed), ...ingest.flush()].forEach((window, w) => {
    if (w === cut) {
      const bytes = detector.snapshot();
      detector = createDetector();
      detector.restore(bytes);
    }
    events.push(...detector.step(window).map(({ kind }) => kind));
    seen.push(...detector.anomalies().map(({ entity, metric }) => `${entity.name} ${metric}`));
  });
  return { events, seen, left: detector.anomalies() };
}

describe('what nobody sees any more', () => {
  const OPERATIONS = [
    { operation: 'GET /', usual: 300, usualUs: 2_000 },
    { operation: 'POST /', usual: 40, usualUs: 10_000 },
  ];

  it('is given up: an operation of a service whose own side is seen from now on', () => {
    const random = createRandom(4);
    const header = { schemaVersion: 1, environment: 'e', windowMs: WINDOW_MS, sequence: 0, type: 'call' } as const;
    const batches = Array.from({ length: 160 }, (_, w) => {
      const records = (side: 'client' | 'server'): CallRecord[] =>
        OPERATIONS.map(({ operation, usual, usualUs }) => {
          const count = poisson(random, usual);
          const slower = operation === 'POST /' && w >= 100 && w < 110 ? 4 : 1;
          const durationSumUs = Math.round(count * usualUs * slower * (1 + 0.05 * normal(random)));
          const leaf = { caller: 'web', callee: 'cart', side, protocol: 'http', operation, status: '200' } as const;
          return { ...leaf, count, errors: 0, durationSumUs };
        });
      const client = { ...header, collector: 'a', windowStartMs: at(w), records: records('client') };
      const server = { ...header, collector: 'b', windowStartMs: at(w), records: records('server') };
      return w < 106 ? [client] : [client, server];
    }).flat();
    const { events, seen, left } = run(batches);
    expect(seen).toContain('cart operation_duration_mean_us');
    expect(left).toEqual([]);
    expect(events.filter((kind) => kind !== 'updated')).toEqual(['opened', 'resolved']);
  });

  it("is given up: a gauge of the user's that an instance no longer has", () => {
    const resources = (startMs: number): ResourceRecord[] => [
      {
        ...{ entityKind: 'instance', entity: 'cart-1', service: 'cart', cpuUsedUs: 1_000_000 },
        ...(startMs < at(60) ? { extra: { queue: startMs < at(40) ? 4 : 40 } } : {}),
      } as ResourceRecord,
    ];
    const { seen, left } = run(shop({ windows: 100, resources }));
    expect(seen).toContain('cart-1 queue');
    expect(left).toEqual([]);
  });
});

describe('what topology states once', () => {
  it('connects anomalies after a restart as well', () => {
    const other = [
      { caller: 'cron', callee: 'billing', rps: 40, meanUs: 8_000, networkUs: 200 },
      { caller: 'billing', callee: 'ledger', rps: 40, meanUs: 3_000, networkUs: 200 },
    ];
    const span = { fromMs: at(60), toMs: at(75) };
    const effects = ['cart', 'ledger'].map((callee) => ({ callee, slower: 6, ...span }));
    const batches = shop({ windows: 80, edges: [...SHOP, ...other], effects });
    const stated = { relation: 'calls', from: 'cart', to: 'ledger' };
    const topology = { ...batches[0], type: 'topology', records: [stated] } as unknown as AnyBatch;
    const opened = (cut?: number): number =>
      run([topology, ...batches], cut).events.filter((kind) => kind === 'opened').length;
    expect(opened()).toBe(1);
    expect(opened(40)).toBe(1);
  });
});
