/** Two faults at once that have nothing to do with each other: the second one's own walk. */
import { describe, expect, it } from 'vitest';
import { demarcate } from '../../src/demarcate/index.ts';
import type { Comparison } from '../../src/model/comparison.ts';
import { edge, service } from '../../src/model/entity.ts';
import type { Anomaly } from '../../src/model/incident.ts';
import type { Drawn } from './draw.ts';
import { draw } from './draw.ts';

/** Anomalies of latency on services, besides the drawn symptom's. */
function slower(comparison: Comparison, names: readonly string[]): Comparison {
  const [symptom] = comparison.anomalies;
  const more = names.map((name) => ({
    ...symptom!,
    entity: service(name),
    metric: 'duration_mean_us',
    symptom: 'latency_rise' as const,
  }));
  return { ...comparison, anomalies: [...comparison.anomalies, ...more] };
}

/** cart fails, which the entry shows; db got slow, which the entry, failing early, does not. */
const TWO: Drawn = {
  graph: 'web -> cart; web -> user -> db',
  errors: { cart: [0, 0.4] },
  self: { db: [1_000, 41_000] },
  symptom: 'error_rise',
};

describe('further walks', () => {
  it('a service that got slow beside one that fails has its own cause, walked from the service that covers most', () => {
    const walk = demarcate(slower(draw(TWO), ['user', 'db']));
    expect(walk.suspects[0]?.entity).toEqual(service('cart'));
    expect(walk.further).toHaveLength(1);
    const [further] = walk.further!;
    expect(further?.symptom).toEqual(service('user'));
    expect(further?.ledgers.map(({ kind, entry }) => `${kind} ${entry}`)).toEqual(['latency user']);
    expect(further?.suspects.map(({ entity }) => entity)).toEqual([service('db')]);
    expect(further?.suspects[0]?.shares.latency).toBeCloseTo(1, 6);
  });

  it('there is none where a suspect accounts for all that is abnormal, however far up it is felt', () => {
    const one = { graph: 'web -> api -> db; api -> cache', self: { db: [1_000, 51_000] as const } };
    expect(demarcate(slower(draw(one), ['api', 'db'])).further).toBeUndefined();
  });

  it('nor where it is slower for more requests than before', () => {
    const flooded = slower(draw({ ...TWO, calls: { 'web -> user': [1, 3] } }), ['user', 'db']);
    expect(demarcate(flooded).further).toBeUndefined();
  });

  it('but where all users ask for more, who cannot keep up has one', () => {
    const surge = slower(draw({ ...TWO, rate: [100, 300] }), ['user', 'db']);
    expect(demarcate(surge).further?.map(({ suspects }) => suspects[0]?.entity.name)).toEqual(['db']);
  });

  it('three faults give two further walks; of a fourth only its numbers are told', () => {
    const four = {
      ...TWO,
      graph: 'web -> cart; web -> user -> db; web -> b; web -> c; web -> d',
      self: { db: [1_000, 41_000], b: [1_000, 31_000], c: [1_000, 21_000], d: [1_000, 11_000] },
    } as const;
    const { further } = demarcate(slower(draw(four), ['user', 'db', 'b', 'c', 'd']));
    expect(further?.map(({ suspects }) => suspects[0]?.entity.name)).toEqual(['db', 'b']);
    const drawn = slower(draw(four), ['user', 'db', 'b', 'c', 'd']);
    expect(demarcate({ ...drawn, anomalies: drawn.anomalies.toReversed() })).toEqual(demarcate(drawn));
  });

  describe('a longer way beside a service that fails', () => {
    const way = (net: readonly [number, number], self: Drawn['self'] = {}): Comparison => {
      const comparison = draw({ ...TWO, self, net: { 'user -> db': net } });
      const late: Anomaly = {
        ...comparison.anomalies[0]!,
        entity: edge('user', 'db'),
        metric: 'network_time_us',
        symptom: 'latency_rise',
      };
      return { ...comparison, anomalies: [...comparison.anomalies, late] };
    };

    it('has its own cause though no service is abnormally slow', () => {
      const { further } = demarcate(way([300, 20_300]));
      expect(further?.map(({ symptom }) => symptom)).toEqual([service('user')]);
      expect(further?.[0]?.suspects.map(({ entity }) => entity)).toEqual([edge('user', 'db')]);
    });

    it('has none where its caller does not feel it', () => {
      expect(demarcate(way([300, 350])).further).toBeUndefined();
    });

    it('speaks for nothing but that way', () => {
      expect(demarcate(way([300, 2_300], { db: [1_000, 41_000] })).further).toBeUndefined();
    });
  });
});
