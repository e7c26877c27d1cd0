import { describe, expect, it } from 'vitest';
import { demarcate } from '../../src/demarcate/index.ts';
import type { Comparison } from '../../src/model/comparison.ts';
import type { Entity } from '../../src/model/entity.ts';
import type { Ledger, Walk } from '../../src/model/walk.ts';
import { createRandom, shuffled } from '../../src/stats/index.ts';
import { draw, pair } from './draw.ts';

function contribution(ledger: Ledger | undefined, term: string, name: string): number {
  return ledger?.entries.find((entry) => entry.term === term && entry.entity?.name === name)?.contribution ?? 0;
}

function expectAddsUp(walk: Walk): void {
  for (const ledger of walk.ledgers) {
    const sum = ledger.entries.reduce((total, entry) => total + entry.contribution, 0);
    expect(Math.abs(sum - ledger.change)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(ledger.change)));
  }
}

describe('latency ledger, computed by hand', () => {
  it("web -> api -> db; api -> cache: the database's own time", () => {
    const walk = demarcate(draw({ graph: 'web -> api -> db; api -> cache', self: { db: [1_000, 51_000] } }));
    expectAddsUp(walk);
    const [ledger] = walk.ledgers;
    expect(ledger?.change).toBeCloseTo(50_000, 6);
    expect(contribution(ledger, 'self', 'db')).toBeCloseTo(50_000, 6);
    expect(contribution(ledger, 'self', 'api')).toBeCloseTo(0, 6);
    expect(walk.suspects[0]?.entity).toEqual({ kind: 'service', name: 'db' });
    expect(walk.suspects[0]?.path.map(({ name }) => name)).toEqual(['db', 'api', 'web']);
    expect(walk.abstained).toBe(false);
  });

  it('the time between two services is the edge’s', () => {
    const walk = demarcate(draw({ graph: 'web -> api -> db', net: { 'api -> db': [100, 20_100] } }));
    expectAddsUp(walk);
    expect(contribution(walk.ledgers[0], 'network', 'api -> db')).toBeCloseTo(20_000, 6);
    expect(walk.suspects[0]?.entity).toMatchObject({ kind: 'edge', from: 'api', to: 'db' });
  });

  it('there is no time between two services that share a Unix socket: it is a queue, and the callee’s', () => {
    const drawn = { graph: 'web -> api -> db', net: { 'api -> db': [100, 20_100] as const } };
    const suspects = (comparison: Comparison): Entity[] => demarcate(comparison).suspects.map(({ entity }) => entity);
    expect(suspects(draw({ ...drawn, unix: ['api -> db'] }))[0]).toMatchObject({ kind: 'service', name: 'db' });
    // Nothing told of segments is not none.
    const untold = draw({ ...drawn, unix: ['api -> db'] });
    const tcp = untold.tcp.map((row) => ({
      ...row,
      metrics: row.metrics.filter(({ metric }) => metric === 'bytesOut'),
    }));
    expect(suspects({ ...untold, tcp })[0]).toMatchObject({ kind: 'edge', from: 'api', to: 'db' });
  });

  it('fan-out: three calls instead of one are the caller’s doing, split by the midpoint rule', () => {
    // Before: 1 x (1000 + 100); now: 3 x (1000 + 100). Nothing got slower.
    const walk = demarcate(draw({ graph: 'web -> api', calls: { 'web -> api': [1, 3] } }));
    expectAddsUp(walk);
    expect(contribution(walk.ledgers[0], 'calls', 'web -> api')).toBeCloseTo(2 * 1_100, 6);
    expect(contribution(walk.ledgers[0], 'visits', 'api')).toBeCloseTo(0, 6);
    expect(contribution(walk.ledgers[0], 'self', 'api')).toBeCloseTo(0, 6);
    expect(walk.suspects.map(({ entity }) => entity.name)).toEqual(['web']);
    expect(walk.suspects[0]?.observations[0]?.text).toBe(
      'web calls api 3.0 times for each of its requests, 1.0 before',
    );
  });

  it('fan-out at the top of a chain is followed to its bottom, and blamed on nobody there', () => {
    const walk = demarcate(draw({ graph: 'web -> api -> db; web -> cache', calls: { 'web -> api': [1, 4] } }));
    expectAddsUp(walk);
    expect(walk.suspects.map(({ entity, term }) => [entity.name, term])).toEqual([['web', 'calls']]);
    expect(walk.suspects[0]?.contribution).toBeCloseTo(1, 9);
  });

  it('calls repeated because they fail stay where they fail', () => {
    const failing = { calls: { 'web -> api': [1, 3] as const }, errors: { api: [0, 0.9] as const } };
    const walk = demarcate(draw({ graph: 'web -> api', ...failing }));
    expectAddsUp(walk);
    expect(walk.ledgers.flatMap(({ entries }) => entries).some(({ term }) => term === 'calls')).toBe(false);
  });

  it('own time counts as often as the service is visited', () => {
    const walk = demarcate(
      draw({ graph: 'web -> api -> db', calls: { 'api -> db': [4, 4] }, self: { db: [500, 2_500] } }),
    );
    expect(contribution(walk.ledgers[0], 'self', 'db')).toBeCloseTo(4 * 2_000, 6);
  });

  it('a callee nobody watches is kept whole, and the walk says so', () => {
    const walk = demarcate(draw({ graph: 'web -> api -> ext', blind: ['ext'], self: { ext: [1_000, 31_000] } }));
    expectAddsUp(walk);
    expect(walk.suspects[0]?.entity.name).toMatch(/ext/);
    expect(walk.notes.join()).toContain('ext is seen only by its callers');
    const gone = draw({ graph: 'web -> api -> ext', blind: ['ext'], calls: { 'api -> ext': [1, 0] } });
    expect(demarcate(gone).notes.join()).not.toContain('ext is seen');
  });

  it('two faults at once are both named, the larger first', () => {
    const walk = demarcate(draw({ graph: 'web -> a; web -> b', self: { a: [1_000, 31_000], b: [1_000, 21_000] } }));
    expectAddsUp(walk);
    expect(walk.suspects.slice(0, 2).map(({ entity }) => entity.name)).toEqual(['a', 'b']);
    expect(walk.suspects[0]?.contribution).toBeCloseTo(0.6, 6);
  });

  it('a cycle of calls ends and still adds up', () => {
    const comparison = draw({ graph: 'web -> api -> db', self: { db: [1_000, 41_000] } });
    const back = comparison.calls.find(({ callee, side }) => callee === 'db' && side === 'client');
    if (back === undefined) throw new Error('no such leaf');
    const scaled = (sums: typeof back.baseline) => ({
      count: sums.count / 10,
      errors: 0,
      durationSumUs: sums.durationSumUs / 1_000,
      durationSquareUs2: sums.durationSquareUs2,
    });
    const walk = demarcate({
      ...comparison,
      calls: [
        ...comparison.calls,
        { ...back, caller: 'db', callee: 'api', baseline: scaled(back.baseline), current: scaled(back.current) },
      ],
    });
    expectAddsUp(walk);
    expect(walk.suspects[0]?.entity.name).toBe('db');
  });

  it('parallel calls: the slow one explains its caller, not the caller itself', () => {
    // api calls a and b at the same time: its time is 200 + the slower one. The overlap changes too, and the ledger books
    // that part as visits, so that a carries about two thirds instead of all.
    const comparison = draw({
      graph: 'api -> a; api -> b',
      self: { api: [200, 200], a: [5_000, 45_000], b: [5_000, 5_000] },
    });
    const calls = comparison.calls.map((leaf) => {
      if (leaf.callee !== 'api') return leaf;
      const at = (sums: typeof leaf.baseline, mean: number) => ({
        ...sums,
        durationSumUs: sums.count * mean,
        durationSquareUs2: sums.count * mean * mean,
      });
      return { ...leaf, baseline: at(leaf.baseline, 200 + 5_100), current: at(leaf.current, 200 + 45_100) };
    });
    const walk = demarcate({ ...comparison, calls });
    expectAddsUp(walk);
    expect(walk.suspects[0]?.entity.name).toBe('a');
    expect(walk.suspects[0]?.contribution).toBeGreaterThan(0.65);
  });
});

describe('error ledger', () => {
  it('errors begin where no callee explains them', () => {
    const walk = demarcate(
      draw({ graph: 'web -> api -> db; api -> cache', errors: { db: [0, 0.2] }, symptom: 'error_rise' }),
    );
    expectAddsUp(walk);
    expect(walk.ledgers[0]?.kind).toBe('errors');
    expect(walk.suspects[0]?.entity).toEqual({ kind: 'service', name: 'db' });
    expect(walk.suspects[0]?.contribution).toBeCloseTo(1, 6);
  });

  it('refused connects name the refusing service', () => {
    const walk = demarcate(
      draw({ graph: 'web -> api', errors: { web: [0, 0.5] }, refused: { 'web -> api': 250 }, symptom: 'error_rise' }),
    );
    expectAddsUp(walk);
    expect(walk.suspects[0]?.entity).toEqual({ kind: 'service', name: 'api' });
  });
});

describe('waiting is not a cause', () => {
  const drawn = draw({ graph: 'web -> api -> db', self: { api: [1_000, 201_000], db: [1_000, 21_000] } });
  const cpu = (now: number) => [
    { entityKind: 'instance' as const, entity: 'api-1', service: 'api', metrics: [pair('cpuUsedUs', 100_000, now)] },
  ];

  it('a caller that queues for a slow callee moves the blame to it; the ledger keeps the wait where it was spent', () => {
    const walk = demarcate({ ...drawn, resources: cpu(100_000) });
    expectAddsUp(walk);
    expect(walk.suspects[0]?.entity.name).toBe('db');
    expect(contribution(walk.ledgers[0], 'self', 'api')).toBeCloseTo(200_000, 6);
  });

  it('a caller that works more keeps it', () => {
    // 100 requests/s, 500 a window: 190 ms of CPU more for each.
    expect(demarcate({ ...drawn, resources: cpu(100_000 + 500 * 190_000) }).suspects[0]?.entity.name).toBe('api');
  });

  it('a caller stopped by its quota keeps it', () => {
    const resources = [
      { ...cpu(100_000)[0]!, metrics: [pair('cpuUsedUs', 100_000, 100_000), pair('cpuThrottledUs', 0, 4_000_000)] },
    ];
    expect(demarcate({ ...drawn, resources }).suspects[0]?.entity.name).toBe('api');
  });

  it('a callee that is as fast as before is not blamed', () => {
    const walk = demarcate({
      ...draw({ graph: 'web -> api -> db', self: { api: [1_000, 201_000], db: [1_000, 1_500] } }),
      resources: cpu(100_000),
    });
    expect(walk.suspects[0]?.entity.name).toBe('api');
  });
});

describe('what must not change the walk', () => {
  const base = draw({
    graph: 'web -> api -> db; api -> cache; web -> auth',
    self: { db: [1_000, 21_000], api: [1_000, 6_000] },
  });
  const key = (walk: Walk) => walk.suspects.map(({ entity, contribution }) => [entity.name, contribution.toFixed(9)]);

  it.each([1, 2, 3])('the order of rows (seed %i)', (seed) => {
    expect(key(demarcate({ ...base, calls: shuffled(base.calls, createRandom(seed)) }))).toEqual(key(demarcate(base)));
  });

  it('the unit of durations', () => {
    const scale = (comparison: Comparison, by: number): Comparison => ({
      ...comparison,
      calls: comparison.calls.map((leaf) => ({
        ...leaf,
        baseline: {
          ...leaf.baseline,
          durationSumUs: leaf.baseline.durationSumUs * by,
          durationSquareUs2: leaf.baseline.durationSquareUs2 * by * by,
        },
        current: {
          ...leaf.current,
          durationSumUs: leaf.current.durationSumUs * by,
          durationSquareUs2: leaf.current.durationSquareUs2 * by * by,
        },
      })),
    });
    expect(key(demarcate(scale(base, 1_000)))).toEqual(key(demarcate(base)));
  });

  it('an entity that has nothing to do with it', () => {
    const other = draw({ graph: 'batch -> files' });
    const walk = demarcate({
      ...base,
      calls: [...base.calls, ...other.calls.filter(({ caller }) => caller !== 'external')],
    });
    expect(key(walk)).toEqual(key(demarcate(base)));
  });

  it('a leaf split in two', () => {
    const half = (sums: { count: number; errors: number; durationSumUs: number; durationSquareUs2: number }) => ({
      count: sums.count / 2,
      errors: sums.errors / 2,
      durationSumUs: sums.durationSumUs / 2,
      durationSquareUs2: sums.durationSquareUs2 / 2,
    });
    const calls = base.calls.flatMap((leaf) =>
      ['a', 'b'].map((operation) => ({
        ...leaf,
        operation,
        baseline: half(leaf.baseline),
        current: half(leaf.current),
      })),
    );
    expect(key(demarcate({ ...base, calls }))).toEqual(key(demarcate(base)));
  });
});

describe('when nothing stands out', () => {
  it('abstains on a system that did not change', () => {
    const walk = demarcate(draw({ graph: 'web -> api -> db' }));
    expect(walk.abstained).toBe(true);
  });

  it('abstains without any service symptom', () => {
    expect(demarcate({ ...draw({ graph: 'web -> api' }), anomalies: [] })).toMatchObject({
      abstained: true,
      suspects: [],
    });
  });
});

describe('precedence', () => {
  const drawn = draw({ graph: 'web -> api -> db', self: { db: [1_000, 51_000] } });
  const [symptom] = drawn.anomalies;
  /** The database's own anomaly, so many windows after the symptom's onset, which is known to `blurWindows`. */
  const suspects = (laterWindows: number, blurWindows: number) => {
    const onsetMs = symptom!.onsetMs;
    const own = {
      ...symptom!,
      entity: { kind: 'service', name: 'db' },
      onsetMs: onsetMs + laterWindows * 5_000,
    } as const;
    const blurred = blurWindows > 0 ? { ...symptom!, onsetBlurMs: blurWindows * 5_000 } : symptom!;
    return demarcate({ ...drawn, anomalies: [blurred, own] }).suspects.map(({ entity }) => entity.name);
  };

  it('what began three windows after the symptom did not cause it, two are within the resolution', () => {
    expect(suspects(2, 0)).toContain('db');
    expect(suspects(3, 0)).not.toContain('db');
  });

  it('what began within the time that the symptom’s onset is known to is not later', () => {
    expect(suspects(7, 5)).toContain('db');
    expect(suspects(8, 5)).not.toContain('db');
  });
});
