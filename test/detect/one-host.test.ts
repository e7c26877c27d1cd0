import { describe, expect, it } from 'vitest';
import { createDetector } from '../../src/detect/index.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { AnyBatch, CallRecord } from '../../src/model/records.ts';
import { createRandom, poisson, shuffled } from '../../src/stats/random.ts';
import { T0, WINDOW_MS } from '../ingest/shop.ts';

const WINDOWS = 120;
const SERVICES = [
  { callee: 'mail', usualUs: 1_000 },
  { callee: 'reports', usualUs: 60_000 },
];

/** Who sends records by hand names hosts for instances: one of them answers as two services, unlike in what they take. */
function windows(order: (records: CallRecord[]) => CallRecord[]): AnyBatch[] {
  const random = createRandom(7);
  return Array.from({ length: WINDOWS }, (_, w) => {
    const records = SERVICES.flatMap(({ callee, usualUs }) =>
      ['GET /', 'POST /'].map((operation, k): CallRecord => {
        const count = poisson(random, 50);
        const slower = w >= 60 && w < 80 ? 3 : 1;
        return {
          ...{ caller: 'web', callee, calleeInstance: 'host-1', side: 'server', protocol: 'http', status: '200' },
          ...{ operation, count, errors: 0, durationSumUs: count * usualUs * (k + 1) * slower },
        };
      }),
    );
    const header = { schemaVersion: 1, environment: 'e', collector: 'c', windowMs: WINDOW_MS, sequence: 0 } as const;
    return { ...header, type: 'call', windowStartMs: T0 + w * WINDOW_MS, records: order(records) };
  });
}

/** @param cut  window before which the engine starts again */
function said(order: (records: CallRecord[]) => CallRecord[], cut = Number.NaN): string[] {
  const ingest = createIngest();
  let detector = createDetector();
  const closed = [...windows(order).flatMap((batch) => ingest.push(batch).closed), ...ingest.flush()];
  return closed.map((window, w) => {
    if (w === cut) {
      const bytes = detector.snapshot();
      detector = createDetector();
      detector.restore(bytes);
    }
    return JSON.stringify([detector.step(window), detector.anomalies()]);
  });
}

describe('an instance of two services', () => {
  const asSent = said((records) => records);

  it('is found slow', () => {
    expect(asSent.some((text) => text.includes('"name":"host-1"},"metric":"duration_mean_us"'))).toBe(true);
  });

  it('is judged alike in whatever order its rows come', () => {
    const random = createRandom(1);
    for (let k = 0; k < 4; k++) expect(said((records) => shuffled(records, random))).toEqual(asSent);
    expect(said((records) => records.toReversed())).toEqual(asSent);
  });

  it('is judged alike by an engine that started again', () => {
    const random = createRandom(2);
    const order = (records: CallRecord[]): CallRecord[] => shuffled(records, random);
    for (const cut of [30, 62, 90]) expect(said(order, cut)).toEqual(asSent);
  });
});
