import { describe, expect, it } from 'vitest';
import type { NodeEvidence, NodeSeries } from '../../src/demarcate/fallback.ts';
import { rankNodes } from '../../src/demarcate/fallback.ts';

/** 30 samples before and 5 now, none where it is NaN; the past wavers a little, alike everywhere. */
function series(node: string, metric: string, before: number, now: number, more: Partial<NodeSeries> = {}): NodeSeries {
  const family = metric === 'error_ratio' ? 'errors' : metric === 'cpu' ? 'cpu' : 'traffic';
  return {
    node,
    kind: /-\d$/.test(node) ? 'instance' : 'service',
    metric,
    family,
    worse: family === 'traffic' ? 0 : 1,
    baseline: Float64Array.from({ length: 30 }, (_, i) => before * (1 + 0.02 * ((i * 7) % 5))),
    current: new Float64Array(5).fill(now),
    ...more,
  };
}

const served = (node: string, requests: number, now: number, errors: number): NodeSeries[] => [
  series(node, 'request_count', requests, now),
  series(node, 'error_ratio', 0, errors),
];

const evidence = (list: readonly NodeSeries[], more: Partial<NodeEvidence> = {}): NodeEvidence => ({
  series: list,
  edges: [],
  calls: [
    ['web', 'api'],
    ['api', 'db'],
    ['api', 'cache'],
  ],
  partOf: new Map(),
  ...more,
});

const first = (of: NodeEvidence): string | undefined => rankNodes(of)[0]?.node;

describe('calls that no longer arrive', () => {
  const failing = [...served('web', 500, 500, 0.6), ...served('api', 500, 500, 0.6), ...served('cache', 500, 480, 0)];

  it.each([
    ['has no samples any more', Number.NaN],
    ['has next to no requests', 3],
  ])('a callee that %s is what its failing callers call in vain', (_, now) => {
    expect(first(evidence([...failing, ...served('db', 500, now, Number.NaN)]))).toBe('db');
  });

  it('without counts, no samples of what requests took or how many failed are silence, where callers have theirs', () => {
    const uncounted = (list: readonly NodeSeries[]): NodeSeries[] =>
      list.filter(({ metric }) => metric !== 'request_count');
    const gone = served('db', 500, Number.NaN, Number.NaN);
    expect(first(evidence(uncounted([...failing, ...gone])))).toBe('db');
    // One that has samples only now and then.
    const [errors] = uncounted(gone) as [NodeSeries];
    const rare = { ...errors, baseline: errors.baseline.map((value, i) => (i % 2 === 0 ? value : Number.NaN)) };
    expect(first(evidence(uncounted([...failing, rare])))).toBe('api');
    // Nobody has any: the source is down.
    const nobody = uncounted([...failing, ...gone]).map((one) =>
      one.node === 'web' ? one : { ...one, current: new Float64Array(5).fill(Number.NaN) },
    );
    const scoreOfDb = (list: readonly NodeSeries[]): number =>
      rankNodes(evidence(list)).find(({ node }) => node === 'db')!.score;
    expect(scoreOfDb(nobody)).toBe(0);
    const slow = [series('api', 'cpu', 10, 10), series('api', 'cpu', 10, 30, { metric: 'latency', family: 'latency' })];
    expect(scoreOfDb([...slow, ...nobody])).toBe(0);
    // Nobody was there before.
    const past = new Float64Array(30).fill(Number.NaN);
    const began = uncounted([...failing, ...gone]).map((one) =>
      one.node === 'web' ? one : { ...one, baseline: past },
    );
    expect(scoreOfDb([...slow, ...began])).toBe(0);
  });

  it('a caller that calls nobody any more fails by itself', () => {
    const failed = [...served('web', 500, 500, 0.95), ...served('api', 500, 500, 0.95)];
    const gone = ['db', 'cache'].flatMap((name) => served(name, 500, Number.NaN, Number.NaN));
    expect(
      rankNodes(evidence([...failed, ...gone]))
        .map(({ node }) => node)
        .slice(0, 3)
        .sort(),
    ).toEqual(['api', 'cache', 'db']);
    expect(first(evidence([...failed, ...gone]))).toBe('api');
  });

  it('who is asked now and then only is not silent, whether its source says 0 or nothing', () => {
    const rare = [...served('db', 500, Number.NaN, Number.NaN)].map((one) => ({
      ...one,
      baseline: one.baseline.map((value, i) => (i % 6 === 0 ? value : Number.NaN)),
    }));
    expect(first(evidence([...failing, ...rare]))).toBe('api');
  });

  it('requests in flight are no requests that came', () => {
    const inFlight = series('db', 'requests_in_flight', 40, 0, { family: 'traffic', worse: 0 });
    expect(first(evidence([...failing, ...served('db', 500, 490, 0), inFlight]))).toBe('api');
  });

  it('failures in two samples of five explain a caller’s in three', () => {
    const burst = (node: string, failed: number): NodeSeries[] => {
      const [count, errors] = served(node, 500, 500, 0) as [NodeSeries, NodeSeries];
      return [count, { ...errors, current: Float64Array.from([0, 0, 0, 0, 0].map((_, i) => (i < failed ? 0.6 : 0))) }];
    };
    const of = rankNodes(evidence([...burst('api', 3), ...burst('db', 2)]));
    expect(of[0]?.node).toBe('db');
    expect(of.find(({ node }) => node === 'api')?.score).toBeLessThan(2);
  });

  it('where it is not known whether callers still get theirs, silence says nothing', () => {
    const unknown = failing.filter(({ node, metric }) => node !== 'api' || metric === 'error_ratio');
    expect(first(evidence([...unknown, ...served('db', 500, 0, 0)]))).toBe('api');
  });

  it('where nobody measures failures, silence alone is a sign', () => {
    const counts = [...failing, ...served('db', 500, 0, 0)].filter(({ family }) => family === 'traffic');
    expect(first(evidence([...counts, series('cache', 'cpu', 10, 17)]))).toBe('db');
    const well = [...failing, ...served('db', 500, 480, 0)].filter(({ family }) => family === 'traffic');
    expect(first(evidence([...well, series('cache', 'cpu', 10, 17)]))).toBe('cache');
  });

  it('failures of calls to who runs out of memory are not its caller’s', () => {
    const memory = series('db', 'memory', 100, 300, { family: 'memory', worse: 1 });
    const list = [...failing, ...served('db', 500, 400, 0)];
    expect(first(evidence([...list, memory]))).toBe('db');
    expect(first(evidence([...list, { ...memory, current: new Float64Array(5).fill(104) }]))).toBe('api');
    // What an entry hands down was not measured there: a callee whose memory grows explains nothing of it.
    const entry = [series('entry', 'error_ratio', 0, 0.6), series('web', 'cpu', 10, 10)];
    const drifting = { ...memory, node: 'api', current: new Float64Array(5).fill(180) };
    const calls = [['entry', 'web'], ...evidence([]).calls] as const;
    expect(first(evidence([...entry, drifting], { calls }))).toBe('web');
  });

  it('a callee that fails a little does not explain a caller that fails a lot', () => {
    const little = [...failing, ...served('db', 500, 500, 0.005)];
    const scoreOf = (list: readonly NodeSeries[]): number =>
      rankNodes(evidence(list)).find(({ node }) => node === 'api')!.score;
    expect(first(evidence(little))).toBe('api');
    expect(scoreOf(little)).toBeGreaterThan(4);
    const much = [...failing, ...served('db', 500, 500, 0.1)];
    expect(first(evidence(much))).toBe('db');
    expect(scoreOf(much)).toBeLessThan(1.5);
  });

  it('a service that calls itself is not explained by itself', () => {
    const calls = [...evidence([]).calls, ['api', 'api']] as const;
    const list = [...failing, ...served('db', 500, 500, 0)];
    expect(rankNodes(evidence(list, { calls }))).toEqual(rankNodes(evidence(list)));
  });

  it('who gets half as much may be called less: its caller stays first', () => {
    expect(first(evidence([...failing, ...served('db', 500, 250, 0)]))).toBe('api');
  });

  it('nor where its callers are well, get nothing themselves, or it is silent now and then', () => {
    const well = [...served('web', 500, 500, 0), ...served('api', 500, 500, 0), ...served('cache', 500, 480, 0.4)];
    expect(first(evidence([...well, ...served('db', 500, Number.NaN, Number.NaN)]))).toBe('cache');
    const gone = [...served('web', 500, 500, 0.6), ...served('api', 500, Number.NaN, Number.NaN)];
    expect(first(evidence([...gone, ...served('db', 500, Number.NaN, Number.NaN)]))).toBe('api');
    const [count, errors] = served('db', 500, 0, Number.NaN) as [NodeSeries, NodeSeries];
    const rare = { ...count, baseline: count.baseline.map((value, i) => (i % 10 === 0 ? 0 : value)) };
    expect(first(evidence([...failing, rare, errors]))).toBe('api');
  });

  it('behind a failing callee nobody was asked: the callee’s own callee is silent, too, and it is that one', () => {
    const list = [
      ...served('web', 500, 500, 0.9),
      ...served('api', 500, 500, 0.9),
      ...served('cache', 500, 500, 0),
      ...served('db', 500, Number.NaN, Number.NaN),
      ...served('mail', 500, Number.NaN, Number.NaN),
    ];
    // web asks mail once api has answered; api fails, as db refuses.
    const calls = [...evidence([]).calls, ['web', 'mail']] as const;
    for (const order of [list, list.toReversed()])
      expect(
        rankNodes(evidence(order, { calls }))
          .filter(({ score }) => score > 1)
          .map(({ node }) => node),
      ).toEqual(['db', 'api', 'web']);
  });

  it('an instance that gets less than its siblings, not all of them alike', () => {
    const partOf = new Map([
      ['db-1', 'db'],
      ['db-2', 'db'],
    ]);
    const callers = [...served('web', 500, 500, 0.3), ...served('api', 500, 500, 0.3)];
    const one = [...served('db-1', 250, 90, 0), ...served('db-2', 250, 250, 0)];
    expect(first(evidence([...callers, ...one], { partOf }))).toBe('db-1');
    const both = [...served('db-1', 250, 150, 0), ...served('db-2', 250, 150, 0)];
    expect(first(evidence([...callers, ...both], { partOf }))).toBe('api');
  });
});

describe('an instance whose calls others got', () => {
  const partOf = new Map(['db-1', 'db-2', 'db-3'].map((name) => [name, 'db']));
  const callers = [...served('web', 500, 500, 0.3), ...served('api', 500, 500, 0.3)];
  const instance = (name: string, now: number): NodeSeries[] => served(name, 250, now, 0 * now);
  const both = (one: number, two: number): NodeSeries[] => [...instance('db-1', one), ...instance('db-2', two)];

  it('was drained or scaled down', () => {
    expect(first(evidence([...callers, ...both(Number.NaN, 500)], { partOf }))).toBe('api');
    expect(first(evidence([...callers, ...both(40, 460)], { partOf }))).toBe('api');
    expect(first(evidence([...callers, ...both(Number.NaN, 285)], { partOf }))).toBe('db-1');
  });

  it('or replaced by a new one', () => {
    const past = new Float64Array(30).fill(Number.NaN);
    const fresh = served('db-3', 250, 250, 0).map((one) => ({ ...one, baseline: past }));
    const old = both(Number.NaN, 250);
    expect(first(evidence([...callers, ...old, ...fresh], { partOf }))).toBe('api');
    const uncounted = (list: readonly NodeSeries[]): NodeSeries[] =>
      list.filter(({ metric }) => metric !== 'request_count');
    expect(first(evidence(uncounted([...callers, ...old, ...fresh]), { partOf }))).toBe('api');
    // Nobody is left.
    expect(first(evidence(uncounted([...callers, ...both(Number.NaN, Number.NaN)]), { partOf }))).toMatch(/^db-/);
  });
});

describe('work that was asked for', () => {
  const cpu = (node: string, before: number, now: number, requests: number, nowRequests: number): NodeSeries[] => {
    const counts = series(node, 'request_count', requests, nowRequests);
    return [counts, series(node, 'cpu', before, now, { requests: counts })];
  };
  const slow = [
    series('api', 'cpu', 10, 10),
    series('api', 'cpu', 10, 30, { metric: 'latency_mean_ms', family: 'latency' }),
  ];

  it('CPU time that grew with requests is no cause; what a request costs is', () => {
    expect(first(evidence([...slow, ...cpu('db', 10, 60, 100, 600)]))).toBe('api');
    expect(first(evidence([...slow, ...cpu('db', 10, 60, 100, 100)]))).toBe('db');
  });

  it('CPU time that grew while no more came is a cause, though requests waver, or are not all counted', () => {
    const [counts, used] = cpu('db', 10, 70, 100, 100) as [NodeSeries, NodeSeries];
    const waver = { ...counts, baseline: counts.baseline.map((value, i) => value * (i % 3 === 0 ? 0.01 : 1)) };
    expect(first(evidence([...slow, waver, { ...used, requests: waver }]))).toBe('db');
    const partly = { ...counts, current: Float64Array.from([800, Number.NaN, Number.NaN, Number.NaN, Number.NaN]) };
    expect(first(evidence([...slow, partly, { ...used, requests: partly }]))).toBe('db');
  });

  it('nor is what a request costs where there are hardly any; without counts CPU time speaks for itself', () => {
    expect(first(evidence([...slow, ...cpu('db', 10, 9, 100, 20)]))).toBe('api');
    expect(first(evidence([...slow, ...cpu('db', 10, 60, 100, Number.NaN)]))).toBe('db');
  });
});
