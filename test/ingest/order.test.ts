/** What a window, a comparison and a report say depends on neither the order of batches nor on what is open meanwhile. */
import { describe, expect, it } from 'vitest';
import { ChurningSystem } from '../../bench/churn/system.ts';
import { createRuleSet } from '../../src/classify/index.ts';
import { BUILT_IN_RULES } from '../../src/engine/create.ts';
import type { IngestConfig } from '../../src/ingest/index.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { AnyBatch } from '../../src/model/records.ts';
import { createPipeline } from '../../src/pipeline.ts';
import { createRandom, shuffled } from '../../src/stats/random.ts';
import { T0, WINDOW_MS } from './shop.ts';

/** A minute in detail, 16 minutes of sums behind it. */
const SHORT = { detailWindows: 12, detailWindowsMax: 12, minuteBlocks: 1, forgetEveryWindows: 12 };
const START = T0 - (T0 % 960_000);

async function reports(input: readonly AnyBatch[], ingest: Partial<IngestConfig>): Promise<string[]> {
  const pipeline = createPipeline({
    rules: createRuleSet(BUILT_IN_RULES),
    configHash: 'test',
    ingest: { ...ingest, latenessMs: 15_000 },
  });
  const outcomes = [];
  for (const batch of input) outcomes.push(...(await pipeline.accept(batch)).outcomes);
  outcomes.push(...(await pipeline.flush()));
  return outcomes.flatMap(({ reports: told }) => told.map((report) => JSON.stringify(report)));
}

describe('reports', () => {
  it.each([1, 2, 3])(
    'are the same when one batch closes several windows and little is kept singly (seed %i)',
    async (seed) => {
      const system = new ChurningSystem(
        { services: 5, instances: 10, callees: 2, perMachine: 4, addresses: false },
        seed,
      );
      const batches = Array.from({ length: 200 }, (_, w) => {
        system.slow = w >= 150 && w < 186 ? 2 : undefined;
        return system.window(START + w * WINDOW_MS);
      }).flat();
      const expected = await reports(batches, SHORT);
      expect(expected.length).toBeGreaterThan(1);
      const random = createRandom(seed);
      const mixed: AnyBatch[] = [];
      for (let i = 0; i < batches.length; i += 12) mixed.push(...shuffled(batches.slice(i, i + 12), random));
      expect(await reports(mixed, SHORT)).toEqual(expected);
    },
  );
});

describe('whom resources are of', () => {
  const reading = (w: number, machine: string, collector: string, cpuUsedUs = 1e6): AnyBatch =>
    ({
      ...{ schemaVersion: 1, environment: 'e', collector, windowMs: WINDOW_MS, sequence: 0 },
      type: 'resource',
      windowStartMs: START + w * WINDOW_MS,
      records: [{ entityKind: 'instance', entity: 'db-0', service: 'db', machine, cpuUsedUs }],
    }) as unknown as AnyBatch;
  /** Where each window has the instance. */
  const machines = (batches: readonly AnyBatch[]): (string | undefined)[] => {
    const ingest = createIngest();
    const found: (string | undefined)[] = [];
    const look = (): void => {
      for (let window = ingest.next(); window !== undefined; window = ingest.next())
        found.push(window.resources.entities[window.resources.entity[0]!]!.machine);
    };
    for (const batch of batches) {
      ingest.take(batch);
      look();
    }
    ingest.finish();
    look();
    return found;
  };
  const moves = [0, 1, 2, 3].map((w) => (w < 2 ? reading(w, 'm1', 'c1') : reading(w, 'm2', 'c2')));

  it('follows an instance to another machine', () => {
    expect(machines(moves)).toEqual(['m1', 'm1', 'm2', 'm2']);
    const ingest = createIngest();
    for (const batch of moves) ingest.push(batch);
    ingest.flush();
    const { resources } = ingest.compare('e', START + 3 * WINDOW_MS, START + 3 * WINDOW_MS);
    expect(resources.map(({ machine }) => machine)).toEqual(['m2']);
  });

  it('is the same in any order, also where two collectors say different things', () => {
    const back = [...moves, reading(4, 'm1', 'c1'), reading(4, 'm3', 'c3'), reading(5, 'm1', 'c1')];
    const expected = machines(back);
    expect(expected).toEqual(['m1', 'm1', 'm2', 'm2', 'm1', 'm1']);
    for (let seed = 1; seed <= 20; seed++) {
      const random = createRandom(seed);
      const order = back
        .map((batch) => ({ batch, at: batch.windowStartMs + random() * 9_000 }))
        .sort((a, b) => a.at - b.at)
        .map(({ batch }) => batch);
      expect(machines(order)).toEqual(expected);
    }
  });
});
