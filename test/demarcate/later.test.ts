/** What began later in an incident: told apart from the first trouble, and walked by itself. */
import { describe, expect, it } from 'vitest';
import { demarcate, demarcateLater, laterStepsMs, laterTroubleMs } from '../../src/demarcate/index.ts';
import type { Comparison } from '../../src/model/comparison.ts';
import type { Entity } from '../../src/model/entity.ts';
import { instance, service } from '../../src/model/entity.ts';
import type { Anomaly, Symptom } from '../../src/model/incident.ts';
import type { Drawn } from './draw.ts';
import { draw } from './draw.ts';

const drawn = draw({ graph: 'web -> api -> db; web -> search; batch -> search', self: { api: [1_000, 41_000] } });
const [first] = drawn.anomalies as [Anomaly];
const { windowMs } = drawn;
const anomaly = (entity: Entity, windows: number, symptom: Symptom = 'latency_rise'): Anomaly => ({
  ...first,
  entity,
  symptom,
  onsetMs: first.onsetMs + windows * windowMs,
});
const stepsOf = (comparison: Comparison): number[] => laterStepsMs(comparison, laterTroubleMs(comparison));
const withAnomalies = (...more: Anomaly[]): Comparison => ({ ...drawn, anomalies: [first, ...more] });

describe('later trouble', () => {
  it('is a service that got slow or failing half a minute after the first one', () => {
    expect(laterTroubleMs(withAnomalies())).toBeUndefined();
    expect(laterTroubleMs(withAnomalies(anomaly(service('db'), 5)))).toBeUndefined();
    expect(laterTroubleMs(withAnomalies(anomaly(service('db'), 7), anomaly(service('search'), 6)))).toBe(
      first.onsetMs + 6 * windowMs,
    );
    expect(laterTroubleMs(withAnomalies(anomaly(service('search'), 9, 'error_rise')))).toBe(
      first.onsetMs + 9 * windowMs,
    );
  });

  it('counts from the latest that the first trouble may have begun', () => {
    const pooled = { ...first, onsetBlurMs: 12 * windowMs };
    const none = { ...drawn, anomalies: [pooled, anomaly(service('db'), 9)] };
    expect(laterTroubleMs(none)).toBeUndefined();
    expect(stepsOf(none)).toEqual([]);
    expect(laterTroubleMs({ ...drawn, anomalies: [pooled, anomaly(service('db'), 18)] })).toBe(
      first.onsetMs + 18 * windowMs,
    );
  });

  it('counts from the beginning of the incident', () => {
    const early = anomaly(service('db'), -9);
    expect(laterTroubleMs({ ...drawn, anomalies: [early, first, anomaly(service('search'), 5)] })).toBeUndefined();
  });

  it('is none of who calls those that were in trouble before, near or far: that rises in its own time', () => {
    const deep = { ...first, entity: service('db') };
    const later = [anomaly(service('api'), 8), anomaly(service('web'), 12)];
    expect(laterTroubleMs({ ...drawn, anomalies: [deep, ...later] })).toBeUndefined();
    expect(laterTroubleMs({ ...drawn, anomalies: [deep, ...later, anomaly(service('search'), 10)] })).toBe(
      first.onsetMs + 10 * windowMs,
    );
  });

  it('is neither less traffic nor what instances and resources show', () => {
    const others = [anomaly(service('db'), 8, 'traffic_drop'), anomaly(instance('api-1'), 9)];
    expect(laterTroubleMs(withAnomalies(...others))).toBeUndefined();
  });
});

describe('a later step', () => {
  it('counts from a fall of traffic, too', () => {
    const fall = anomaly(service('web'), 0, 'traffic_drop');
    const later = [anomaly(service('search'), 9, 'error_rise'), anomaly(instance('search-1'), 9, 'error_rise')];
    expect(stepsOf({ ...drawn, anomalies: [fall, ...later] })).toEqual([first.onsetMs + 9 * windowMs]);
  });

  it('is where most became abnormal anew; of two near each other the one with more, or the earlier', () => {
    const at = (windows: number, ...names: string[]) => names.map((name) => anomaly(instance(name), windows));
    const steps = (...more: Anomaly[]) => stepsOf(withAnomalies(...more)).map((ms) => (ms - first.onsetMs) / windowMs);
    expect(steps(anomaly(instance('api-1'), 5))).toEqual([]);
    expect(steps(...at(7, 'a'), ...at(9, 'b', 'c'))).toEqual([9]);
    expect(steps(...at(9, 'b'), ...at(7, 'a'))).toEqual([7]);
    // What a resource showed before anybody felt it is no beginning of the incident.
    expect(steps(...at(-12, 'a'), ...at(1, 'b', 'c'))).toEqual([]);
    // One entity with two symptoms is one.
    expect(steps(...at(7, 'a'), ...at(9, 'b'), anomaly(instance('b'), 9, 'error_rise'))).toEqual([7]);
    // Two that are apart, in order of time; a third has fewer.
    expect(steps(...at(20, 'a', 'b', 'c'), ...at(8, 'd', 'e'), ...at(30, 'f'))).toEqual([8, 20]);
    // Later trouble is one, however few show it.
    expect(steps(...at(20, 'a', 'b', 'c'), ...at(30, 'd', 'e'), anomaly(service('search'), 9))).toEqual([9, 20]);
  });
});

describe('walks from what began later', () => {
  /** Slow api throughout; later search gets slow as well, which the entry, slow already, shows by no anomaly of its own. */
  const GRAPH = 'web -> api -> db; web -> search';
  const alone = demarcate(draw({ graph: GRAPH, self: { api: [1_000, 41_000] } }));
  const stepOf = (drawing: Omit<Drawn, 'graph'>): Comparison => ({
    ...draw({ graph: GRAPH, ...drawing }),
    anomalies: [],
  });

  it('the second fault, against the windows of the first', () => {
    const step = stepOf({ self: { api: [41_000, 41_000], search: [2_000, 62_000] } });
    const both = demarcateLater(step, alone);
    expect(both.suspects).toBe(alone.suspects);
    expect(both.further?.map(({ suspects }) => suspects[0]?.entity)).toEqual([service('search')]);
    expect(both.further?.[0]?.symptom).toEqual(service('web'));
    expect(both.further?.[0]?.compared?.current).toEqual({
      fromMs: step.current.fromMs,
      toMs: step.current.toMs,
    });
  });

  it('none where nothing changed since, where it is the first fault that grew, or what got better', () => {
    const same = stepOf({ self: { api: [41_000, 41_000], search: [2_000, 2_000] } });
    expect(demarcateLater(same, alone)).toBe(alone);
    const worse = stepOf({ self: { api: [41_000, 95_000], search: [2_000, 2_000] } });
    expect(demarcateLater(worse, alone)).toBe(alone);
    const over = stepOf({ self: { api: [41_000, 1_000], search: [2_000, 2_000] } });
    expect(demarcateLater(over, alone)).toBe(alone);
  });

  it('none of a few errors: an alarm asks for five', () => {
    const rate = (errors: number): Comparison =>
      stepOf({ self: { api: [41_000, 41_000] }, errors: { search: [0, errors] }, rate: [2, 2] });
    // 240 requests in two minutes: 7 errors, and 3 or 4.
    expect(demarcateLater(rate(0.03), alone).further?.length ?? 0).toBe(1);
    expect(demarcateLater(rate(0.015), alone)).toBe(alone);
  });

  it('none where more is asked of it than before: what waited comes at once', () => {
    const flood = stepOf({
      self: { api: [41_000, 41_000], search: [2_000, 62_000] },
      calls: { 'web -> search': [1, 4] },
    });
    expect(
      demarcateLater(flood, alone).further?.flatMap(({ suspects }) => suspects.map(({ entity }) => entity.name)) ?? [],
    ).not.toContain('search');
  });
});
