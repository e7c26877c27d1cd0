import { describe, expect, it } from 'vitest';
import { toBusMessage } from '../../src/bus/kafka-message.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { AnyBatch } from '../../src/model/records.ts';

const NOW = 1_780_000_000_000;
const DAY = 86_400_000;
const WINDOW_MS = 5_000;

describe('time of a message', () => {
  const timeOf = (timestampMs: number): number =>
    toBusMessage(
      't',
      0,
      { offset: '7', timestamp: String(timestampMs), key: null, value: Buffer.of(1), headers: {} },
      NOW,
    ).timestampMs;

  it('is that of the sender, unless it is far later than it was read', () => {
    const near = NOW + 60_000;
    expect([NOW - DAY, NOW, near, NOW + DAY].map(timeOf)).toEqual([NOW - DAY, NOW, near, NOW]);
  });

  it('so a collector whose clock is a day ahead does not make all others late', () => {
    const batch = (collector: string, atMs: number): AnyBatch => ({
      ...{ schemaVersion: 1, environment: 'e', collector, windowMs: WINDOW_MS, sequence: 0, type: 'resource' },
      windowStartMs: atMs - (atMs % WINDOW_MS) - WINDOW_MS,
      records: [{ entityKind: 'instance', entity: `${collector}-1`, cpuUsedUs: 1 }],
    });
    const ingest = createIngest();
    const told = (collector: string, atMs: number) =>
      ingest.push(batch(collector, atMs), { receivedMs: timeOf(atMs) }).outcome;
    expect(['c1', 'c2'].map((collector) => told(collector, NOW - WINDOW_MS))).toEqual(['accepted', 'accepted']);
    expect(told('c3', NOW + DAY)).toBe('rejected');
    expect(['c1', 'c2'].map((collector) => told(collector, NOW))).toEqual(['accepted', 'accepted']);
    expect(ingest.counters()).toMatchObject({ lateBatches: 0, rejectedBatches: 1 });
  });
});
