/**
 * The walk without call records: users who have metrics of nodes from elsewhere, some topology, perhaps measures of edges
 * or only alerts. Every series is compared with its own past; a node's score adds what its families of measures say
 * (resources are causes more often than symptoms); slowness that a callee explains is discounted; an edge's network time
 * counts for the end that shares it on all its edges.
 */
import { compareNames } from '../model/entity.ts';
import { isByChance } from './chance.ts';
import { deviation, finite, isComparable, logExcess, quantile, standardised } from './deviation.ts';
import type { FallbackSettings } from './fallback-settings.ts';
import { DEFAULT_FALLBACK } from './fallback-settings.ts';
import type { Family } from './families.ts';
import { FAMILIES, SYMPTOM_FAMILIES } from './families.ts';
import { waitedFor } from './waited-for.ts';

export interface NodeSeries {
  readonly node: string;
  readonly kind: 'service' | 'instance' | 'machine';
  readonly family: Family;
  /** Series of one metric are comparable between nodes. */
  readonly metric: string;
  /** Which way is worse: 1 up, -1 down, 0 either. */
  readonly worse: 1 | -1 | 0;
  readonly baseline: Float64Array;
  readonly current: Float64Array;
  /** Of a ratio of errors, the requests at the same times, NaN: unknown; absent: none is known. */
  readonly requests?: { readonly baseline: Float64Array; readonly current: Float64Array };
}

export interface EdgeSeries {
  readonly caller: string;
  readonly callee: string;
  /** Client time minus server time, or a latency of one side. */
  readonly measure: 'gap' | 'client' | 'server';
  readonly baseline: Float64Array;
  readonly current: Float64Array;
}

export interface NodeEvidence {
  readonly series: readonly NodeSeries[];
  readonly edges: readonly EdgeSeries[];
  readonly calls: readonly (readonly [caller: string, callee: string])[];
  readonly partOf: ReadonlyMap<string, string>;
  /** Far ends that only their callers report: what they show is the caller's view of somebody. */
  readonly unobserved?: ReadonlySet<string>;
  /** Nodes of which the trouble was reported; none: unknown. */
  readonly symptoms?: readonly string[];
}

/** Largest deviation of a node by family. */
export interface NodeSigns {
  readonly kind: RankedNode['kind'];
  readonly families: Map<Family, number>;
  /** Largest weighted deviation within the quiet range: orders those who show nothing. */
  hint?: number;
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
  const nodes = new Map<string, NodeSigns>();
  for (const series of evidence.series) {
    const node: NodeSigns = nodes.get(series.node) ?? { kind: series.kind, families: new Map() };
    nodes.set(series.node, node);
    if (isByChance(series)) continue;
    const z = standardised(
      series.baseline,
      series.current,
      series.worse,
      settings.idle * (levels.get(`${series.kind}/${series.metric}`) ?? 0),
      !SYMPTOM_FAMILIES.includes(series.family),
      settings,
    );
    node.families.set(series.family, Math.max(node.families.get(series.family) ?? 0, logExcess(z, settings)));
    node.hint = Math.max(node.hint ?? 0, settings.weights[series.family] * Math.min(z, settings.quietZ));
  }
  return rankSigns(evidence, nodes, settings);
}

/** The same from deviations that are known already. */
export function rankSigns(
  evidence: NodeEvidence,
  nodes: ReadonlyMap<string, NodeSigns>,
  settings = DEFAULT_FALLBACK,
): RankedNode[] {
  const { weights, rest, machine, unobserved, beside } = settings;
  const waited = waitedFor(evidence);
  const floor = gapFloor(evidence.edges, settings);
  passOn(evidence, nodes, settings);
  const network = edgeNetwork(evidence, settings);
  return foldSingles(
    evidence,
    [...nodes].map(([name, { kind, families, hint = 0 }]) => {
      const own = new Map(families);
      for (const family of SYMPTOM_FAMILIES)
        own.set(family, notExplained(evidence, name, family, nodes, floor, settings));
      const gap = network.get(name) ?? network.get(evidence.partOf.get(name) ?? '') ?? 0;
      if (gap > 0) own.set('network', Math.max(own.get('network') ?? 0, gap / weights.network));
      let score = 0;
      let lead: Family = 'other';
      let leadScore = -1;
      for (const family of FAMILIES) {
        const part = weights[family] * (own.get(family) ?? 0);
        score += part;
        if (part > leadScore) [lead, leadScore] = [family, part];
      }
      const far = waited !== undefined && !waited.has(name);
      const near =
        kind === 'machine' ? machine : far ? beside : evidence.unobserved?.has(name) === true ? unobserved : 1;
      return {
        node: name,
        kind,
        score: near * (leadScore + rest * (score - leadScore)),
        family: lead,
        hint: near * hint,
      };
    }),
  )
    .sort((a, b) => b.score - a.score || b.hint - a.hint || compareNames(a.node, b.node))
    .map(({ hint: _, ...node }) => node);
}

interface Hinted extends RankedNode {
  readonly hint: number;
}

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
  const baselines = new Map<string, Float64Array[]>();
  for (const { kind, metric, baseline } of series) {
    const key = `${kind}/${metric}`;
    baselines.set(key, [...(baselines.get(key) ?? []), baseline]);
  }
  return new Map([...baselines].map(([key, list]) => [key, usualLevel(list, 0.75)]));
}

/** Least scatter of a network time: next to nothing between two services is the resolution of spans. */
function gapFloor(edges: readonly EdgeSeries[], { minScatter }: FallbackSettings): number {
  const gaps = edges.filter(({ measure }) => measure === 'gap').map(({ baseline }) => baseline);
  return minScatter * usualLevel(gaps, 0.5);
}

function usualLevel(baselines: readonly Float64Array[], q: number): number {
  const known = baselines.map(finite).filter(({ length }) => length > 0);
  const medians = Float64Array.from(known, (past) => Math.abs(quantile(past, 0.5))).sort();
  return medians.length === 0 ? 0 : quantile(medians, q);
}

/**
 * A node of which only symptoms are measured (an entry, a load balancer), where others have measures of their own: it
 * cannot be told from whom it calls, and hands its symptoms down.
 */
function passOn(
  { calls, partOf }: NodeEvidence,
  nodes: ReadonlyMap<string, { readonly kind: RankedNode['kind']; readonly families: Map<Family, number> }>,
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
        if (below !== undefined && passed > (below.families.get(family) ?? 0)) below.families.set(family, passed);
      }
    }
    if (callees.length > 0)
      for (const family of SYMPTOM_FAMILIES) node.families.set(family, (node.families.get(family) ?? 0) / 2);
  }
}

/** A node's slowness or failures less what its worst callee (or its own instances' callee) shows of the same. */
function notExplained(
  evidence: NodeEvidence,
  name: string,
  family: Family,
  nodes: ReadonlyMap<string, { readonly families: ReadonlyMap<Family, number> }>,
  floor: number,
  settings: FallbackSettings,
): number {
  const own = nodes.get(name)?.families.get(family) ?? 0;
  if (own === 0) return 0;
  const service = evidence.partOf.get(name) ?? name;
  let explained = 0;
  for (const [caller, callee] of evidence.calls) {
    if (caller !== service && caller !== name) continue;
    for (const [other, { families }] of nodes) {
      if (other === name || (other !== callee && evidence.partOf.get(other) !== callee)) continue;
      explained = Math.max(explained, families.get(family) ?? 0);
    }
  }
  // Time on the way to a callee explains the caller's slowness as well.
  for (const { caller, callee, measure, baseline, current } of evidence.edges) {
    if (family === 'latency' && measure === 'gap' && caller === service && callee !== service)
      explained = Math.max(explained, deviation(baseline, current, 1, floor, false, settings));
  }
  return own - settings.explains * Math.min(explained, own);
}

/**
 * Per node: mean over its edges of the largest deviation of their network time, and for the end of an edge whose edges are
 * worse on the whole, most of that edge's own. Edges without enough samples say nothing.
 */
function edgeNetwork({ edges }: NodeEvidence, settings: FallbackSettings): Map<string, number> {
  const worst = new Map<string, { ends: readonly string[]; score: number }>();
  const floor = gapFloor(edges, settings);
  for (const { caller, callee, measure, baseline, current } of edges) {
    if (measure !== 'gap' || !isComparable(baseline, current)) continue;
    const key = `${caller}\0${callee}`;
    const score = Math.max(worst.get(key)?.score ?? 0, deviation(baseline, current, 1, floor, false, settings));
    worst.set(key, { ends: [caller, callee], score });
  }
  const sums = new Map<string, { sum: number; count: number }>();
  for (const { ends, score } of worst.values()) {
    for (const end of ends) {
      const entry = sums.get(end) ?? { sum: 0, count: 0 };
      entry.sum += score;
      entry.count++;
      sums.set(end, entry);
    }
  }
  const blame = new Map([...sums].map(([name, { sum, count }]) => [name, sum / count]));
  const means = new Map(blame);
  for (const { ends, score } of worst.values()) {
    const most = Math.max(...ends.map((end) => means.get(end) ?? 0));
    for (const end of ends) {
      const own = means.get(end) ?? 0;
      if (own < most || score <= own) continue;
      blame.set(end, Math.max(blame.get(end) ?? 0, own + settings.blamed * (score - own)));
    }
  }
  return blame;
}
