import { describe, expect, it } from 'vitest';
import type { Edge } from '../../../collector/naming/edges.ts';
import { OTHER_OPERATION, WindowAggregator } from '../../../collector/windows/aggregator.ts';
import { bucketOf, CallCell } from '../../../collector/windows/cells.ts';

const EDGE: Edge = {
  id: 1,
  side: 'client',
  caller: 'a',
  callee: 'b',
  callerInstance: undefined,
  calleeInstance: undefined,
  callerMachine: undefined,
  calleeMachine: undefined,
  calleePort: 80,
};

const add = (aggregator: WindowAggregator, atMs: number, operation = 'GET /'): void =>
  aggregator.addCall(atMs, EDGE, 'http', operation, '200', undefined, false, 100, 1, 2);

describe('sketch', () => {
  it.each([
    [0.5, -1],
    [1, -1],
    [1.01, 0],
    [2, 7],
    [2.0001, 8],
    [1024, 79],
    [1e12, 255],
  ])('%f µs is in bucket %i', (value, bucket) => expect(bucketOf(value)).toBe(bucket));

  it('keeps every value within its bucket', () => {
    for (let value = 1.5; value < 1e9; value *= 1.37) {
      const bucket = bucketOf(value);
      expect(value).toBeGreaterThan(2 ** (bucket / 8) * (1 - 1e-12));
      expect(value).toBeLessThanOrEqual(2 ** ((bucket + 1) / 8) * (1 + 1e-12));
    }
  });

  it('cuts empty buckets on both ends', () => {
    const cell = new CallCell('200', undefined);
    for (const value of [0, 2, 2, 1024]) cell.add(value, false, 0, 0);
    const histogram = cell.histogram();
    expect(histogram).toMatchObject({ scale: 3, offset: 7, zeroCount: 1 });
    expect(histogram.counts).toHaveLength(73);
    expect(histogram.counts.reduce((a, b) => a + b)).toBe(3);
  });
});

describe('windows', () => {
  it('are aligned to the epoch and flushed in order, empty ones too', () => {
    const aggregator = new WindowAggregator();
    add(aggregator, 12_000);
    add(aggregator, 22_001);
    expect(aggregator.due(14_999)).toBeUndefined();
    const starts: number[] = [];
    for (let start = aggregator.due(25_000); start !== undefined; start = aggregator.due(25_000)) {
      starts.push(start);
      aggregator.flush(start);
    }
    expect(starts).toEqual([10_000, 15_000, 20_000]);
  });

  it('count what is late and keep its sum', () => {
    const aggregator = new WindowAggregator();
    add(aggregator, 12_000);
    aggregator.flush(10_000);
    add(aggregator, 12_001);
    expect(aggregator.late).toBe(1);
    expect(aggregator.flush(15_000).calls[0]?.count).toBe(1);
  });

  it('sum further operations under one name, and count them', () => {
    const aggregator = new WindowAggregator({ maxOperationsPerEdge: 3 });
    for (let i = 0; i < 10; i++) add(aggregator, 1, `GET /${i}`);
    const { calls, capped } = aggregator.flush(0);
    expect(calls.map((call) => [call.operation, call.count])).toEqual([
      ['GET /0', 1],
      ['GET /1', 1],
      ['GET /2', 1],
      [OTHER_OPERATION, 7],
    ]);
    expect(capped).toEqual({ operation: 7 });
  });

  it('drop and count cells over the cap', () => {
    const aggregator = new WindowAggregator({ maxCallCells: 2 });
    for (let i = 0; i < 5; i++) add(aggregator, 1, `GET /${i}`);
    const { calls, capped } = aggregator.flush(0);
    expect([calls.length, capped]).toEqual([2, { call: 3 }]);
  });

  it('stay bounded when clocks are broken', () => {
    const aggregator = new WindowAggregator();
    for (let i = 0; i < 1000; i++) add(aggregator, i * 5000);
    let total = 0;
    for (let start = aggregator.due(1e9); start !== undefined && start < 200_000; start = aggregator.due(1e9)) {
      for (const call of aggregator.flush(start).calls) total += call.count;
    }
    expect(total).toBe(1000);
  });
});
