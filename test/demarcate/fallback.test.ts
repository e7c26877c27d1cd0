import { describe, expect, it } from 'vitest';
import { deviation } from '../../src/demarcate/deviation.ts';
import type { NodeEvidence, NodeSeries } from '../../src/demarcate/fallback.ts';
import { rankNodes } from '../../src/demarcate/fallback.ts';
import { createRandom, normal, shuffled } from '../../src/stats/index.ts';

const random = createRandom(11);
const noise = (mean: number, scatter: number, n: number): Float64Array =>
  Float64Array.from({ length: n }, () => mean + scatter * normal(random));

function series(
  node: string,
  family: NodeSeries['family'],
  before: number,
  now: number,
  kind: NodeSeries['kind'] = 'service',
): NodeSeries {
  return {
    node,
    kind,
    family,
    metric: family,
    worse: 1,
    baseline: noise(before, before * 0.05, 60),
    current: noise(now, now * 0.05, 6),
  };
}

const evidence = (list: readonly NodeSeries[], more: Partial<NodeEvidence> = {}): NodeEvidence => ({
  series: list,
  edges: [],
  calls: [
    ['web', 'api'],
    ['api', 'db'],
  ],
  partOf: new Map(),
  ...more,
});

describe('rankNodes', () => {
  it('slowness that a callee explains is its callee’s', () => {
    const ranked = rankNodes(
      evidence([series('web', 'latency', 30, 200), series('api', 'latency', 20, 190), series('db', 'latency', 5, 175)]),
    );
    expect(ranked[0]?.node).toBe('db');
  });

  it('like explains like: a slow callee does not excuse failures', () => {
    const failing = [series('api', 'errors', 0.01, 0.4), series('db', 'latency', 5, 60)];
    expect(rankNodes(evidence(failing))[0]).toMatchObject({ node: 'api', family: 'errors' });
    const passed = [series('api', 'errors', 0.01, 0.4), series('db', 'errors', 0.01, 0.4)];
    expect(rankNodes(evidence(passed))[0]?.node).toBe('db');
  });

  it('an entry of which only symptoms are measured hands them to whom it calls', () => {
    const list = [
      series('entry', 'errors', 0.01, 0.6),
      series('web', 'cpu', 10, 10),
      series('api', 'cpu', 10, 10),
      series('db', 'cpu', 10, 10),
    ];
    const calls = [['entry', 'web'], ...evidence([]).calls] as NodeEvidence['calls'];
    expect(
      rankNodes(evidence(list, { calls }))
        .slice(0, 2)
        .map(({ node }) => node),
    ).toEqual(['web', 'entry']);
  });

  it('a far end nobody observes stands behind the observed node that shows the same', () => {
    const list = [
      series('web', 'latency', 30, 30),
      series('far', 'errors', 0.01, 0.41),
      series('api', 'errors', 0.01, 0.4),
    ];
    expect(rankNodes(evidence(list, { unobserved: new Set(['far']) }))[0]?.node).toBe('api');
  });

  it('one spike of a counter that mostly stands still is nothing', () => {
    const still = Float64Array.from({ length: 60 }, (_, i) => (i === 30 ? 0.4 : 0));
    const spike = { ...series('web', 'cpu', 1, 1), baseline: still, current: Float64Array.from([0, 0, 0.3, 0, 0]) };
    const [first] = rankNodes(evidence([spike, series('api', 'cpu', 10, 16)]));
    expect(first?.node).toBe('api');
  });

  it('one sample of several is no evidence; two are', () => {
    const once = { ...series('web', 'network', 10, 10), current: Float64Array.from([10, 10, 400, 10, 10]) };
    const twice = { ...once, current: Float64Array.from([10, 10, 400, 400, 10]) };
    const other = series('api', 'cpu', 10, 16);
    expect(rankNodes(evidence([once, other])).map(({ node }) => node)).toEqual(['api', 'web']);
    expect(rankNodes(evidence([once, other]))[1]?.score).toBe(0);
    expect(rankNodes(evidence([twice, other]))[0]?.node).toBe('web');
    const down = (of: NodeSeries): NodeSeries => ({
      ...of,
      worse: -1,
      current: of.current.map((value) => 20 - value / 10),
    });
    const low = { ...once, current: Float64Array.from([100, 100, 190, 100, 100]) };
    expect(rankNodes(evidence([down(low)])).find(({ node }) => node === 'web')?.score).toBe(0);
  });

  it('who shows nothing is ordered by what lies within the quiet range, not by name', () => {
    const still = (node: string, now: number): NodeSeries => ({
      ...series(node, 'cpu', 10, 10),
      baseline: Float64Array.from({ length: 60 }, (_, i) => 9.5 + (i % 5) / 4),
      current: new Float64Array(6).fill(now),
    });
    const ranked = rankNodes(evidence([still('a', 10), still('b', 10.8), still('c', 10.4)]));
    expect(ranked.map(({ node, score }) => `${node} ${score}`)).toEqual(['b 0', 'c 0', 'a 0']);
  });

  it('two errors are chance where requests are few, not where the same share is of many', () => {
    const errors = (node: string, count: number): NodeSeries => ({
      ...series(node, 'errors', 0, 0),
      baseline: new Float64Array(30),
      current: Float64Array.from([0, 0.01, 0.01, 0, 0, 0]),
      requests: { baseline: new Float64Array(30).fill(count), current: new Float64Array(6).fill(count) },
    });
    const slow = series('db', 'latency', 5, 40);
    const scoreOf = (one: NodeSeries): number =>
      rankNodes(evidence([one])).find(({ node }) => node === one.node)!.score;
    expect(rankNodes(evidence([errors('api', 100), slow]))[0]?.node).toBe('db');
    expect(scoreOf(errors('api', 100))).toBe(0);
    expect(rankNodes(evidence([errors('api', 10_000), slow]))[0]?.node).toBe('api');
    // Where nobody says of how many, at all or at some of the times, the ratio counts as it is.
    const { requests, ...unknown } = errors('api', 100);
    expect(rankNodes(evidence([unknown, slow]))[0]?.node).toBe('api');
    const partly = { ...requests!, current: requests!.current.map((count, i) => (i === 2 ? Number.NaN : count)) };
    expect(scoreOf({ ...unknown, requests: partly })).toBe(scoreOf(unknown));
    expect(scoreOf({ ...unknown, requests: { ...partly, current: partly.current.slice(0, 1) } })).toBe(
      scoreOf(unknown),
    );
    // Two of two that fail are no chance where of thousands none did, nor are thousands because of an outage long ago.
    const alone = { ...unknown, current: Float64Array.from([1, 1]) };
    expect(scoreOf({ ...alone, requests: { ...requests!, current: Float64Array.from([1, 1]) } })).toBeGreaterThan(0);
    const outage = Float64Array.from({ length: 60 }, (_, i) => (i < 2 ? 1 : 0));
    const many = { baseline: new Float64Array(60).fill(10_000), current: new Float64Array(6).fill(10_000) };
    const again = { ...unknown, baseline: outage, current: new Float64Array(6).fill(0.035) };
    expect(scoreOf({ ...again, requests: many })).toBe(scoreOf(again));
    // Single failures of the past are chance's rate, though they stand in its worst samples.
    const three = {
      ...unknown,
      baseline: new Float64Array(60),
      current: Float64Array.from([0.01, 0, 0.01, 0, 0.01, 0]),
    };
    const hundreds = { baseline: new Float64Array(60).fill(100), current: new Float64Array(6).fill(100) };
    expect(scoreOf({ ...three, requests: hundreds })).toBeGreaterThan(0);
    const failures = Float64Array.from({ length: 60 }, (_, i) => (i === 20 || i === 40 ? 0.01 : 0));
    expect(scoreOf({ ...three, baseline: failures, requests: hundreds })).toBe(0);
    // Among a hundred ratios, one as rare as that is there without a cause.
    const four = { ...three, current: Float64Array.from([0.01, 0.01, 0.01, 0, 0.01, 0]), requests: hundreds };
    const rated = { ...four, baseline: failures };
    const others = Array.from({ length: 100 }, (_, i) => ({
      ...rated,
      node: `other-${i}`,
      current: new Float64Array(6),
    }));
    expect(scoreOf(rated)).toBeGreaterThan(0);
    expect(rankNodes(evidence([rated, ...others])).find(({ node }) => node === rated.node)?.score).toBe(0);
    // A share of successes is no ratio of errors.
    const availability = { ...unknown, worse: -1, baseline: new Float64Array(30).fill(0.99) } as const;
    const low = { ...availability, current: new Float64Array(6).fill(0.2) };
    expect(scoreOf({ ...low, requests: requests! })).toBeGreaterThan(0);
  });

  it('who is not called by whom the trouble is of stands back; a neighbour’s symptom alone rules nobody out', () => {
    const list = [series('api', 'cpu', 10, 30), series('elsewhere', 'cpu', 10, 60)];
    expect(rankNodes(evidence(list))[0]?.node).toBe('elsewhere');
    expect(rankNodes(evidence(list, { symptoms: ['web'] }))[0]?.node).toBe('api');
    expect(rankNodes(evidence(list, { symptoms: ['nobody knows'] }))[0]?.node).toBe('elsewhere');
    // Instances stand for their services, and the other way round.
    const partOf = new Map([
      ['web-1', 'web'],
      ['api-1', 'api'],
    ]);
    const instance = [series('api-1', 'cpu', 10, 30, 'instance'), series('elsewhere', 'cpu', 10, 60)];
    expect(rankNodes(evidence(instance, { partOf, symptoms: ['web-1'] }))[0]?.node).toBe('api-1');
    const calls = [['web', 'api-1']] as const;
    expect(rankNodes(evidence(list, { calls, partOf, symptoms: ['web'] }))[0]?.node).toBe('api');
  });

  it('an edge that took no time is not slow because spans are rounded to half of one', () => {
    const gap = (callee: string, past: number, now: number): NodeEvidence['edges'][number] => ({
      caller: 'web',
      callee,
      measure: 'gap',
      baseline: new Float64Array(60).fill(past),
      current: new Float64Array(6).fill(now),
    });
    const edges = [gap('api', 0, 0.5), gap('db', 10, 10), gap('pay', 10, 10)];
    const ranked = rankNodes(evidence([series('api', 'cpu', 10, 10), series('web', 'cpu', 10, 16)], { edges }));
    expect(ranked[0]).toMatchObject({ node: 'web', family: 'cpu' });
    expect(ranked[1]).toMatchObject({ node: 'api', score: 0 });
  });

  it('network time on all edges of a node is the node’s', () => {
    const gap = (caller: string, callee: string, now: number) => ({
      caller,
      callee,
      measure: 'gap' as const,
      baseline: noise(1, 0.05, 60),
      current: noise(now, 0.05, 6),
    });
    const ranked = rankNodes(
      evidence([series('web', 'latency', 30, 60), series('api', 'latency', 20, 21), series('db', 'latency', 5, 5)], {
        edges: [gap('web', 'api', 30), gap('api', 'db', 30), gap('web', 'other', 1)],
      }),
    );
    expect(ranked[0]?.node).toBe('api');
  });

  it('one slow edge is the end’s whose edges are worse on the whole; edges hardly sampled say nothing', () => {
    const gap = (caller: string, callee: string, now: number, past = 60): NodeEvidence['edges'][number] => ({
      caller,
      callee,
      measure: 'gap',
      baseline: noise(2, 0.1, past),
      current: noise(now, 0.1, 6),
    });
    const list = ['web', 'api', 'db', 'cache', 'pay'].map((node) => series(node, 'cpu', 10, 10));
    const edges = [gap('web', 'api', 40), gap('api', 'db', 2), gap('web', 'cache', 2), gap('web', 'pay', 2)];
    expect(rankNodes(evidence(list, { edges }))[0]).toMatchObject({ node: 'api', family: 'network' });
    // A neighbour with a weaker sign of its own does not pass it, whatever other edges it has too few samples of.
    const other = [...list.slice(0, 4), { ...series('pay', 'network', 10, 14), worse: 0 as const }];
    const unsampled = [gap('api', 'x', 2, 2), gap('api', 'y', 2, 2), gap('api', 'z', 2, 2)];
    const [first, second] = rankNodes(evidence(other, { edges: [...edges, ...unsampled] }));
    expect(first?.node).toBe('api');
    expect(second?.score ?? 0).toBeLessThan(first?.score ?? 0);
  });

  it('the only instance of an observed service is the service; one of two stays an instance', () => {
    const list = [
      series('a-1', 'cpu', 10, 90, 'instance'),
      series('b-1', 'cpu', 10, 80, 'instance'),
      series('b-2', 'cpu', 10, 10, 'instance'),
      series('a', 'traffic', 5, 5),
      series('b', 'traffic', 5, 5),
    ];
    const partOf = new Map([
      ['a-1', 'a'],
      ['b-1', 'b'],
      ['b-2', 'b'],
    ]);
    expect(
      rankNodes(evidence(list, { partOf }))
        .slice(0, 2)
        .map(({ node, kind }) => `${kind} ${node}`),
    ).toEqual(['service a', 'instance b-1']);
  });

  it('nor where a service and its only instance show as much', () => {
    const still = { baseline: Float64Array.from({ length: 60 }, (_, i) => 9 + (i % 3)) };
    const row = (node: string, kind: NodeSeries['kind'], family: NodeSeries['family'], now: number): NodeSeries => ({
      ...series(node, family, 10, 10, kind),
      ...still,
      current: new Float64Array(6).fill(now),
    });
    const list = [
      row('a-1', 'instance', 'cpu', 10),
      row('a', 'service', 'traffic', 10.5),
      row('b', 'service', 'cpu', 10.3),
    ];
    const partOf = new Map([['a-1', 'a']]);
    for (const order of [list, list.toReversed(), shuffled(list, createRandom(5))])
      expect(rankNodes(evidence(order, { partOf })).map(({ node }) => node)).toEqual(['b', 'a']);
  });

  it('does not depend on the order of series', () => {
    const list = [series('web', 'latency', 30, 200), series('api', 'cpu', 20, 90), series('db', 'memory', 5, 5)];
    expect(rankNodes(evidence(shuffled(list, createRandom(3))))).toEqual(rankNodes(evidence(list)));
  });
});

describe('deviation', () => {
  it('is 0 for what is as usual, for the good direction, and when too little is known', () => {
    expect(deviation(noise(10, 1, 60), noise(10, 1, 6), 0)).toBe(0);
    expect(deviation(noise(10, 1, 60), noise(2, 0.1, 6), 1)).toBe(0);
    expect(deviation(noise(10, 1, 4), noise(100, 1, 6), 0)).toBe(0);
    expect(deviation(noise(10, 1, 60), new Float64Array(0), 0)).toBe(0);
  });

  it('a series that never moved is not infinitely surprising', () => {
    expect(deviation(new Float64Array(60), Float64Array.from([1e-3, 1e-3]), 0, 0.2)).toBe(0);
    expect(deviation(new Float64Array(60), Float64Array.from([50, 50]), 0, 0.2)).toBeCloseTo(Math.log1p(100), 6);
  });
});
