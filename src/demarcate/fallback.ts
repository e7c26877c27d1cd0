/**
 * The walk without call records: users who have metrics of nodes from elsewhere, some topology, perhaps measures of edges
 * or only alerts. Every series is compared with its own past; a node's score adds what its families of measures say
 * (resources are causes more often than symptoms); slowness that a callee explains is discounted; an edge's network time
 * counts for the end that shares it on all its edges.
 */
import { compareNames } from '../model/entity.ts';
import { isByChance } from './chance.ts';
import type { Samples } from './deviation.ts';
import { highRiseOf, isComparable, logExcess, standardised, usualLevel } from './deviation.ts';
import type { EdgeSeries } from './edge-network.ts';
import { blameOf, waysOf } from './edge-network.ts';
import type { FallbackSettings } from './fallback-settings.ts';
import { DEFAULT_FALLBACK } from './fallback-settings.ts';
import type { Family } from './families.ts';
import { FAMILIES, SYMPTOM_FAMILIES } from './families.ts';
import { addLostCalls } from './lost-calls.ts';
import { gather, lossyMachine, tenancyOf, troubleOf, waitsOn } from './node-machines.ts';
import type { NodeSigns } from './node-signs.ts';
import { explaining, raise } from './node-signs.ts';
import { NodeTopology } from './node-topology.ts';
import { waitedFor } from './waited-for.ts';

export interface NodeSeries extends Samples {
  readonly node: string;
  readonly kind: 'service' | 'instance' | 'machine';
  readonly family: Family;
  /** Series of one metric are comparable between nodes. */
  readonly metric: string;
  /** Which way is worse: 1 up, -1 down, 0 either. */
  readonly worse: 1 | -1 | 0;
  /** Of a ratio of errors or of CPU time, the requests at the same times, NaN: unknown; absent: none is known. */
  readonly requests?: Samples;
}

export interface NodeEvidence {
  readonly series: readonly NodeSeries[];
  readonly edges: readonly EdgeSeries[];
  readonly calls: readonly (readonly [caller: string, callee: string])[];
  readonly partOf: ReadonlyMap<string, string>;
  /** Machine of an instance; none: unknown. */
  readonly runsOn?: ReadonlyMap<string, string>;
  /** Far ends that only their callers report: what they show is the caller's view of somebody. */
  readonly unobserved?: ReadonlySet<string>;
  /** Nodes of which the trouble was reported; none: unknown. */
  readonly symptoms?: readonly string[];
}

export interface RankedNode {
  readonly node: string;
  readonly kind: 'service' | 'instance' | 'machine';
  readonly score: number;
  readonly family: Family;
}

/** @returns nodes, most suspect first; equal ones by what they show within the quiet range, then by name. Cost: O(samples log samples). */
export function rankNodes(evidence: NodeEvidence, settings = DEFAULT_FALLBACK): RankedNode[] {
  const levels = usualLevels(evidence.series);
  const ratios = evidence.series.filter(({ family, requests }) => family === 'errors' && requests !== undefined).length;
  const nodes = new Map<string, NodeSigns>();
  for (const series of evidence.series) {
    const node: NodeSigns = nodes.get(series.node) ?? { kind: series.kind, families: new Map() };
    nodes.set(series.node, node);
    if (isByChance(series, ratios)) continue;
    const floor = settings.idle * (levels.get(`${series.kind}/${series.metric}`) ?? 0);
    const used = standardised(series.baseline, series.current, series.worse, floor, isSpiky(series), settings);
    if (series.family === 'cpu') node.cpuUsed = Math.max(node.cpuUsed ?? 0, logExcess(used, settings));
    const z = Math.min(used, perRequest(series, settings));
    let size = 1;
    if (series.family === 'errors' && series.worse === 1) {
      const rise = highRiseOf(series);
      node.errorRise = Math.max(node.errorRise ?? 0, rise);
      size = Math.min(1, rise / settings.minErrorRatio);
    }
    node.families.set(series.family, Math.max(node.families.get(series.family) ?? 0, size * logExcess(z, settings)));
    node.hint = Math.max(node.hint ?? 0, settings.weights[series.family] * Math.min(z, settings.quietZ));
  }
  return rankSigns(evidence, nodes, settings);
}

/** Single spikes of a resource mean nothing. */
function isSpiky({ family }: NodeSeries): boolean {
  return !SYMPTOM_FAMILIES.includes(family);
}

/**
 * By how much CPU time for each request is off, where more came than usual: work that was asked for is no cause. Infinity: no
 * more came, it is not known for all samples, or it is not CPU time.
 */
function perRequest(series: NodeSeries, settings: FallbackSettings): number {
  const { baseline, current, worse, family, requests } = series;
  if (family !== 'cpu' || requests === undefined) return Number.POSITIVE_INFINITY;
  if (current.some((value, i) => Number.isFinite(value) && !Number.isFinite(requests.current[i])))
    return Number.POSITIVE_INFINITY;
  if (standardised(requests.baseline, requests.current, 1, 0, false, settings) <= settings.quietZ)
    return Number.POSITIVE_INFINITY;
  const before = baseline.map((value, i) => value / (requests.baseline[i] ?? Number.NaN));
  const now = current.map((value, i) => value / (requests.current[i] ?? Number.NaN));
  if (!isComparable(before, now)) return Number.POSITIVE_INFINITY;
  return standardised(before, now, worse, 0, isSpiky(series), settings);
}

/** The same from deviations that are known already. */
export function rankSigns(
  evidence: NodeEvidence,
  nodes: ReadonlyMap<string, NodeSigns>,
  settings = DEFAULT_FALLBACK,
): RankedNode[] {
  const { weights, rest, machine, unobserved, beside } = settings;
  const waited = waitedFor(evidence);
  const ways = waysOf(evidence.edges, settings);
  const topology = new NodeTopology(evidence);
  addLostCalls(evidence.series, topology, nodes, settings);
  passOn(evidence, nodes, settings);
  const network = blameOf(ways, settings);
  const tenancy = tenancyOf(evidence, topology);
  const lossy = lossyMachine(ways, tenancy, nodes);
  /** Machine -> share of its trouble that somebody waits for. */
  const guilty = new Map<string, number>(lossy === undefined ? [] : [[lossy, 1]]);
  const worstWays = new Map<string, number>();
  for (const { caller, callee, score } of ways)
    if (caller !== callee) worstWays.set(caller, Math.max(worstWays.get(caller) ?? 0, score));
  const explained = new Map(
    [...nodes].map(([name, { families }]) => [
      name,
      SYMPTOM_FAMILIES.map((family) =>
        Math.min(families.get(family) ?? 0, explainedBy(name, family, nodes, topology, worstWays)),
      ),
    ]),
  );
  const trouble = troubleOf(tenancy, topology, nodes, (name) =>
    SYMPTOM_FAMILIES.some(
      (family, i) => (nodes.get(name)?.families.get(family) ?? 0) > (explained.get(name)?.[i] ?? 0),
    ),
  );
  const signs = new Map(
    [...nodes].map(([name, { families }]) => {
      const own = new Map(families);
      const [machine, ofMachine] = waitsOn(name, tenancy, trouble);
      SYMPTOM_FAMILIES.forEach((family, i) => {
        const sign = families.get(family) ?? 0;
        const below = explained.get(name)?.[i] ?? 0;
        const waitedOn = Math.min(sign, ofMachine);
        if (waitedOn > below) guilty.set(machine, Math.max(guilty.get(machine) ?? 0, waitedOn / ofMachine));
        own.set(family, sign - settings.explains * Math.max(below, waitedOn));
      });
      return [name, own];
    }),
  );
  const worstWay = Math.max(0, ...ways.map((way) => way.score));
  const silent: NodeSigns = { kind: 'machine', families: new Map() };
  const all = lossy === undefined || nodes.has(lossy) ? nodes : new Map([...nodes, [lossy, silent]]);
  const ranked = [...all].map(([name, { kind, hint = 0 }]) => {
    const own = signs.get(name) ?? new Map<Family, number>();
    const blamed = network.get(name) ?? network.get(evidence.partOf.get(name) ?? '') ?? 0;
    const gap = name === lossy ? worstWay : lossy === undefined ? blamed : blamed * (1 - settings.explains);
    if (gap > 0) own.set('network', Math.max(own.get('network') ?? 0, gap / weights.network));
    let score = 0;
    let lead: Family = 'other';
    let leadScore = -1;
    for (const family of FAMILIES) {
      const part = weights[family] * (own.get(family) ?? 0);
      score += part;
      if (part > leadScore) [lead, leadScore] = [family, part];
    }
    const far = kind !== 'machine' && waited !== undefined && !waited.has(name);
    const share = kind === 'machine' ? machine + (1 - machine) * (guilty.get(name) ?? 0) : 1;
    const near = far ? beside : evidence.unobserved?.has(name) === true ? unobserved : 1;
    return {
      node: name,
      kind,
      score: share * near * (leadScore + rest * (score - leadScore)),
      family: lead,
      hint: share * near * hint,
    };
  });
  return foldSingles(evidence, gather(ranked, tenancy, topology, settings))
    .sort((a, b) => b.score - a.score || b.hint - a.hint || compareNames(a.node, b.node))
    .map(({ hint: _, ...node }) => node);
}

interface Hinted extends RankedNode {
  readonly hint: number;
}

/** Of a callee whose calls fail on the way, where its caller's failures are measured: it runs out of something. */
const ILLNESS: readonly Family[] = ['cpu', 'memory', 'disk'];

/** Of two rows of one node. */
function isBefore(a: Hinted, b: Hinted): boolean {
  if (a.score !== b.score) return a.score > b.score;
  if (a.hint !== b.hint) return a.hint > b.hint;
  return FAMILIES.indexOf(a.family) < FAMILIES.indexOf(b.family);
}

/** The only instance of a service that is observed as such is the service; with siblings it stays an instance. */
function foldSingles({ partOf, series, edges }: NodeEvidence, ranked: readonly Hinted[]): Hinted[] {
  const observed = new Set([
    ...series.filter(({ kind }) => kind === 'service').map(({ node }) => node),
    ...edges.flatMap(({ caller, callee }) => [caller, callee]),
  ]);
  const instances = new Map<string, number>();
  for (const service of partOf.values()) instances.set(service, (instances.get(service) ?? 0) + 1);
  const out = new Map<string, Hinted>();
  for (const node of ranked) {
    const service = partOf.get(node.node);
    const folded: Hinted =
      service !== undefined && observed.has(service) && instances.get(service) === 1
        ? { ...node, node: service, kind: 'service' }
        : node;
    const known = out.get(`${folded.kind}/${folded.node}`);
    if (known === undefined || isBefore(folded, known)) out.set(`${folded.kind}/${folded.node}`, folded);
  }
  return [...out.values()];
}

/** Upper quartile of a metric's usual level over the nodes: what moves far below it is idle noise. */
function usualLevels(series: readonly NodeSeries[]): Map<string, number> {
  const byMetric = Map.groupBy(series, ({ kind, metric }) => `${kind}/${metric}`);
  return new Map([...byMetric].map(([key, list]) => [key, usualLevel(list, 0.75)]));
}

/**
 * A node of which only symptoms are measured (an entry, a load balancer), where others have measures of their own: it
 * cannot be told from whom it calls, and hands its symptoms down.
 */
function passOn(
  { calls, partOf }: NodeEvidence,
  nodes: ReadonlyMap<string, NodeSigns>,
  { passedOn }: FallbackSettings,
): void {
  const bare = ({ families }: { readonly families: ReadonlyMap<Family, number> }): boolean =>
    [...families.keys()].every((family) => SYMPTOM_FAMILIES.includes(family) || family === 'traffic');
  if ([...nodes.values()].every(bare)) return;
  const parents = new Set(partOf.values());
  for (const [name, node] of [...nodes].sort(([a], [b]) => compareNames(a, b))) {
    if (!bare(node) || parents.has(name) || partOf.has(name)) continue;
    const callees = [...new Set(calls.filter(([caller]) => caller === name).map(([, callee]) => callee))];
    for (const callee of callees) {
      const below = nodes.get(callee);
      for (const family of SYMPTOM_FAMILIES) {
        const passed = ((node.families.get(family) ?? 0) * passedOn) / callees.length;
        if (below !== undefined) raise(below, family, passed);
      }
    }
    if (callees.length > 0)
      for (const family of SYMPTOM_FAMILIES) node.families.set(family, (node.families.get(family) ?? 0) / 2);
  }
}

/** Of a node's slowness or failures, what its worst callee (or its own instances' callee) shows of the same. */
function explainedBy(
  name: string,
  family: Family,
  nodes: ReadonlyMap<string, NodeSigns>,
  topology: NodeTopology,
  ways: ReadonlyMap<string, number>,
): number {
  const own = nodes.get(name);
  let explained = 0;
  for (const callee of topology.calleesOf(name)) {
    const below = nodes.get(callee);
    explained = Math.max(explained, explaining(below, own, family));
    if (family === 'errors' && own?.errorRise !== undefined)
      explained = Math.max(explained, ...ILLNESS.map((one) => below?.families.get(one) ?? 0));
  }
  // Time on the way to a callee explains the caller's slowness as well.
  return family === 'latency' ? Math.max(explained, ways.get(topology.serviceOf(name)) ?? 0) : explained;
}
