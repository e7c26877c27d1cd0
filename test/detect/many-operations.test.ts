import { describe, expect, it } from 'vitest';
import { createDetector } from '../../src/detect/index.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { AnyBatch, CallRecord } from '../../src/model/records.ts';
import { createRandom, normal, poisson } from '../../src/stats/random.ts';
import { T0, WINDOW_MS } from '../ingest/shop.ts';

const SHORT = { detailWindows: 12, detailWindowsMax: 12, minuteBlocks: 1, forgetEveryWindows: 12 };
const WINDOWS = 1_500;
const SLOW_FROM = 1_470;
/** An hour of windows: the sweep after the first. */
const SECOND_SWEEP = 1_440;
const NEW = 30;

/** Operations named by what somebody typed: as many new ones each window, beside two that stay. */
function batch(w: number, random: () => number): AnyBatch {
  const asked = (operation: string, mean: number, usualUs: number): CallRecord => {
    const count = poisson(random, mean);
    const durationSumUs = Math.round(count * usualUs * (1 + 0.05 * normal(random)));
    const leaf = { caller: 'web', callee: 'shop', side: 'server', protocol: 'http', status: '200' } as const;
    return { ...leaf, operation, count, errors: 0, durationSumUs };
  };
  const records = [
    asked('GET /', 900, 2_000),
    asked('POST /order', 30, w < SLOW_FROM ? 8_000 : 40_000),
    ...Array.from({ length: NEW }, (_, k) => asked(`GET /search/${w}-${k}`, 2, 2_000)),
  ].filter(({ count }) => count > 0);
  const header = { schemaVersion: 1, environment: 'e', collector: 'c', windowMs: WINDOW_MS, sequence: 0 } as const;
  return { ...header, type: 'call', windowStartMs: T0 + w * WINDOW_MS, records };
}

function run(cut = Number.NaN) {
  const ingest = createIngest(SHORT);
  let detector = createDetector();
  const random = createRandom(3);
  const said: string[] = [];
  for (let w = 0; w < WINDOWS; w++) {
    for (const window of ingest.push(batch(w, random)).closed) {
      if (w === cut) {
        const bytes = detector.snapshot();
        detector = createDetector();
        detector.restore(bytes);
      }
      said.push(JSON.stringify([detector.step(window), detector.anomalies()]));
    }
  }
  const state = JSON.parse(new TextDecoder().decode(detector.snapshot()));
  return { said, operations: state.environments[0][1].calls.mix.keys.length as number };
}

describe('operations without end', () => {
  const whole = run();

  it('take no more room than those of the windows between two sweeps', () => {
    expect(whole.operations).toBeLessThan(0.75 * NEW * WINDOWS);
  });

  it('hide none that gets slow', () => {
    expect(whole.said.slice(0, SLOW_FROM - 2).filter((text) => text !== '[[],[]]')).toEqual([]);
    expect(whole.said.at(-1)).toContain('"operation":"POST /order"');
  });

  it('are forgotten alike by an engine that started again', () => {
    expect(run(SECOND_SWEEP - 20)).toEqual(whole);
    expect(run(SECOND_SWEEP + 20)).toEqual(whole);
  });
});
