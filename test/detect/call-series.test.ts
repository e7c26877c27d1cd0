import { describe, expect, it } from 'vitest';
import { createDetector } from '../../src/detect/index.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { AnyBatch, Batch } from '../../src/model/records.ts';
import { T0, WINDOW_MS } from '../ingest/shop.ts';

const header = (collector: string, window: number, sequence = 0) =>
  ({
    schemaVersion: 1,
    environment: 'e',
    collector,
    windowStartMs: T0 + window * WINDOW_MS,
    windowMs: WINDOW_MS,
    sequence,
  }) as const;

function calls(collector: string, window: number, services: number, count: number): Batch<'call'> {
  const records = Array.from({ length: services }, (_, k) => ({
    caller: 'gate',
    callee: `s-${k}`,
    side: 'server' as const,
    protocol: 'http',
    operation: 'GET /',
    status: '200',
    count,
    errors: 0,
    durationSumUs: count * 20_000,
  }));
  return { ...header(collector, window), type: 'call', records };
}

function tcp(collector: string, window: number, edges: number): Batch<'tcp'> {
  const records = Array.from({ length: edges }, (_, k) => ({
    caller: 'gate',
    callee: `s-${k}`,
    side: 'client' as const,
    segmentsOut: 100,
    retransmits: 0,
  }));
  return { ...header(collector, window), type: 'tcp', records } as Batch<'tcp'>;
}

function run(batches: readonly AnyBatch[]) {
  const ingest = createIngest();
  const detector = createDetector();
  const windows = [...batches.flatMap((batch) => ingest.push(batch).closed), ...ingest.flush()];
  return { detector, events: windows.flatMap((window) => detector.step(window)), windows: windows.length };
}

describe('entities without a side', () => {
  it('leaves that two collectors report from their first window on have none, and nothing breaks', () => {
    const batches = Array.from({ length: 3 }, (_, w) => [calls('a', w, 100, 50), calls('b', w, 100, 50)]).flat();
    const { windows, detector } = run(batches);
    expect(windows).toBe(3);
    expect(detector.anomalies()).toEqual([]);
  });

  it('an edge known from TCP long before its first call has not had a traffic of zero', () => {
    // 100 edges, more than the columns hold at first; calls begin after the warm-up.
    const batches = Array.from({ length: 60 }, (_, w) => [
      tcp('a', w, 100),
      ...(w < 30 ? [] : [calls('a', w, 100, 500)]),
    ]).flat();
    const { detector, events } = run(batches);
    expect(detector.anomalies().map((anomaly) => `${anomaly.entity.name} ${anomaly.symptom}`)).toEqual([]);
    expect(events).toEqual([]);
  });
});
