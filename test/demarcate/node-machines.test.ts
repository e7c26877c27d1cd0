import { describe, expect, it } from 'vitest';
import type { NodeEvidence, NodeSeries } from '../../src/demarcate/fallback.ts';
import { rankNodes } from '../../src/demarcate/fallback.ts';
import { DEFAULT_FALLBACK } from '../../src/demarcate/fallback-settings.ts';
import type { Family } from '../../src/demarcate/families.ts';
import { gather, lossyMachine, tenancyOf, troubleOf, waitsOn } from '../../src/demarcate/node-machines.ts';
import type { NodeSigns } from '../../src/demarcate/node-signs.ts';
import { NodeTopology } from '../../src/demarcate/node-topology.ts';

const wave = (mean: number, n: number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => mean * (1 + 0.02 * ((i * 7) % 5)));

function series(node: string, family: Family, before: number, now: number): NodeSeries {
  const kind = node.startsWith('host') ? 'machine' : /-\d$/.test(node) ? 'instance' : 'service';
  return { node, kind, family, metric: family, worse: 1, baseline: wave(before, 30), current: wave(now, 5) };
}

/** web-1, api-1 and db-1 on host-1; web-2, api-2 and db-2 on host-2; mail-1 on host-3. */
const INSTANCES = ['web-1', 'web-2', 'api-1', 'api-2', 'db-1', 'db-2', 'mail-1'];
const HOSTS = ['host-1', 'host-2', 'host-3', 'host-4', 'host-5'];
const serviceOf = (name: string): string => name.replace(/-\d$/, '');
const hostOf = (name: string): string => (name === 'mail-1' ? 'host-3' : `host-${name.at(-1)}`);

/** Everything as ever but what `now` says, by node and family. */
function evidence(
  now: Readonly<Record<string, Partial<Record<Family, number>>>>,
  more: Partial<NodeEvidence> = {},
): NodeEvidence {
  const of = (node: string, families: readonly Family[]): NodeSeries[] =>
    families.map((family) => series(node, family, 10, now[node]?.[family] ?? 10));
  return {
    series: [
      ...INSTANCES.flatMap((name) => of(name, ['latency', 'cpu'])),
      ...HOSTS.flatMap((name) => of(name, ['cpu', 'disk'])),
    ],
    edges: [],
    calls: [
      ['web', 'api'],
      ['api', 'db'],
      ['api', 'mail'],
    ],
    partOf: new Map(INSTANCES.map((name) => [name, serviceOf(name)])),
    runsOn: new Map(INSTANCES.map((name) => [name, hostOf(name)])),
    ...more,
  };
}

const first = (of: NodeEvidence): string | undefined => rankNodes(of)[0]?.node;

const tenancyIn = (of: NodeEvidence) => tenancyOf(of, new NodeTopology(of));

describe('troubleOf and waitsOn', () => {
  const tenancy = tenancyIn(evidence({}));
  const signs = (families: Partial<Record<Family, number>>): NodeSigns => ({
    kind: 'instance',
    families: new Map(Object.entries(families) as [Family, number][]),
  });
  const trouble = (machine: Partial<Record<Family, number>>, tenant: Partial<Record<Family, number>>): number =>
    troubleOf(
      tenancy,
      new NodeTopology(evidence({})),
      new Map([
        ['host-1', signs(machine)],
        ['db-1', signs(tenant)],
      ]),
      () => false,
    ).get('host-1')!;

  it('CPU, memory and disk beyond what a tenant shows; nobody waits for packets', () => {
    expect(trouble({ cpu: 4 }, { cpu: 1 })).toBe(3);
    expect(trouble({ memory: 4 }, { memory: 0 })).toBe(4);
    expect(trouble({ disk: 4 }, {})).toBe(4);
    expect(trouble({ network: 4, loss: 4 }, { network: 0, loss: 0 })).toBe(0);
  });

  it('of a service by the share of its instances', () => {
    const all = new Map([
      ['host-1', 3],
      ['host-2', 1],
    ]);
    expect(waitsOn('db-2', tenancy, all)).toEqual(['host-2', 1]);
    expect(waitsOn('db', tenancy, all)).toEqual(['host-1', 1.5]);
    expect(waitsOn('nobody', tenancy, all)).toEqual(['', 0]);
  });
});

describe('a machine with trouble of its own', () => {
  it('explains who waits there; not who runs elsewhere', () => {
    const slowDisk = evidence({ 'host-1': { disk: 90 }, 'db-1': { latency: 60 } });
    expect(first(slowDisk)).toBe('host-1');
    // In full, not as one of many counters.
    expect(rankNodes(slowDisk)[0]?.score).toBeGreaterThan(3);
    expect(first(evidence({ 'host-2': { disk: 90 }, 'db-1': { latency: 60 } }))).toBe('db-1');
    const { runsOn: _, ...unknown } = evidence({ 'host-1': { disk: 90 }, 'db-1': { latency: 60 } });
    expect(first(unknown)).toBe('db-1');
  });

  it('explains a service measured as a whole by its instances there', () => {
    const mesh = (now: Parameters<typeof evidence>[0]): NodeEvidence => {
      const all = evidence(now);
      const resources = all.series.filter(({ family }) => family !== 'latency');
      const golden = ['web', 'api', 'db', 'mail'].map((name) => series(name, 'latency', 10, now[name]?.latency ?? 10));
      return { ...all, series: [...resources, ...golden] };
    };
    expect(first(mesh({ 'host-3': { cpu: 90 }, mail: { latency: 60 } }))).toBe('host-3');
    expect(first(mesh({ 'host-1': { cpu: 90 }, mail: { latency: 60 } }))).toBe('mail');
    expect(first(mesh({ 'host-1': { cpu: 90 }, db: { latency: 60 } }))).toBe('host-1');
  });

  it('is lifted as far as somebody waits, not by a trifle', () => {
    const backup = { 'host-1': { disk: 90 }, 'mail-1': { latency: 60 } };
    expect(first(evidence({ ...backup, 'web-1': { latency: 12.4 } }))).toBe('mail-1');
  });

  it('whose tenant uses it up has none of its own', () => {
    const busy = { 'host-1': { cpu: 90 }, 'db-1': { latency: 60 } };
    expect(first(evidence(busy))).toBe('host-1');
    expect(first(evidence({ ...busy, 'db-1': { latency: 60, cpu: 90 } }))).toBe('db-1');
    // Asked for, but used all the same.
    const work = evidence({ ...busy, 'db-1': { latency: 60, cpu: 90 } });
    const requests = { baseline: wave(100, 30), current: wave(900, 5) };
    const asked = work.series.map((one) => (one.node === 'db-1' && one.family === 'cpu' ? { ...one, requests } : one));
    expect(first({ ...work, series: asked })).toBe('db-1');
  });

  it('where no tenant’s use is measured, it takes two services that wait', () => {
    const unmeasured = (now: Parameters<typeof evidence>[0]): NodeEvidence => {
      const all = evidence(now);
      return { ...all, series: all.series.filter(({ kind, family }) => kind === 'machine' || family !== 'cpu') };
    };
    expect(first(unmeasured({ 'host-1': { cpu: 90 }, 'db-1': { latency: 60 } }))).toBe('db-1');
    // mail-1 is on a machine of its own; web waits for nobody who is slow.
    expect(first(unmeasured({ 'host-1': { cpu: 90 }, 'db-1': { latency: 60 }, 'web-1': { latency: 60 } }))).toBe(
      'host-1',
    );
  });

  it('does not take what a callee elsewhere explains', () => {
    expect(first(evidence({ 'host-1': { cpu: 12 }, 'api-1': { latency: 60 }, 'mail-1': { latency: 60 } }))).toBe(
      'mail-1',
    );
  });
});

describe('a machine that nothing but its tenants shows to be ill', () => {
  const slow = { 'web-1': { cpu: 40 }, 'api-1': { cpu: 40 }, 'db-1': { cpu: 40 } };

  it('is named when most services there stand out, and next to nobody elsewhere', () => {
    expect(rankNodes(evidence(slow))[0]).toMatchObject({ node: 'host-1', kind: 'machine', family: 'cpu' });
    const noMetrics = evidence(slow);
    expect(first({ ...noMetrics, series: noMetrics.series.filter(({ kind }) => kind !== 'machine') })).toBe('host-1');
  });

  it('not when one service of several does, when others elsewhere do, or where all run on one machine', () => {
    expect(first(evidence({ 'api-1': { cpu: 40 } }))).toBe('api-1');
    expect(first(evidence({ 'api-1': { cpu: 90 }, 'db-1': { cpu: 12 }, 'web-1': { cpu: 12 } }))).toBe('api-1');
    expect(first(evidence({ ...slow, 'api-2': { cpu: 41 }, 'db-2': { cpu: 40 } }))).not.toBe('host-1');
    const together = evidence(slow, { runsOn: new Map(INSTANCES.map((name) => [name, 'host-1'])) });
    expect(first(together)).not.toBe('host-1');
  });
});

describe('a machine with a bad network', () => {
  /** Of calls between services, the share with one end on host-1, times 8 ms; `more` ms on top. */
  const ways = (onHost: number, more: Readonly<Record<string, number>> = {}): NodeEvidence['edges'] => {
    const share = (service: string): number => (service === 'mail' ? 0 : 0.5);
    return (
      [
        ['web', 'api'],
        ['api', 'db'],
        ['api', 'mail'],
        ['mail', 'db'],
        ['mail', 'smtp'],
      ] as const
    ).map(([caller, callee]) => {
      const [a, b] = callee === 'smtp' ? [0, 0] : [share(caller), share(callee)];
      const crossing = a * (1 - b) + b * (1 - a);
      const rise = onHost * crossing + (more[`${caller} -> ${callee}`] ?? 0);
      return { caller, callee, measure: 'gap' as const, baseline: wave(1, 30), current: wave(1 + rise, 5) };
    });
  };
  const PLACES = new Map([
    ['web-1', 'host-1'],
    ['web-2', 'host-2'],
    ['api-1', 'host-1'],
    ['api-2', 'host-3'],
    ['db-1', 'host-1'],
    ['db-2', 'host-4'],
    ['mail-1', 'host-5'],
  ]);

  it('accounts for the rise of every way by the calls that cross its border', () => {
    expect(rankNodes(evidence({}, { edges: ways(8), runsOn: PLACES }))[0]).toMatchObject({
      node: 'host-1',
      family: 'network',
    });
  });

  it('has no need of series of its own', () => {
    const bare = evidence({}, { edges: ways(8), runsOn: PLACES });
    const unmeasured = { ...bare, series: bare.series.filter(({ kind }) => kind !== 'machine') };
    expect(rankNodes(unmeasured)[0]).toMatchObject({ node: 'host-1', kind: 'machine' });
  });

  it('not for one way, nor for all ways of one service', () => {
    expect(first(evidence({}, { edges: ways(0, { 'api -> db': 8 }), runsOn: PLACES }))).not.toMatch(/host/);
    const ofMail = { 'api -> mail': 8, 'mail -> db': 8, 'mail -> smtp': 8 };
    expect(first(evidence({}, { edges: ways(0, ofMail), runsOn: PLACES }))).toBe('mail');
  });
});

describe('lossyMachine', () => {
  const tenancy = tenancyIn(
    evidence(
      {},
      {
        partOf: new Map(),
        runsOn: new Map([
          ['web', 'host-1'],
          ['api', 'host-1'],
          ['db', 'host-2'],
          ['mail', 'host-3'],
        ]),
      },
    ),
  );
  const found = (...rises: readonly number[]): string | undefined =>
    lossyMachine(
      [
        { caller: 'web', callee: 'api' },
        { caller: 'api', callee: 'db' },
        { caller: 'web', callee: 'mail' },
        { caller: 'db', callee: 'mail' },
      ].map((way, i) => ({ ...way, rise: rises[i] ?? 0, score: (rises[i] ?? 0) > 1 ? 3 : 0 })),
      tenancy,
      new Map(),
    );

  it('what stays within the machine does not cross its border', () => {
    expect(found(0, 8, 8, 0)).toBe('host-1');
    expect(found(8, 8, 8, 0)).toBeUndefined();
  });

  it('rises of about one size are one rise; a rise of another size elsewhere is not', () => {
    expect(found(1, 8, 6, 1)).toBe('host-1');
    // It accounts for 128 of 177.
    expect(found(7, 8, 8, 0)).toBeUndefined();
  });

  it('a service alone on its machine is the service; of two ways and of none that stands out nothing is said', () => {
    expect(found(0, 0, 8, 8)).toBeUndefined();
    expect(found(0, 1, 1, 0)).toBeUndefined();
    const two = ['api', 'web'].map((caller, i) => ({ caller, callee: ['db', 'mail'][i]!, rise: 8, score: 3 }));
    expect(lossyMachine(two, tenancy, new Map())).toBeUndefined();
  });
});

describe('lossyMachine of two machines', () => {
  const tenancy = tenancyIn(
    evidence(
      {},
      {
        partOf: new Map(),
        runsOn: new Map(['web', 'api', 'db', 'mail'].map((name, i) => [name, i < 2 ? 'host-1' : 'host-2'])),
      },
    ),
  );
  const ways = [
    { caller: 'web', callee: 'db', rise: 8, score: 3 },
    { caller: 'api', callee: 'mail', rise: 8, score: 3 },
    { caller: 'web', callee: 'api', rise: 5, score: 0 },
  ];
  const losing = (machine: string) =>
    new Map([[machine, { kind: 'machine' as const, families: new Map([['loss', 3]] as const) }]]);

  it('the border is the same: the one that shows losses, or none; ways that do not stand out say nothing', () => {
    expect(lossyMachine(ways, tenancy, losing('host-1'))).toBe('host-1');
    expect(lossyMachine(ways.toReversed(), tenancy, losing('host-2'))).toBe('host-2');
    expect(lossyMachine(ways, tenancy, new Map())).toBeUndefined();
    const one = ways.map((way, i) => (i === 1 ? { ...way, rise: 0, score: 0 } : way));
    expect(lossyMachine(one, tenancy, losing('host-1'))).toBeUndefined();
  });
});

describe('gather', () => {
  const runsOn = new Map(
    ['a-1', 'b-1', 'c-1', 'd-1', 'a-2', 'b-2', 'e-2', 'x-3', 'y-3'].map((name) => [name, `host-${name.at(-1)}`]),
  );
  const partOf = new Map([...runsOn.keys()].map((name) => [name, name[0]!]));
  const tenancy = tenancyIn(evidence({}, { runsOn, partOf }));
  const named = (
    scores: Readonly<Record<string, number>>,
    calls: readonly (readonly [string, string])[] = [],
  ): string | undefined => {
    const topology = new NodeTopology({ calls, partOf });
    const list = [...runsOn.keys()].map((node) => ({
      node,
      kind: 'instance' as const,
      family: 'latency' as const,
      score: scores[node] ?? 0,
      hint: 0,
    }));
    return gather(list, tenancy, topology, DEFAULT_FALLBACK).find(({ kind }) => kind === 'machine')?.node;
  };

  it('three quarters of the services there, none with too much of it', () => {
    expect(named({ 'a-1': 4, 'b-1': 4, 'c-1': 4 })).toBe('host-1');
    expect(named({ 'a-1': 4, 'b-1': 3, 'c-1': 2.5 })).toBe('host-1');
    expect(named({ 'a-1': 4, 'b-1': 4 })).toBeUndefined();
    expect(named({ 'x-3': 4, 'y-3': 3 })).toBe('host-3');
    expect(named({ 'x-3': 4, 'y-3': 2.1 })).toBeUndefined();
    // x waits for y.
    expect(named({ 'x-3': 4, 'y-3': 3 }, [['x', 'y']])).toBeUndefined();
  });

  it('three quarters of what stands out; what is less than half of the most does not', () => {
    expect(named({ 'a-1': 4, 'b-1': 4, 'c-1': 4, 'a-2': 4, 'b-2': 4 })).toBeUndefined();
    expect(named({ 'a-1': 4, 'b-1': 4, 'c-1': 4, 'a-2': 1.5, 'b-2': 1.5, 'e-2': 1.5 })).toBe('host-1');
  });
});
