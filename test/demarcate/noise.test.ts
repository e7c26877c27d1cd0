import { describe, expect, it } from 'vitest';
import { demarcate } from '../../src/demarcate/index.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { Comparison, EdgeStretches } from '../../src/model/comparison.ts';
import { entityKey, service } from '../../src/model/entity.ts';
import type { LedgerKind, Walk } from '../../src/model/walk.ts';
import { shop, T0, WINDOW_MS } from '../ingest/shop.ts';
import { draw } from './draw.ts';

/** 24 windows before and 24 during; api's own time was 900 and 1100 us in turn, stretch by stretch of two windows. */
const STRETCHES = 12;
const PER_STRETCH = 2;
const REQUESTS = 100 * 5 * PER_STRETCH;

function withStretches(comparison: Comparison): Comparison {
  const wobble = (k: number): number => (k % 2 === 0 ? -100 : 100);
  const edges = comparison.calls.map(
    ({ caller, callee, side, baseline }): EdgeStretches => ({
      caller,
      callee,
      side,
      count: new Array<number>(STRETCHES).fill(REQUESTS),
      errors: new Array<number>(STRETCHES).fill(0),
      durationSumUs: Array.from(
        { length: STRETCHES },
        (_, k) => REQUESTS * (baseline.durationSumUs / baseline.count + (callee === 'db' ? 0 : wobble(k))),
      ),
    }),
  );
  return { ...comparison, stretches: { windows: new Array<number>(STRETCHES).fill(PER_STRETCH), edges } };
}

function entryOf(walk: Walk, kind: LedgerKind, term: string, key?: string) {
  const ledger = walk.ledgers.find((one) => one.kind === kind)!;
  return ledger.entries.find(
    (one) => one.term === term && (one.entity === undefined ? undefined : entityKey(one.entity)) === key,
  )!;
}

describe('noise of ledger entries', () => {
  it('is what the same entry was in stretches of the baseline, by hand', () => {
    const walk = demarcate(
      withStretches(draw({ graph: 'web -> api -> db', self: { api: [1_000, 3_000] } })),
      service('web'),
    );
    // Everything wobbles with api: x = ±100 us in twelve stretches of two windows, so s² of a window is 12·2·100²/11.
    const variance = (STRETCHES * PER_STRETCH * 100 ** 2) / (STRETCHES - 1);
    const expected = Math.sqrt(variance * (1 / 24 + 1 / 24));
    expect(entryOf(walk, 'latency', 'self', 'service:api').standardError).toBeCloseTo(expected, 6);
    expect(entryOf(walk, 'latency', 'self', 'service:db').standardError).toBeCloseTo(0, 6);
    expect(entryOf(walk, 'latency', 'network', 'edge:web -> api').standardError).toBeCloseTo(0, 6);
  });

  it('of errors that never were is that of their number', () => {
    const walk = demarcate(
      withStretches(draw({ graph: 'web -> api', errors: { api: [0, 0.1] }, symptom: 'error_rise' })),
      service('web'),
    );
    const requests = 100 * 120;
    const ratio = 0.5 / (requests + 1);
    const { standardError } = entryOf(walk, 'errors', 'originated', 'service:api');
    expect(standardError).toBeCloseTo(Math.sqrt(ratio * (2 / requests)), 12);
  });

  it('is unknown of what the baseline never had', () => {
    const drawn = draw({ graph: 'web -> api -> db', calls: { 'api -> db': [1, 9] } });
    const walk = demarcate(withStretches(drawn), service('web'));
    const { contribution, standardError } = entryOf(walk, 'latency', 'calls', 'edge:api -> db');
    expect(contribution).toBeGreaterThan(1_000);
    expect(standardError).toBeNaN();
  });

  it('is unknown where no stretches were kept', () => {
    const walk = demarcate(draw({ graph: 'web -> api', self: { api: [1_000, 3_000] } }), service('web'));
    for (const ledger of walk.ledgers) for (const { standardError } of ledger.entries) expect(standardError).toBeNaN();
  });

  it('is neither too small nor too large: of a shop in which nothing happened', () => {
    const distances: number[] = [];
    for (let seed = 1; seed <= 25; seed++) {
      const ingest = createIngest(seed % 2 === 0 ? {} : { detailWindows: 12, detailBytes: 0 });
      for (const batch of shop({ windows: 60, seed })) ingest.push(batch);
      ingest.flush();
      const comparison = ingest.compare('test', T0 + 52 * WINDOW_MS, T0 + 59 * WINDOW_MS);
      for (const { kind, entries } of demarcate(comparison, service('gateway')).ledgers) {
        if (kind !== 'latency') continue;
        for (const { contribution, standardError } of entries)
          if (standardError > 1e-6) distances.push(Math.abs(contribution) / standardError);
      }
    }
    const beyond = (limit: number): number => distances.filter((one) => one > limit).length / distances.length;
    expect(distances.length).toBeGreaterThan(200);
    // Of a normal distribution .32 and .046.
    expect(beyond(1)).toBeGreaterThan(0.2);
    expect(beyond(1)).toBeLessThan(0.45);
    expect(beyond(2)).toBeGreaterThan(0.01);
    expect(beyond(2)).toBeLessThan(0.12);
  });
});
