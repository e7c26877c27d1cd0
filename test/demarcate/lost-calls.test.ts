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
    expect(rankNodes(evidence(nobody)).find(({ node }) => node === 'db')?.score).toBe(0);
  });

  it('where nobody measures failures, silence alone is a sign', () => {
    const counts = [...failing, ...served('db', 500, 0, 0)].filter(({ family }) => family === 'traffic');
    expect(first(evidence(counts))).toBe('db');
  });

  it('failures of calls to who runs out of memory are not its caller’s', () => {
    const memory = series('db', 'memory', 100, 300, { family: 'memory', worse: 1 });
    const list = [...failing, ...served('db', 500, 400, 0)];
    expect(first(evidence([...list, memory]))).toBe('db');
    expect(first(evidence([...list, { ...memory, current: new Float64Array(5).fill(104) }]))).toBe('api');
  });

  it('a callee that fails a little does not explain a caller that fails a lot', () => {
    const little = [...failing, ...served('db', 500, 500, 0.005)];
    expect(first(evidence(little))).toBe('api');
    expect(first(evidence([...failing, ...served('db', 500, 500, 0.1)]))).toBe('db');
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

  it('nor is what a request costs where there are hardly any; without counts CPU time speaks for itself', () => {
    expect(first(evidence([...slow, ...cpu('db', 10, 9, 100, 20)]))).toBe('api');
    expect(first(evidence([...slow, ...cpu('db', 10, 60, 100, Number.NaN)]))).toBe('db');
  });
});
