import { describe, expect, it } from 'vitest';
import { createDetector } from '../../src/detect/index.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { AnyBatch } from '../../src/model/records.ts';
import type { ClosedWindow } from '../../src/model/window.ts';

const WINDOW_MS = 5_000;
const START = 1_780_000_000_000;

/** Two services that outside callers ask; a topology record says once, `before` windows earlier, that one calls the other. */
function windowsOf(before: number): ClosedWindow[] {
  const header = (w: number, type: string) => ({
    ...{ schemaVersion: 1, environment: 'e', collector: 'c', windowMs: WINDOW_MS, sequence: 0 },
    ...{ type, windowStartMs: START + w * WINDOW_MS },
  });
  const ingest = createIngest();
  const batches: unknown[] = [
    { ...header(-before, 'topology'), records: [{ relation: 'calls', from: 'cart', to: 'stock' }] },
  ];
  for (let w = 0; w < 50; w++) {
    const records = ['cart', 'stock'].map((callee) => ({
      ...{ caller: `${callee}-user`, callee, calleeInstance: `${callee}-1`, side: 'server', protocol: 'http' },
      ...{ operation: 'GET /', status: '200', count: 100, errors: 0, durationSumUs: (w < 35 ? 2e6 : 2e7) + w * 1e3 },
    }));
    batches.push({ ...header(w, 'call'), records });
  }
  return [...batches.flatMap((batch) => ingest.push(batch as AnyBatch).closed), ...ingest.flush()];
}

/** @param cut  number of windows after which the detector is another one, from a snapshot */
function incidents(windows: readonly ClosedWindow[], cut = windows.length): number {
  let detector = createDetector();
  windows.forEach((window, w) => {
    if (w === cut) {
      const snapshot = detector.snapshot();
      detector = createDetector();
      detector.restore(snapshot);
    }
    detector.step(window);
  });
  return detector.incidents().length;
}

describe('calls that topology records state', () => {
  it('connect what shows at both ends, also after a restart', () => {
    const windows = windowsOf(1);
    expect(incidents(windows)).toBe(1);
    expect(incidents(windows, 20)).toBe(1);
  });

  it('are believed for an hour', () => {
    expect(incidents(windowsOf(600))).toBe(1);
    expect(incidents(windowsOf(721))).toBe(2);
  });
});
