import { describe, expect, it } from 'vitest';
import type { NodeEvidence, NodeSeries } from '../../src/demarcate/fallback.ts';
import { rankNodes } from '../../src/demarcate/fallback.ts';
import type { Family } from '../../src/demarcate/families.ts';

const wave = (mean: number, n: number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => mean * (1 + 0.02 * ((i * 7) % 5)));

function series(node: string, family: Family, before: number, now: number): NodeSeries {
  const kind = node.startsWith('host') ? 'machine' : /-\d$/.test(node) ? 'instance' : 'service';
  return { node, kind, family, metric: family, worse: 1, baseline: wave(before, 30), current: wave(now, 5) };
}

/** web-1, api-1 and db-1 on host-1; web-2, api-2 and db-2 on host-2; mail-1 on host-3. */
const INSTANCES = ['web-1', 'web-2', 'api-1', 'api-2', 'db-1', 'db-2', 'mail-1'];
const HOSTS = ['host-1', 'host-2', 'host-3'];
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

describe('a machine with trouble of its own', () => {
  it('explains who waits there; not who runs elsewhere', () => {
    expect(first(evidence({ 'host-1': { disk: 90 }, 'db-1': { latency: 60 } }))).toBe('host-1');
    expect(first(evidence({ 'host-2': { disk: 90 }, 'db-1': { latency: 60 } }))).toBe('db-1');
    const { runsOn: _, ...unknown } = evidence({ 'host-1': { disk: 90 }, 'db-1': { latency: 60 } });
    expect(first(unknown)).toBe('db-1');
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

  it('not for one way, nor for all ways of one service', () => {
    expect(first(evidence({}, { edges: ways(0, { 'api -> db': 8 }), runsOn: PLACES }))).not.toMatch(/host/);
    const ofMail = { 'api -> mail': 8, 'mail -> db': 8, 'mail -> smtp': 8 };
    expect(first(evidence({}, { edges: ways(0, ofMail), runsOn: PLACES }))).toBe('mail');
  });
});
