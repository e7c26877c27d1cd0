/** Instances that were not there before: held against what their siblings were. */
import { describe, expect, it } from 'vitest';
import { demarcate } from '../../src/demarcate/index.ts';
import { growthOf, observe } from '../../src/demarcate/instance-work.ts';
import { buildSystem } from '../../src/demarcate/system.ts';
import { concentratedInstance, instanceShares, silentInstances } from '../../src/demarcate/vertical.ts';
import { worked } from '../../src/demarcate/work.ts';
import type { CallLeaf, CallSums, Comparison } from '../../src/model/comparison.ts';
import { service } from '../../src/model/entity.ts';
import { newcomersOf } from '../../src/model/newcomer.ts';
import type { ChangeRecord } from '../../src/model/records.ts';
import { draw, pair } from './draw.ts';

const sums = (count: number, us: number): CallSums => ({
  count,
  errors: 0,
  durationSumUs: count * us,
  durationSquareUs2: count * us * us,
});

type Instances = Readonly<Record<string, readonly [before: number, beforeUs: number, now: number, nowUs: number]>>;

/** Calls into `api` by instance. */
function withInstances(instances: Instances): Comparison {
  const drawn = draw({ graph: 'web -> api' });
  const calls = drawn.calls.flatMap((leaf): CallLeaf[] => {
    if (leaf.callee !== 'api') return [leaf];
    return Object.entries(instances).map(([calleeInstance, [before, beforeUs, now, nowUs]]) => ({
      ...leaf,
      calleeInstance,
      calleeMachine: 'm1',
      baseline: sums(before, beforeUs),
      current: sums(now, nowUs),
    }));
  });
  return { ...drawn, calls };
}

describe('a new instance', () => {
  it('as fast as its siblings carries nothing of what one of these got slower', () => {
    const shares = instanceShares(
      withInstances({ 'api-1': [600, 1_000, 60, 9_000], 'api-2': [600, 1_000, 60, 1_000], 'api-3': [0, 0, 60, 1_000] }),
      'api',
      'duration',
    );
    expect(concentratedInstance(shares)?.instance).toBe('api-1');
    expect(shares.map(({ share }) => share)).toEqual([1, 0, 0]);
  });

  it('is not who was there, however many more requests all of them get', () => {
    const surge = withInstances({ 'api-1': [10, 1_000, 600, 9_000], 'api-2': [10, 9_000, 600, 9_000] });
    expect(newcomersOf(surge, 'api')?.names).toEqual([]);
    expect(instanceShares(surge, 'api', 'duration').map(({ instance, share }) => [instance, share])).toEqual([
      ['api-1', 1],
      ['api-2', 0],
    ]);
  });

  it('that is slow beside old ones that are not carries it alone', () => {
    const shares = instanceShares(
      withInstances({ 'api-1': [600, 1_000, 60, 1_000], 'api-2': [600, 1_000, 60, 1_000], 'api-3': [0, 0, 60, 9_000] }),
      'api',
      'duration',
    );
    expect(concentratedInstance(shares)?.instance).toBe('api-3');
  });

  it('is not told from other new ones that are as slow: it is the service', () => {
    const shares = instanceShares(
      withInstances({ 'api-1': [600, 1_000, 0, 0], 'api-2': [0, 0, 60, 9_000], 'api-3': [0, 0, 60, 9_000] }),
      'api',
      'duration',
    );
    expect(concentratedInstance(shares)).toBeUndefined();
    expect(shares.find(({ instance }) => instance === 'api-2')?.share).toBeCloseTo(0.5, 9);
  });

  it('has grown by what it takes more than a sibling did, not by all that it does', () => {
    const { self } = observe(withInstances({ 'api-1': [600, 1_000, 60, 1_000], 'api-2': [0, 0, 60, 3_000] }));
    const unit = self.find(({ ends }) => ends[0]?.instance === 'api-2')!;
    expect(growthOf(unit)).toBeCloseTo(60 * 2_000, 6);
  });
});

describe('an instance that moved to another machine', () => {
  it('is where it is called now, in any order', () => {
    const drawn = withInstances({ 'api-1': [600, 1_000, 60, 9_000], 'api-2': [600, 1_000, 60, 1_000] });
    const calls = drawn.calls.flatMap((leaf): CallLeaf[] =>
      leaf.calleeInstance === 'api-1'
        ? [
            { ...leaf, current: sums(0, 0) },
            { ...leaf, calleeMachine: 'm2', baseline: sums(0, 0) },
          ]
        : [leaf],
    );
    for (const ordered of [calls, calls.toReversed()]) {
      const comparison = { ...drawn, calls: ordered };
      expect(concentratedInstance(instanceShares(comparison, 'api', 'duration'))?.machine).toBe('m2');
      const unit = observe(comparison).self.find(({ ends }) => ends[0]?.instance === 'api-1');
      expect(unit?.ends[0]?.machine).toBe('m2');
    }
  });
});

describe('who was there before', () => {
  it('is not new when the whole service gets many times the requests', () => {
    const comparison = withInstances({ 'api-1': [60, 1_000, 1_500, 9_000], 'api-2': [600, 2_000, 15_000, 2_000] });
    expect(newcomersOf(comparison, 'api')?.names).toEqual([]);
    const { self } = observe(comparison);
    expect(self.find(({ ends }) => ends[0]?.instance === 'api-1')?.before.count).toBe(60);
    expect(instanceShares(comparison, 'api', 'duration')[0]).toMatchObject({ instance: 'api-1', share: 1 });
  });

  it('is not new in a surge, and those that were added in it are', () => {
    const comparison = withInstances({
      'api-1': [600, 1_000, 15_000, 1_000],
      'api-2': [600, 1_000, 15_000, 1_000],
      'api-3': [0, 0, 15_000, 1_000],
    });
    expect(newcomersOf(comparison, 'api')?.names).toEqual(['api-3']);
  });

  it('is not new for a share of the calls that grew, after a short baseline', () => {
    const drawn = withInstances({ 'api-1': [600, 1_000, 660, 1_000], 'api-2': [600, 1_000, 540, 1_000] });
    const comparison = {
      ...drawn,
      baseline: { ...drawn.baseline, windows: 3 },
      current: { ...drawn.current, windows: 3 },
    };
    expect(newcomersOf(comparison, 'api')?.names).toEqual([]);
  });
});

describe('an instance that answers nothing any more', () => {
  const stop = (how: Partial<ChangeRecord>): ChangeRecord => ({
    atMs: 1,
    change: 'process_exit',
    entityKind: 'instance',
    entity: 'api-1',
    service: 'api',
    ...how,
  });
  /** api-1 is gone, api-2 goes on; callers still ask api-1 so often. */
  const gone = (asked: number, ...changes: readonly ChangeRecord[]): Comparison => {
    const drawn = withInstances({ 'api-1': [600, 1_000, 0, 0], 'api-2': [600, 1_000, 120, 1_000] });
    const calls = drawn.calls.map(
      (leaf): CallLeaf =>
        leaf.side === 'client' && leaf.calleeInstance === 'api-1' ? { ...leaf, current: sums(asked, 200) } : leaf,
    );
    return { ...drawn, calls, changes };
  };

  it('is silent, unless somebody stopped it', () => {
    expect(silentInstances(gone(0), 'api')).toEqual(['api-1']);
    expect(silentInstances(gone(0, stop({ signal: 15 })), 'api')).toEqual([]);
    expect(silentInstances(gone(0, stop({ exitCode: 0 })), 'api')).toEqual([]);
  });

  it('is silent when nobody tells how it ended', () => {
    expect(silentInstances(gone(0, stop({})), 'api')).toEqual(['api-1']);
  });

  it('is silent when it crashed, and came back before the end', () => {
    const back = (answered: number, ...changes: readonly ChangeRecord[]): Comparison => ({
      ...withInstances({ 'api-1': [600, 1_000, answered, 1_000], 'api-2': [600, 1_000, 120, 1_000] }),
      changes,
    });
    expect(silentInstances(back(200, stop({ signal: 9 })), 'api')).toEqual(['api-1']);
    expect(silentInstances(back(200), 'api')).toEqual([]);
    expect(silentInstances(back(400, stop({ signal: 9 })), 'api')).toEqual([]);
  });

  it('is silent when it crashed, was started again, or is still asked', () => {
    expect(silentInstances(gone(0, stop({ signal: 9 })), 'api')).toEqual(['api-1']);
    const again = { ...stop({ atMs: 2 }), change: 'process_start' } as const;
    expect(silentInstances(gone(0, stop({ signal: 15 }), again), 'api')).toEqual(['api-1']);
    expect(silentInstances(gone(60, stop({ signal: 15 })), 'api')).toEqual(['api-1']);
  });
});

describe('an instance that refuses in the place of the only one before', () => {
  it('has no sibling that answers: it is the service', () => {
    const drawn = draw({
      graph: 'web -> api',
      errors: { web: [0, 0.5] },
      refused: { 'web -> api': 250 },
      symptom: 'error_rise',
    });
    const calls = drawn.calls.flatMap((leaf): CallLeaf[] => {
      if (leaf.callee !== 'api') return [leaf];
      if (leaf.side === 'client')
        return [{ ...leaf, calleeInstance: 'api-2', current: { ...leaf.current, errors: leaf.current.count / 2 } }];
      const { baseline } = leaf;
      return ['api-1', 'api-2'].map((calleeInstance) => ({ ...leaf, calleeInstance, baseline, current: sums(0, 0) }));
    });
    const changes = [{ atMs: 1, change: 'process_exit', entityKind: 'instance', entity: 'api-1', signal: 15 }] as const;
    const partOf = [
      ['api-1', 'api'],
      ['api-2', 'api'],
    ] as const;
    const { suspects } = demarcate({ ...drawn, calls, changes, topology: { ...drawn.topology, partOf } });
    expect(suspects[0]?.entity).toEqual(service('api'));
  });
});

describe('whether a service worked', () => {
  it('is told by what was there at a time, not by all that a deploy before had there one after the other', () => {
    const drawn = withInstances({ 'api-a': [600, 1_000, 0, 0], 'api-b': [600, 1_000, 1_200, 1_500] });
    const cpu = (entity: string, was: number, is: number, before: number, now: number) => ({
      entityKind: 'instance' as const,
      entity,
      service: entity.slice(0, 3),
      metrics: [{ ...pair('cpuUsedUs', was, is), baselineWindows: before, currentWindows: now }],
    });
    const { windows } = drawn.baseline;
    const resources = [
      cpu('api-a', 40_000, Number.NaN, windows / 2, 0),
      cpu('api-b', 40_000, 60_000, windows / 2, windows),
      cpu('web-1', 10_000, 10_000, windows, windows),
    ];
    const comparison = { ...drawn, resources };
    expect(worked(buildSystem(comparison), comparison, 'api')).toBe(true);
  });

  /** CPU of api-1 before and now, of api-2 now, µs a window; calls of both. */
  const working = (before: number, secondIsNew: boolean): boolean => {
    const drawn = withInstances({
      'api-1': [600, 1_000, 60, 1_000],
      'api-2': secondIsNew ? [0, 0, 60, 9_000] : [600, 1_000, 60, 9_000],
    });
    const cpu = (entity: string, was: number, is: number): Comparison['resources'][number] => ({
      entityKind: 'instance',
      entity,
      service: 'api',
      metrics: [pair('cpuUsedUs', was, is)],
    });
    const comparison = { ...drawn, resources: [cpu('api-1', before, before / 2), cpu('api-2', Number.NaN, 400_000)] };
    return worked(buildSystem(comparison), comparison, 'api');
  };

  it('counts what a new instance computes, which did nothing before', () => {
    expect(working(30_000, true)).toBe(true);
  });

  it('is not known where an instance that was there before was not watched then', () => {
    expect(working(30_000, false)).toBe(false);
  });
});
