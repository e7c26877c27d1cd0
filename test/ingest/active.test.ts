/** Calls that have not ended: told again with each window, counted in none. */
import { describe, expect, it } from 'vitest';
import { createDetector } from '../../src/detect/index.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { AnyBatch, CallRecord } from '../../src/model/records.ts';
import { ACTIVE } from '../../src/model/records.ts';
import { T0, WINDOW_MS } from './shop.ts';

const BEGIN_MS = T0 - (T0 % 60_000);
const HUNG_FROM = 40;
const WINDOWS = 60;

/** Two calls are always in flight, for a second each; from some window on eight more hang, and nothing else ends. */
function batch(w: number): AnyBatch {
  const call: CallRecord = {
    caller: 'web',
    callee: 'db',
    side: 'server',
    protocol: 'mysql',
    operation: 'SELECT',
    status: 'OK',
    count: 100,
    errors: 0,
    durationSumUs: 100_000,
  };
  const hung = w < HUNG_FROM ? 0 : 8;
  const forUs = (w + 1 - HUNG_FROM) * 5_000_000;
  const active = { ...call, status: ACTIVE, count: 2 + hung, durationSumUs: 2_000_000 + hung * forUs };
  return {
    schemaVersion: 1,
    environment: 'e',
    collector: 'c1',
    windowStartMs: BEGIN_MS + w * WINDOW_MS,
    windowMs: WINDOW_MS,
    sequence: 0,
    type: 'call',
    records: hung === 0 ? [call, active] : [active],
  };
}

function run(batches: readonly AnyBatch[], detailWindows: number) {
  const ingest = createIngest({ detailWindows, detailWindowsMax: detailWindows });
  const detector = createDetector();
  const windows = [...batches.flatMap((one) => ingest.push(one).closed), ...ingest.flush()];
  return { ingest, events: windows.flatMap((window) => detector.step(window)) };
}

describe('calls in flight', () => {
  const all = Array.from({ length: WINDOWS }, (_, w) => batch(w));

  it.each([
    ['windows', 720],
    ['minutes', 24],
  ])('are as many as there were at the end of a window, of %s', (_of, detailWindows) => {
    const { ingest } = run(all, detailWindows);
    const { calls, stretches } = ingest.compare('e', BEGIN_MS + HUNG_FROM * WINDOW_MS, BEGIN_MS + 59 * WINDOW_MS, {});
    const active = calls.find(({ status }) => status === ACTIVE)!;
    expect(active.baseline.count).toBeCloseTo(2, 9);
    expect(active.baseline.durationSumUs).toBeCloseTo(2_000_000, 3);
    expect(active.current.count).toBeCloseTo(10, 9);
    // Eight that had waited for 5 to 100 s.
    expect(active.current.durationSumUs).toBeCloseTo(2_000_000 + 8 * 52_500_000, 3);
    const ended = calls.find(({ status }) => status === 'OK')!;
    expect(ended.baseline.count % 100).toBe(0);
    expect(Array.from(stretches?.edges[0]?.count ?? []).filter((count) => count % 100 !== 0)).toEqual([]);
  });

  it('are none, not unknown, before the first window there is', () => {
    const { ingest } = run(all.slice(HUNG_FROM), 720);
    const { baseline, calls } = ingest.compare('e', BEGIN_MS + HUNG_FROM * WINDOW_MS, BEGIN_MS + 59 * WINDOW_MS, {});
    expect(baseline.windows).toBe(0);
    const active = calls.find(({ status }) => status === ACTIVE)!;
    expect(active.baseline).toEqual({ count: 0, errors: 0, durationSumUs: 0, durationSquareUs2: 0 });
  });

  it('are no requests, and nothing is slow as long as they are as many', () => {
    const healthy = Array.from({ length: 40 }, (_, w) => batch(w));
    expect(run(healthy, 720).events).toEqual([]);
    const none = healthy.map((one) => ({ ...one, records: one.records.slice(0, 1) }) as AnyBatch);
    expect(run(none, 720).events).toEqual([]);
  });
});
