/** What only a part of the system shows: calls nobody waits for, services and instances without a collector, traffic alone. */
import { describe, expect, it } from 'vitest';
import { demarcate } from '../../src/demarcate/index.ts';
import { concentratedInstance, instanceShares } from '../../src/demarcate/vertical.ts';
import type { CallLeaf, Comparison } from '../../src/model/comparison.ts';
import { edge, service } from '../../src/model/entity.ts';
import type { Anomaly } from '../../src/model/incident.ts';
import type { Drawn } from './draw.ts';
import { draw, pair } from './draw.ts';

function about(comparison: Comparison, ...anomalies: readonly Partial<Anomaly>[]): Comparison {
  const [first] = comparison.anomalies;
  return { ...comparison, anomalies: anomalies.map((one) => ({ ...first!, ...one })) };
}

/** The service answers in so many µs whatever its callees take: it does not wait for them, or not for all of it. */
function answersIn(comparison: Comparison, name: string, before: number, now: number): Comparison {
  const calls = comparison.calls.map((leaf): CallLeaf => {
    if (leaf.callee !== name) return leaf;
    const { baseline, current } = leaf;
    return {
      ...leaf,
      baseline: {
        ...baseline,
        durationSumUs: baseline.count * before,
        durationSquareUs2: baseline.count * before ** 2,
      },
      current: { ...current, durationSumUs: current.count * now, durationSquareUs2: current.count * now ** 2 },
    };
  });
  return { ...comparison, calls };
}

describe('calls nobody waits for', () => {
  const graph = 'web -> mail; web -> api';

  it('explain nothing while they take as long as ever: the service itself got slow', () => {
    const drawn = answersIn(draw({ graph, self: { mail: [20_000, 20_000] } }), 'web', 5_000, 25_000);
    const [first] = demarcate(drawn).suspects;
    expect(first?.entity.name).toBe('web');
    expect(first?.contribution).toBeGreaterThan(0.9);
  });

  it('got slow where their callee did, not where the caller answers as fast as before', () => {
    const slow = answersIn(draw({ graph, self: { mail: [20_000, 90_000] } }), 'web', 5_000, 5_000);
    const onEdge = about(slow, { entity: edge('web', 'mail') }, { entity: service('mail') });
    const walk = demarcate(onEdge);
    expect(walk.symptom).toEqual(service('mail'));
    expect(walk.suspects.map(({ entity }) => entity.name)).toEqual(['mail']);
  });
});

describe('without a collector', () => {
  it('a service whose callees see its calls keeps only what is left of its time', () => {
    const drawn = draw({ graph: 'web -> api -> db', blind: ['api'], self: { db: [1_000, 61_000] } });
    const [ledger] = demarcate(drawn).ledgers;
    expect(ledger!.entries.find(({ entity, term }) => entity?.name === 'db' && term === 'self')?.share).toBeCloseTo(
      1,
      9,
    );
    expect(demarcate(drawn).suspects[0]?.entity.name).toBe('db');
  });

  /** Of `api`: instance 1 watched and slow, instance 2 seen by its callers alone. */
  const rows = (client: readonly string[], server: readonly string[]): Comparison => {
    const drawn = draw({ graph: 'web -> api', self: { api: [1_000, 21_000] } });
    const calls = drawn.calls.flatMap((leaf): CallLeaf[] => {
      if (leaf.callee !== 'api') return [leaf];
      return (leaf.side === 'client' ? client : server).map((calleeInstance) =>
        calleeInstance === 'api-1' ? { ...leaf, calleeInstance } : { ...leaf, calleeInstance, current: leaf.baseline },
      );
    });
    return { ...drawn, calls };
  };

  it('an instance is held against the siblings that its callers see', () => {
    const shares = instanceShares(rows(['api-1', 'api-2'], ['api-1']), 'api', 'duration');
    expect(shares.map(({ instance }) => instance)).toEqual(['api-1', 'api-2']);
    expect(concentratedInstance(shares)?.instance).toBe('api-1');
  });

  it('names of instances that callers made up count for nothing', () => {
    const shares = instanceShares(rows(['10.0.0.7', '10.0.0.8', '10.0.0.9'], ['api-1', 'api-2']), 'api', 'duration');
    expect(shares.map(({ instance }) => instance)).toEqual(['api-1', 'api-2']);
  });
});

type Happened = Omit<Drawn, 'graph'>;

describe('one instance beside another fault', () => {
  const graph = 'web -> api -> db';
  /** Two instances of `api`, each asked as often, with what happened to either. */
  const two = (first: Happened, second: Happened): Comparison => {
    const drawn = draw({ graph, ...first });
    const tagged = (one: Happened, name: string): CallLeaf[] =>
      draw({ graph, ...one }).calls.map((leaf) => ({
        ...leaf,
        ...(leaf.callee === 'api' ? { calleeInstance: name } : {}),
        ...(leaf.caller === 'api' ? { callerInstance: name } : {}),
      }));
    return { ...drawn, calls: [...tagged(first, 'api-1'), ...tagged(second, 'api-2')] };
  };
  const named = (comparison: Comparison): string[] =>
    demarcate(comparison).suspects.map(({ entity }) => `${entity.kind} ${entity.name}`);

  it('is told from siblings that wait for the same slow callee', () => {
    const slow = { db: [1_000, 21_000] as const };
    const comparison = two({ self: { ...slow, api: [1_000, 31_000] } }, { self: slow });
    // Of all of its time less than half more is on api-1.
    expect(concentratedInstance(instanceShares(comparison, 'api', 'duration'))).toBeUndefined();
    expect(named(comparison).sort()).toEqual(['instance api-1', 'service db']);
    expect(demarcate(comparison).suspects.flatMap(({ observations }) => observations)).toContainEqual(
      expect.objectContaining({
        text: '100 % of the change of what api does itself sits on api-1; its siblings are as before',
      }),
    );
  });

  it('is told from siblings that pass on the same errors', () => {
    const failing = { db: [0, 0.3] as const };
    const comparison = two({ errors: { ...failing, api: [0, 0.4] }, symptom: 'error_rise' }, { errors: failing });
    expect(named(comparison).sort()).toEqual(['instance api-1', 'service db']);
  });

  it('is not named when both instances got slower themselves', () => {
    const self = { db: [1_000, 21_000], api: [1_000, 21_000] } as const;
    expect(named(two({ self }, { self })).sort()).toEqual(['service api', 'service db']);
  });
});

describe('nothing but traffic', () => {
  const graph = 'web -> api -> db';

  it('is followed up to where it comes in', () => {
    const fewer = about(draw({ graph, rate: [100, 10] }), { entity: service('db'), symptom: 'traffic_drop' });
    const walk = demarcate(fewer);
    expect(walk.symptom).toEqual(service('web'));
    expect(walk.suspects[0]?.entity.name).toBe('external -> web');
  });

  it('stops at who calls less often for each request', () => {
    const calls = { 'api -> db': [1, 0.1] as const };
    const fewer = about(draw({ graph, calls }), { entity: service('db'), symptom: 'traffic_drop' });
    expect(demarcate(fewer).suspects[0]?.entity.name).toBe('api -> db');
  });

  it('that rose leads only where nothing else changed', () => {
    const drawn = draw({ graph, rate: [100, 300], self: { db: [1_000, 9_000] } });
    const walk = demarcate(
      about(drawn, { entity: service('web'), symptom: 'traffic_rise' }, { entity: service('db') }),
    );
    expect(walk.symptom).toEqual(service('db'));
    expect(walk.ledgers[0]?.kind).toBe('latency');
  });
});

describe('the end of an edge', () => {
  const far = { 'cart -> cache': [100, 20_100] as const, 'cart -> product': [100, 25_100] as const };
  /** CPU of the one instance of cart, µs a window of 5 s. */
  const busy = (before: number, now: number): Comparison => ({
    ...draw({ graph: 'web -> cart -> cache; cart -> product', net: far }),
    resources: [
      { entityKind: 'instance', entity: 'cart-1', service: 'cart', metrics: [pair('cpuUsedUs', before, now)] },
    ],
  });
  const names = (comparison: Comparison): string[] => demarcate(comparison).suspects.map(({ entity }) => entity.name);

  it('who computes reads all answers late: the caller, not the ways', () => {
    const walk = demarcate(busy(100_000, 2_600_000));
    expect(walk.suspects.map(({ entity }) => entity)).toEqual([service('cart')]);
    expect(walk.suspects[0]?.observations.map(({ text }) => text).join()).toContain('they are as fast as ever');
  });

  it('who works no more than before looks at ways that got longer', () => {
    expect(names(busy(100_000, 110_000)).sort()).toEqual(['cart -> cache', 'cart -> product']);
  });

  it('is the way, where another caller is answered with errors that come from elsewhere, in time', () => {
    const drawn = draw({
      graph: 'web -> api -> db; web -> job -> api',
      net: { 'web -> api': [100, 30_100] },
      errors: { db: [0, 0.2] },
    });
    expect(names(drawn)).toContain('web -> api');
    expect(names(drawn)).not.toContain('api');
  });

  it('is the instance whose callers wait', () => {
    const drawn = draw({
      graph: 'web -> api; web -> job -> api',
      net: { 'web -> api': [100, 30_100], 'job -> api': [100, 30_100] },
    });
    const calls = drawn.calls.flatMap((leaf): CallLeaf[] =>
      leaf.callee === 'api'
        ? ['api-1', 'api-2'].map((calleeInstance) => ({
            ...leaf,
            calleeInstance,
            current: calleeInstance === 'api-1' ? leaf.current : leaf.baseline,
          }))
        : [leaf],
    );
    expect(names({ ...drawn, calls })[0]).toBe('api-1');
  });
});
