/** What is kept of hours: minutes ever farther apart, and what grew held against the time before it grew. */
import { describe, expect, it } from 'vitest';
import { createIngest } from '../../src/ingest/index.ts';
import type { AnyBatch, CallRecord } from '../../src/model/records.ts';
import { T0, WINDOW_MS } from './shop.ts';

const MINUTE_MS = 60_000;
const HOURS = 5;
const WINDOWS = HOURS * 720;
const ENVIRONMENT = 'e';

/** Durations of a request, µs, and a gauge: the minute since the beginning, so that a mean says which minutes are in it. */
function batches(w: number): AnyBatch[] {
  const startMs = T0 - (T0 % MINUTE_MS) + w * WINDOW_MS;
  const minute = Math.floor(w / 12);
  const header = {
    schemaVersion: 1,
    environment: ENVIRONMENT,
    collector: 'c1',
    windowStartMs: startMs,
    windowMs: WINDOW_MS,
    sequence: 0,
  } as const;
  const call: CallRecord = {
    caller: 'web',
    callee: 'db',
    side: 'client',
    protocol: 'mysql',
    operation: 'SELECT',
    status: 'ok',
    count: 1,
    errors: 0,
    durationSumUs: minute,
  };
  return [
    { ...header, type: 'call', records: [call] },
    {
      ...header,
      type: 'resource',
      records: [{ entityKind: 'machine', entity: 'm1', psiCpuSomeUs: minute }],
    },
  ];
}

const BEGIN_MS = T0 - (T0 % MINUTE_MS);
const END_MS = BEGIN_MS + WINDOWS * WINDOW_MS;

function filled() {
  const ingest = createIngest({ detailWindows: 12, detailWindowsMax: 12 });
  for (let w = 0; w < WINDOWS; w++) for (const batch of batches(w)) ingest.push(batch);
  ingest.flush();
  return ingest;
}

describe('hours of windows', () => {
  const ingest = filled();
  const nowMs = END_MS - WINDOW_MS;
  const against = (minutesAgo: number, growthMinutes = 0) =>
    ingest.compare(ENVIRONMENT, END_MS - minutesAgo * MINUTE_MS, nowMs, {
      ...(growthMinutes === 0 ? {} : { currentFromMs: END_MS - (minutesAgo - growthMinutes) * MINUTE_MS }),
    });

  it.each([
    // The last minute is kept in detail, 10 minutes before it whole, then every second, fourth, eighth, sixteenth.
    [1, 17],
    [14, 9],
    [30, 6],
    [60, 3],
    [140, 2],
  ])('%d minutes ago there are still minutes to compare with: at least %d of half an hour', (minutesAgo, minutes) => {
    const { baseline, calls, resources } = against(minutesAgo);
    expect(baseline.windows / 12).toBeGreaterThanOrEqual(minutes - 1);
    const [leaf] = calls;
    const mean = leaf!.baseline.durationSumUs / leaf!.baseline.count;
    const first = HOURS * 60 - minutesAgo - 30;
    expect(mean).toBeGreaterThanOrEqual(first);
    expect(mean).toBeLessThan(first + 30);
    // Of the machine one window of each minute.
    const pair = resources[0]?.metrics.find(({ metric }) => metric === 'psiCpuSomeUs');
    expect(Math.abs(pair!.baselineMean - mean)).toBeLessThanOrEqual(1);
  });

  it('of what grew only the end is held against the time before', () => {
    const { current, calls } = against(60, 58);
    expect(current.fromMs).toBe(END_MS - 2 * MINUTE_MS);
    expect(calls[0]!.current.durationSumUs / calls[0]!.current.count).toBeCloseTo(HOURS * 60 - 1.5, 1);
    expect(calls[0]!.baseline.durationSumUs / calls[0]!.baseline.count).toBeLessThan(HOURS * 60 - 60);
  });

  it('what grew for longer than anything is kept is held against the first minutes there are', () => {
    const { baseline, calls } = against(280, 278);
    expect(baseline.windows).toBeGreaterThan(0);
    const mean = calls[0]!.baseline.durationSumUs / calls[0]!.baseline.count;
    // 160 minutes back at most, and a fifth of them.
    expect(mean).toBeGreaterThan(HOURS * 60 - 170);
    expect(mean).toBeLessThan(HOURS * 60 - 120);
    // What came at once has no such excuse: nothing before it is known.
    expect(against(280).baseline.windows).toBe(0);
  });

  it('does not take the first window that is compared for the beginning of what was there before it', () => {
    const jump = (startMs: number, currentFromMs?: number, kept = 360) => {
      const ingest = createIngest({ detailWindows: kept, detailWindowsMax: kept });
      for (let w = 0; w < 240; w++) {
        const [, resource] = batches(w);
        const value = w < 120 ? 10 : 1_000;
        const records = [{ entityKind: 'machine', entity: 'm1', psiCpuSomeUs: value }];
        ingest.push({ ...resource!, records } as AnyBatch);
      }
      ingest.flush();
      const comparison = ingest.compare(ENVIRONMENT, startMs, BEGIN_MS + 239 * WINDOW_MS, {
        ...(currentFromMs === undefined ? {} : { currentFromMs }),
      });
      return comparison.resources[0]!.metrics[0]!.onsetMs;
    };
    const startMs = BEGIN_MS + 118 * WINDOW_MS;
    expect(jump(startMs)).toBe(BEGIN_MS + 120 * WINDOW_MS);
    expect(jump(startMs, BEGIN_MS + 180 * WINDOW_MS, 60)).toBeUndefined();
    // Windows that are kept tell it, compared or not.
    expect(jump(startMs, BEGIN_MS + 180 * WINDOW_MS)).toBe(BEGIN_MS + 120 * WINDOW_MS);
    expect(jump(startMs, BEGIN_MS + 110 * WINDOW_MS)).toBe(BEGIN_MS + 120 * WINDOW_MS);
  });
});
