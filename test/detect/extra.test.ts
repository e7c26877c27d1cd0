import { expect, it } from 'vitest';
import { createDetector } from '../../src/detect/index.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { AnyBatch } from '../../src/model/records.ts';

const WINDOW_MS = 5_000;
const START_MS = 1_700_000_000_000 - (1_700_000_000_000 % WINDOW_MS);

/** Gauges of two instances, forty each, that all rise in the 40th window; @param turned instances and gauges the other way round */
function risen(turned: boolean): string[] {
  const ingest = createIngest();
  const detector = createDetector();
  const order = <T>(items: T[]): T[] => (turned ? items.reverse() : items);
  const seen = new Set<string>();
  for (let w = 0; w < 60; w++) {
    const records = order(['a', 'b']).map((entity) => ({
      entityKind: 'instance' as const,
      entity,
      service: 's',
      machine: 'm',
      extra: Object.fromEntries(
        order(Array.from({ length: 40 }, (_, k) => `${entity}${10 + k}`)).map((name) => [name, w < 40 ? 0.5 : 40.5]),
      ),
    }));
    const batch = {
      schemaVersion: 1,
      type: 'resource' as const,
      environment: 'e',
      collector: 'c',
      sequence: 0,
      windowStartMs: START_MS + w * WINDOW_MS,
      windowMs: WINDOW_MS,
      records,
    } satisfies AnyBatch;
    for (const window of ingest.push(batch).closed) {
      detector.step(window);
      for (const { metric } of detector.anomalies()) seen.add(metric);
    }
  }
  return [...seen].sort();
}

it('of more than 64 gauges of the user the same are watched in whatever order they come', () => {
  const names = risen(false);
  expect(names).toHaveLength(64);
  expect(risen(true)).toEqual(names);
});
