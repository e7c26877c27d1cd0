/** What no window refers to any more is forgotten, and nothing that anybody can see depends on when. */
import { describe, expect, it } from 'vitest';
import { ChurningSystem } from '../../bench/churn/system.ts';
import { createRuleSet } from '../../src/classify/index.ts';
import { createDetector } from '../../src/detect/index.ts';
import { BUILT_IN_RULES } from '../../src/engine/create.ts';
import type { IngestConfig } from '../../src/ingest/index.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { AnyBatch } from '../../src/model/records.ts';
import type { ClosedWindow } from '../../src/model/window.ts';
import { MANY_COLLECTORS } from '../../src/model/window.ts';
import { createPipeline } from '../../src/pipeline.ts';
import { createRandom, shuffled } from '../../src/stats/random.ts';
import { canonicalText } from './canonical-text.ts';
import { T0, WINDOW_MS } from './shop.ts';

/** A minute in detail, 16 minutes of sums behind it. */
const SHORT = { detailWindows: 12, detailWindowsMax: 12, minuteBlocks: 1, forgetEveryWindows: 12 };
const NEVER = { ...SHORT, forgetEveryWindows: 1_000_000_000 };
/** Half an hour in detail: what an incident is compared with. */
const LONG = { ...SHORT, detailWindows: 420, detailWindowsMax: 420 };
const HOUR = 3_600_000 / WINDOW_MS;
/** Of the minute that is kept the longest. */
const START = T0 - (T0 % 960_000);

interface Churned {
  readonly windows: number;
  readonly seed?: number;
  readonly addresses?: boolean;
  /** From this window on a service is slow, for 3 minutes. */
  readonly slowFrom?: number;
}

/** Every half minute an instance has another name, every ten minutes a machine. */
function churn({ windows, seed = 1, addresses = false, slowFrom = Number.NaN }: Churned): AnyBatch[] {
  const system = new ChurningSystem({ services: 5, instances: 10, callees: 2, perMachine: 4, addresses }, seed);
  return Array.from({ length: windows }, (_, w) => {
    if (w % 6 === 5) system.replaceInstances(1);
    if (w % 120 === 60) system.replaceMachine();
    system.slow = w >= slowFrom && w < slowFrom + 36 ? 2 : undefined;
    return system.window(START + w * WINDOW_MS);
  }).flat();
}

/** Calls of one window from one machine's collector. */
function call(w: number, callee: string, collector = 'm1', count = 10): AnyBatch {
  const ends = { caller: 'a', callee, calleeInstance: `${callee}-1`, side: 'server' } as const;
  const durationHistogram = { scale: 3, offset: 8, counts: [count] };
  return {
    ...{ schemaVersion: 1, environment: 'e', collector, windowMs: WINDOW_MS, sequence: 0 },
    type: 'call',
    windowStartMs: START + w * WINDOW_MS,
    records: [
      {
        ...ends,
        protocol: 'http',
        operation: 'GET /',
        status: '200',
        count,
        errors: 0,
        durationSumUs: 100,
        durationHistogram,
      },
    ],
  } as unknown as AnyBatch;
}

/** What each window shows, looked at before the next batch is taken. */
function shown<T>(batches: readonly AnyBatch[], config: Partial<IngestConfig>, look: (window: ClosedWindow) => T): T[] {
  const ingest = createIngest(config);
  return [...batches.flatMap((batch) => ingest.push(batch).closed.map(look)), ...ingest.flush().map(look)];
}

/** Of each leaf of calls, by callee, who reports it. */
function reporters({ names, callDirectory, calls }: ClosedWindow): string[] {
  const { keys, width, collector } = callDirectory;
  return [...calls.leaf].map((leaf) => {
    const by = collector[leaf] === MANY_COLLECTORS ? 'several' : names.name(collector[leaf]!);
    return `${names.name(keys[leaf * width + 1]!)} by ${by}`;
  });
}

describe('forgetting', () => {
  it.each([false, true])('keeps what is known at the size of what was live of late (addresses: %s)', (addresses) => {
    const ingest = createIngest(SHORT);
    const sizes: number[][] = [];
    let closed = 0;
    for (const batch of churn({ windows: 4 * HOUR, addresses })) {
      for (const { callDirectory, tcpDirectory, names, resources } of ingest.push(batch).closed) {
        if (++closed % HOUR === 0)
          sizes.push([callDirectory.size, tcpDirectory.size, names.size, resources.entities.length]);
      }
    }
    expect(sizes).toHaveLength(3);
    sizes[0]!.forEach((size, k) => {
      expect(sizes[2]![k]).toBeLessThan(size * 1.15);
    });
    // Ids are those of 20 minutes of an hour: without forgetting there are more after the first one already.
    const never = shown(churn({ windows: HOUR, addresses }), NEVER, ({ callDirectory }) => callDirectory.size).at(-1)!;
    expect(sizes[0]![0]).toBeLessThan(never * 0.7);
  });

  it.each([
    [1, false],
    [2, false],
    [3, true],
    [4, true],
  ])('shows in no window and no comparison (seed %i, addresses: %s)', (seed, addresses) => {
    const batches = churn({ windows: HOUR, seed, addresses });
    const [short, never] = [createIngest(SHORT), createIngest(NEVER)];
    let closed = 0;
    for (const batch of batches) {
      const windows = short.push(batch).closed;
      expect(windows.map(canonicalText)).toEqual(never.push(batch).closed.map(canonicalText));
      for (const { startMs } of windows) {
        if (++closed % 50 > 0) continue;
        for (const sinceMs of [startMs - 3 * WINDOW_MS, startMs - 240_000])
          expect(short.compare('bench', sinceMs, startMs)).toEqual(never.compare('bench', sinceMs, startMs));
      }
    }
  });

  it('does not concern a leaf of which only a minute has sums', () => {
    const gone = Array.from({ length: 12 }, (_, w) => call(w, 'old'));
    const stays = Array.from({ length: 12 * 10 }, (_, w) => call(12 + w, 'new'));
    const ingest = createIngest(SHORT);
    for (const batch of [...gone, ...stays]) ingest.push(batch);
    const nowMs = START + 130 * WINDOW_MS;
    const { calls } = ingest.compare('e', nowMs - 5 * WINDOW_MS, nowMs);
    expect(calls.map(({ callee, baseline }) => `${callee} ${baseline.count}`)).toContain('old 120');
  });

  it('takes a leaf that comes back for a new one', () => {
    const away = Array.from({ length: HOUR }, (_, k) => k + 12);
    const batches = [
      ...Array.from({ length: 12 }, (_, w) => call(w, 'old')),
      ...away.map((w) => call(w, `other-${w % 40}`)),
      ...Array.from({ length: 24 }, (_, k) => call(12 + HOUR + k, 'old', 'm2', 7)),
    ];
    expect(shown(batches, SHORT, canonicalText)).toEqual(shown(batches, NEVER, canonicalText));
    expect(shown(batches, SHORT, reporters).at(-1)).toEqual(['old by m2']);
    expect(shown(batches, SHORT, ({ callDirectory }) => callDirectory.size).at(-1)).toBeLessThan(50);
  });

  it.each([-1, 0, 2])('whether it came back just before or just after makes no difference (%i batches)', (early) => {
    const quiet = Array.from({ length: HOUR }, (_, w) => call(w, 'other'));
    const batches = [
      ...Array.from({ length: 12 }, (_, w) => ({ ...call(w, 'old'), sequence: 1 }) as AnyBatch),
      ...quiet,
    ];
    batches.sort((one, other) => one.windowStartMs - other.windowStartMs);
    const sizes = shown(batches, SHORT, ({ callDirectory }) => callDirectory.since(0).length);
    const forgotten = sizes.indexOf(1, 20);
    expect(forgotten).toBeGreaterThan(20);
    // The other's batch of the window where it comes back is the one that makes the engine forget.
    const back = { ...call(forgotten + 2, 'old', 'm2'), sequence: 1 } as AnyBatch;
    batches.splice(batches.findIndex(({ windowStartMs }) => windowStartMs === back.windowStartMs) - early, 0, back);
    const found = shown(batches, SHORT, (window) => [window.startMs, ...reporters(window).sort()]);
    expect(found).toContainEqual([back.windowStartMs, 'old by m2', 'other by m1']);
  });

  it.each([
    [1, false],
    [2, true],
  ])(
    'gives the same reports as never forgetting, in any order within the lateness (seed %i, addresses: %s)',
    async (seed, addresses) => {
      const batches = churn({ windows: 1.5 * HOUR, seed, addresses, slowFrom: 1.5 * HOUR - 60 });
      const reports = async (input: readonly AnyBatch[], ingest: Partial<IngestConfig>): Promise<string[]> => {
        const pipeline = createPipeline({
          rules: createRuleSet(BUILT_IN_RULES),
          configHash: 'test',
          ingest: { ...ingest, latenessMs: 15_000 },
        });
        const outcomes = [];
        for (const batch of input) outcomes.push(...(await pipeline.accept(batch)).outcomes);
        outcomes.push(...(await pipeline.flush()));
        return outcomes.flatMap(({ reports: told }) => told.map((report) => JSON.stringify(report)));
      };
      const expected = await reports(batches, { ...LONG, forgetEveryWindows: NEVER.forgetEveryWindows });
      expect(expected.some((report) => report.includes('service-2'))).toBe(true);
      expect(await reports(batches, LONG)).toEqual(expected);
      const random = createRandom(seed);
      const mixed: AnyBatch[] = [];
      // Twelve batches are of three windows at most.
      for (let i = 0; i < batches.length; i += 12) mixed.push(...shuffled(batches.slice(i, i + 12), random));
      expect(await reports(mixed, LONG)).toEqual(expected);
    },
  );

  it('judges a new leaf by nothing of the one whose id it has', () => {
    const batches = churn({ windows: HOUR });
    const states = (config: Partial<IngestConfig>): string => {
      const detector = createDetector();
      shown(batches, config, (window) => detector.step(window));
      return Buffer.from(detector.snapshot()).toString('base64');
    };
    expect(states(SHORT) === states(NEVER)).toBe(true);
  });
});
