/** What a window, a comparison and a report say depends on neither the order of batches nor on what is open meanwhile. */
import { describe, expect, it } from 'vitest';
import { ChurningSystem } from '../../bench/churn/system.ts';
import { createRuleSet } from '../../src/classify/index.ts';
import { createDetector } from '../../src/detect/index.ts';
import { BUILT_IN_RULES } from '../../src/engine/create.ts';
import type { IngestConfig } from '../../src/ingest/index.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { AnyBatch } from '../../src/model/records.ts';
import { MANY_COLLECTORS } from '../../src/model/window.ts';
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

describe('who reports a leaf', () => {
  const call = (w: number, callee: string, collector: string): AnyBatch =>
    ({
      ...{ schemaVersion: 1, environment: 'e', collector, windowMs: WINDOW_MS, sequence: 0 },
      type: 'call',
      windowStartMs: START + w * WINDOW_MS,
      records: [
        {
          ...{ caller: 'a', callee, calleeInstance: `${callee}-1`, side: 'server', protocol: 'http' },
          ...{ operation: 'GET /', status: '200', count: 10, errors: 0, durationSumUs: 100 },
        },
      ],
    }) as unknown as AnyBatch;
  /** By window: callee and who reports it. */
  const reporters = (batches: readonly AnyBatch[]): string[] => {
    const ingest = createIngest(SHORT);
    const found: string[] = [];
    const look = (): void => {
      for (let window = ingest.next(); window !== undefined; window = ingest.next()) {
        const { names, callDirectory, calls, startMs } = window;
        const { keys, width, collector } = callDirectory;
        const leaves = [...calls.leaf].map((leaf) => {
          const by = collector[leaf] === MANY_COLLECTORS ? 'several' : names.name(collector[leaf]!);
          return `${names.name(keys[leaf * width + 1]!)} by ${by}`;
        });
        found.push(`${(startMs - START) / WINDOW_MS}: ${leaves.sort().join(', ')}`);
      }
    };
    for (const batch of batches) {
      ingest.take(batch);
      look();
    }
    ingest.finish();
    look();
    return found;
  };

  it('is what closed windows say', () => {
    const batches = [call(0, 'b', 'c1'), call(1, 'b', 'c2'), call(2, 'b', 'c1')];
    for (const order of [batches, [batches[1]!, batches[0]!, batches[2]!]])
      expect(reporters(order)).toEqual(['0: b by c1', '1: b by several', '2: b by several']);
  });

  it('are both of two that bring it back in one window just before it would be forgotten', () => {
    const batches = [
      ...Array.from({ length: 12 }, (_, w) => call(w, 'old', 'c2')),
      ...Array.from({ length: 260 }, (_, w) => call(w, 'other', 'c1')),
    ].sort((one, other) => one.windowStartMs - other.windowStartMs);
    const told = (w: number, early: number): string | undefined => {
      const input = [...batches];
      const at = input.findIndex(({ windowStartMs }) => windowStartMs === START + w * WINDOW_MS);
      input.splice(at - early, 0, call(w, 'old', 'c2'), call(w, 'old', 'c3'));
      return reporters(input).find((text) => text.startsWith(`${w}: `));
    };
    for (const early of [0, 1, 2]) {
      const late = Array.from({ length: 50 }, (_, k) => told(200 + k, early));
      expect(new Set(late.map((text) => text?.replace(/^\d+: /, '')))).toEqual(
        new Set(['old by several, other by c1']),
      );
    }
  });
});

describe('who was behind an address', () => {
  const header = (w: number, collector: string, type: string) => ({
    ...{ schemaVersion: 1, environment: 'e', collector, windowMs: WINDOW_MS, sequence: 0 },
    ...{ type, windowStartMs: START + w * WINDOW_MS },
  });
  const client = { caller: 'a', callerInstance: 'a-1', callee: '10.0.0.2:8080', side: 'client' };
  const server = { caller: '10.0.0.1', callee: 'b', calleeInstance: 'b-1', side: 'server' };
  const told = (w: number): AnyBatch[] =>
    [client, server].map((ends, i) => {
      const records = [{ ...ends, calleePort: 8080, segmentsOut: 4, clientEndpoints: ['10.0.0.1:20000'] }];
      return { ...header(w, `c${i}`, 'tcp'), records } as unknown as AnyBatch;
    });
  const call = (w: number, ends: object, collector: string): AnyBatch => {
    const what = { protocol: 'http', operation: 'GET /', status: '200', count: 10, errors: 0, durationSumUs: 100 };
    return { ...header(w, collector, 'call'), records: [{ ...ends, ...what }] } as unknown as AnyBatch;
  };

  it('is remembered by what closed windows have, not by what an open one brought back', () => {
    const quiet = Array.from({ length: 260 }, (_, w) => call(w, { ...server, caller: 'x' }, 'c9'));
    const batches = [
      ...Array.from({ length: 12 }, (_, w) => [...told(w), call(w, client, 'c0')]).flat(),
      ...quiet,
    ].sort((one, other) => one.windowStartMs - other.windowStartMs);
    const callee = (w: number, early: number): string => {
      const input = [...batches];
      const at = input.findIndex(({ windowStartMs }) => windowStartMs === START + w * WINDOW_MS);
      input.splice(at - early, 0, call(w, client, 'c0'));
      const ingest = createIngest(SHORT);
      let found = '';
      const look = (): void => {
        for (let window = ingest.next(); window !== undefined; window = ingest.next()) {
          if (window.startMs !== START + w * WINDOW_MS) continue;
          const { names, callDirectory, calls } = window;
          found = [...calls.leaf]
            .map((leaf) => names.name(callDirectory.keys[leaf * callDirectory.width + 1]!))
            .filter((name) => name !== 'b')
            .join();
        }
      };
      for (const batch of input) {
        ingest.take(batch);
        look();
      }
      ingest.finish();
      look();
      return found;
    };
    for (let w = 200; w < 250; w++) expect([w, callee(w, 1), callee(w, 0)]).toEqual([w, callee(w, -1), callee(w, -1)]);
  });
});

describe('who vanished', () => {
  const call = (w: number, calleeInstance: string, collector: string): AnyBatch => {
    const ends = { caller: 'a', callee: 'b', calleeInstance, side: 'server', protocol: 'http' };
    const what = { operation: 'GET /', status: '200', count: 50, errors: 0, durationSumUs: 5e5 };
    return {
      ...{ schemaVersion: 1, environment: 'e', collector, windowMs: WINDOW_MS, sequence: 0 },
      ...{ type: 'call', windowStartMs: START + w * WINDOW_MS, records: [{ ...ends, ...what }] },
    } as unknown as AnyBatch;
  };

  it.each([720, 721, 722, 723])(
    'is told by closed windows, not by what an open one brought back (window %i)',
    (back) => {
      const batches = Array.from({ length: back + 6 }, (_, w) => [
        ...(w < 200 ? [call(w, 'b-2', 'c2')] : []),
        call(w, 'b-1', 'c1'),
      ]).flat();
      const stateAfter = (early: number): string => {
        const input = [...batches];
        const at = input.findIndex(({ windowStartMs }) => windowStartMs === START + back * WINDOW_MS);
        input.splice(at - early, 0, call(back, 'b-2', 'c2'));
        const ingest = createIngest(SHORT);
        const detector = createDetector();
        const look = (): void => {
          for (let window = ingest.next(); window !== undefined; window = ingest.next()) detector.step(window);
        };
        for (const batch of input) {
          ingest.take(batch);
          look();
        }
        ingest.finish();
        look();
        return Buffer.from(detector.snapshot()).toString('base64');
      };
      expect(stateAfter(2) === stateAfter(-1)).toBe(true);
    },
  );
});
