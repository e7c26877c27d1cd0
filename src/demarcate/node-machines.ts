/**
 * Machines in the ranking without call records: what a machine's own trouble explains of who runs there; a machine whose
 * network makes all ways across its border longer; and one of which nothing but its tenants shows that it is ill.
 */
import { compareNames } from '../model/entity.ts';
import type { Way } from './edge-network.ts';
import type { NodeEvidence, RankedNode } from './fallback.ts';
import type { FallbackSettings } from './fallback-settings.ts';
import type { Family } from './families.ts';
import { FAMILIES, SYMPTOM_FAMILIES } from './families.ts';
import type { NodeSigns } from './node-signs.ts';
import type { NodeTopology } from './node-topology.ts';

/** Resources that whoever runs on a machine waits for. */
const WAITED_FOR: readonly Family[] = ['cpu', 'memory', 'disk'];

/** Of a fit, the share of the rises (their squares) that an end has to account for. */
const MIN_FIT = 0.8;
/** Fits that differ by less are one: rounding. */
const SAME_FIT = 1e-9;
/** Instances with at least this share of the highest score stand out with it. */
const STANDS_OUT = 0.5;
/** Of what stands out, what sits on one machine; of the services there, those that stand out. */
const MIN_HERE = 0.75;
/** One service's most, or it is that service. */
const MAX_OF_ONE = 0.65;

export interface Tenancy {
  /** Instances of each machine, where any are known. */
  readonly tenants: ReadonlyMap<string, readonly string[]>;
  readonly runsOn: ReadonlyMap<string, string>;
  /** Service -> machine -> share of its instances. */
  readonly shares: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

export function tenancyOf(
  { runsOn = new Map<string, string>() }: Pick<NodeEvidence, 'runsOn'>,
  topology: NodeTopology,
): Tenancy {
  const tenants = new Map(
    [...Map.groupBy(runsOn, ([, machine]) => machine)].map(([machine, pairs]) => [
      machine,
      pairs.map(([name]) => name),
    ]),
  );
  return { tenants, runsOn, shares: sharesOf(runsOn, topology) };
}

/**
 * What each machine shows of resources that none of its tenants shows. Where no tenant's use is measured, it may be the
 * work of the one who waits: it counts when several services do.
 * @param waits  whether a node is slow or fails, and no callee explains it
 * @returns machine -> log units
 */
export function troubleOf(
  { tenants }: Tenancy,
  topology: NodeTopology,
  nodes: ReadonlyMap<string, NodeSigns>,
  waits: (name: string) => boolean,
): Map<string, number> {
  return new Map(
    [...tenants].map(([machine, here]) => {
      const families = nodes.get(machine)?.families ?? new Map<Family, number>();
      const waiting = new Set(here.filter(waits).map((name) => topology.serviceOf(name)));
      const own = WAITED_FOR.map((family) => {
        // Containers' use of a disk is seldom measured, and seldom one service's.
        const isMeasured = family === 'disk' || here.some((name) => nodes.get(name)?.families.has(family));
        if (!isMeasured && waiting.size < 2) return 0;
        const theirs = Math.max(0, ...here.map((name) => shown(nodes.get(name), family)));
        return Math.max(0, (families.get(family) ?? 0) - theirs);
      });
      return [machine, Math.max(...own)];
    }),
  );
}

/** The machine whose trouble explains most of a node, and how much: of a service, by the share of its instances there. */
export function waitsOn(
  name: string,
  { runsOn, shares }: Tenancy,
  trouble: ReadonlyMap<string, number>,
): readonly [machine: string, logUnits: number] {
  const own = runsOn.get(name);
  const places = own === undefined ? [...(shares.get(name) ?? [])] : [[own, 1] as const];
  return places
    .map(([machine, share]) => [machine, share * (trouble.get(machine) ?? 0)] as const)
    .sort(([a], [b]) => compareNames(a, b))
    .reduce((worst, one) => (one[1] > worst[1] ? one : worst), ['', 0] as const);
}

function shown(node: NodeSigns | undefined, family: Family): number {
  const sign = node?.families.get(family) ?? 0;
  return family === 'cpu' ? Math.max(sign, node?.cpuUsed ?? 0) : sign;
}

/**
 * The machine whose network accounts for how much longer all ways got: what a call across its border takes more is the same
 * for all, so a way grew by the share of its calls that cross it. It must explain them better than any service or any one way
 * does; of machines that explain them alike (the two of two), the one that shows more losses of its own.
 */
export function lossyMachine(
  ways: readonly Way[],
  tenancy: Tenancy,
  nodes: ReadonlyMap<string, NodeSigns>,
): string | undefined {
  if (ways.length < 3) return undefined;
  const rises = ways.map(({ score, rise }) => (score > 0 ? rise : 0));
  const share = (service: string, machine: string): number => tenancy.shares.get(service)?.get(machine) ?? 0;
  const fits = [...tenancy.tenants.keys()].map((machine) => {
    const crossing = ways.map(({ caller, callee }) => {
      const [a, b] = [share(caller, machine), share(callee, machine)];
      return a * (1 - b) + b * (1 - a);
    });
    return { machine, fit: fitOf(crossing, rises) };
  });
  const best = Math.max(0, ...fits.map(({ fit }) => fit));
  if (best < MIN_FIT || fitOfOne(ways, rises) >= best - SAME_FIT) return undefined;
  const losses = fits
    .filter(({ fit }) => fit >= best - SAME_FIT)
    .map(({ machine }) => ({ machine, loss: nodes.get(machine)?.families.get('loss') ?? 0 }))
    .sort((a, b) => b.loss - a.loss);
  const [first, second] = losses;
  return second !== undefined && second.loss >= (first?.loss ?? 0) ? undefined : first?.machine;
}

/** Cosine, squared: of the ways' rises, what one rise times these shares accounts for. */
function fitOf(shares: readonly number[], rises: readonly number[]): number {
  let both = 0;
  let squares = 0;
  let all = 0;
  rises.forEach((rise, i) => {
    const share = shares[i] ?? 0;
    both += share * rise;
    squares += share * share;
    all += rise * rise;
  });
  return both <= 0 || squares === 0 || all === 0 ? 0 : (both * both) / (squares * all);
}

/** The same of one way, or of all ways of one service: the largest. */
function fitOfOne(ways: readonly Way[], rises: readonly number[]): number {
  const ends = new Map<string, { sum: number; count: number }>();
  let all = 0;
  let most = 0;
  ways.forEach(({ caller, callee }, i) => {
    const rise = rises[i] ?? 0;
    all += rise * rise;
    most = Math.max(most, rise * rise);
    for (const end of new Set([caller, callee])) {
      const entry = ends.get(end) ?? { sum: 0, count: 0 };
      ends.set(end, { sum: entry.sum + rise, count: entry.count + 1 });
    }
  });
  const squares = [...ends.values()].map(({ sum, count }) => (sum * sum) / count);
  return all === 0 ? 0 : Math.max(most, ...squares) / all;
}

function sharesOf(runsOn: ReadonlyMap<string, string>, topology: NodeTopology): Map<string, Map<string, number>> {
  const out = new Map<string, Map<string, number>>();
  const located = [...runsOn].map(([name, machine]) => [topology.serviceOf(name), machine] as const);
  for (const [service, list] of Map.groupBy(located, ([service]) => service)) {
    const shares = new Map<string, number>();
    for (const [, machine] of list) shares.set(machine, (shares.get(machine) ?? 0) + 1 / list.length);
    out.set(service, shares);
  }
  return out;
}

interface Scored extends RankedNode {
  readonly hint: number;
}

/**
 * When most of what stands out sits on one machine, is of several services and most of those there, and there are others
 * elsewhere, it is the machine: it takes the first place before them.
 */
export function gather(
  ranked: readonly Scored[],
  tenancy: Tenancy,
  topology: NodeTopology,
  { explains }: FallbackSettings,
): Scored[] {
  const placed = ranked.filter(({ node, kind }) => kind !== 'machine' && tenancy.runsOn.has(node));
  const most = Math.max(0, ...ranked.filter(({ kind }) => kind !== 'machine').map(({ score }) => score));
  const standsOut = ({ score }: Scored): boolean => score > 0 && score >= STANDS_OUT * most;
  const outstanding = placed.filter(standsOut);
  // A service row beside its instances is the same again.
  const elsewhere = ranked.filter(
    ({ node, kind }) => kind !== 'machine' && !tenancy.runsOn.has(node) && !tenancy.shares.has(node),
  );
  const all = sum(outstanding) + sum(elsewhere.filter(standsOut));
  const machine = [...tenancy.tenants.keys()].sort().find((name) => {
    const isHere = ({ node }: Scored): boolean => tenancy.runsOn.get(node) === name;
    const here = outstanding.filter(isHere);
    const byService = Map.groupBy(here, ({ node }) => topology.serviceOf(node));
    const names = new Set(here.map(({ node }) => node));
    // Who waits for another one there is no witness.
    const witnesses = here.filter(
      ({ node, family }) =>
        !SYMPTOM_FAMILIES.includes(family) || !topology.calleesOf(node).some((callee) => names.has(callee)),
    );
    const services = new Set(placed.filter(isHere).map(({ node }) => topology.serviceOf(node)));
    return (
      new Set(witnesses.map(({ node }) => topology.serviceOf(node))).size > 1 &&
      placed.some((one) => !isHere(one)) &&
      sum(here) >= MIN_HERE * all &&
      byService.size >= MIN_HERE * services.size &&
      [...byService.values()].every((list) => sum(list) <= MAX_OF_ONE * sum(here))
    );
  });
  if (machine === undefined) return [...ranked];
  const [top] = outstanding
    .filter(({ node }) => tenancy.runsOn.get(node) === machine)
    .sort((a, b) => b.score - a.score || FAMILIES.indexOf(a.family) - FAMILIES.indexOf(b.family));
  const known = ranked.find(({ node, kind }) => kind === 'machine' && node === machine);
  return [
    {
      node: machine,
      kind: 'machine',
      family: top!.family,
      score: Math.max(most, known?.score ?? 0),
      hint: known?.hint ?? 0,
    },
    ...ranked
      .filter((one) => one !== known)
      .map((one) =>
        tenancy.runsOn.get(one.node) === machine && one.kind !== 'machine'
          ? { ...one, score: one.score * (1 - explains) }
          : one,
      ),
  ];
}

function sum(list: readonly { readonly score: number }[]): number {
  return list.reduce((total, { score }) => total + score, 0);
}
