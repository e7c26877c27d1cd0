/**
 * Below the last service whose calls are recorded: users may have metrics of nodes and a topology from elsewhere, but no
 * calls between them. What a service waits for there is in its own time, and the ledger cannot split it. Its callees by
 * topology, as far as no calls are recorded, are ranked by what they show themselves; accounting before correlation, so
 * they only share what the ledger gives the service.
 */
import type { Comparison, MetricPair } from '../model/comparison.ts';
import type { Entity } from '../model/entity.ts';
import { compareNames, entityKey, instance, service } from '../model/entity.ts';
import { formatNumber } from '../model/format.ts';
import type { Suspect } from '../model/walk.ts';
import { logExcess, MIN_PAST } from './deviation.ts';
import { rankSigns } from './fallback.ts';
import { DEFAULT_FALLBACK } from './fallback-settings.ts';
import type { Family, Meaning } from './families.ts';
import { familyOf } from './families.ts';
import type { NodeSigns } from './node-signs.ts';
import type { System } from './system.ts';

/** What speaks for the service itself without any sign: the weight of e - 1 standard deviations beyond the quiet range. */
const OWN_PRIOR = 1;
/** Own time and own errors hold what unrecorded callees do. */
const HOLDS_CALLEES = ['self', 'originated'];

/** TCP counters of which more is worse. */
const TROUBLE = /^(retransmits|drops\.|connectFailures\.|resets|zeroWindows|acceptQueueOverflows)/;

export interface BelowLedger {
  readonly suspects: readonly Suspect[];
  readonly notes: readonly string[];
}

/**
 * @param lead the suspect that the ledger names first
 * @returns the suspects that replace it: itself and what lies below, its score shared out; only itself when nothing does
 */
export function shareBelow(system: System, comparison: Comparison, lead: Suspect): BelowLedger {
  const from = lead.service ?? lead.entity.name;
  // One slow instance among well siblings does not wait for what all of them call.
  const shared = lead.entity.kind === 'service' && HOLDS_CALLEES.includes(lead.term);
  const below = shared ? unrecorded(system, from) : new Map<string, readonly string[]>();
  if (below.size === 0) return { suspects: [lead], notes: [] };
  const names = [...below.keys()].sort(compareNames);
  const notes = [`no calls of ${from} to ${names.join(', ')} are recorded: its own time includes them`];
  const { partOf } = comparison.topology;
  const nodes = signsOf(comparison, new Set([from, ...names]));
  const ranked = rankSigns(
    {
      series: [],
      edges: names.map((callee) => ({ caller: from, callee, measure: 'client', ...NOTHING })),
      calls: comparison.topology.calls,
      partOf: new Map(partOf),
    },
    nodes,
  ).filter(({ score }) => score > 0);
  const isOwn = (node: string): boolean => node === from || serviceOf(comparison, node) === from;
  const own = Math.max(0, ...ranked.filter(({ node }) => isOwn(node)).map(({ score }) => score)) + OWN_PRIOR;
  const others = ranked.filter(({ node }) => !isOwn(node));
  const total = others.reduce((sum, { score }) => sum + score, own);
  const suspects = others.map(({ node, kind, score }): Suspect => {
    const name = kind === 'service' ? node : (serviceOf(comparison, node) ?? node);
    const entity: Entity = kind === 'service' ? service(node) : instance(node);
    const instances = partOf
      .filter(([one, of]) => one === node || (kind === 'service' && of === node))
      .map(([one]) => one);
    const sign = [node, ...instances].flatMap((one) => nodes.get(one)?.strongest ?? [])[0];
    const onsets = comparison.anomalies
      .filter((anomaly) => entityKey(anomaly.entity) === entityKey(entity) || instances.includes(anomaly.entity.name))
      .map(({ onsetMs }) => onsetMs);
    return {
      entity,
      contribution: Number.NaN,
      shares: {},
      score: (lead.score * score) / total,
      ...(onsets.length === 0 ? {} : { onsetMs: Math.min(...onsets) }),
      symptoms: [],
      term: lead.term,
      path: [entity, ...(below.get(name) ?? []).map(service), ...lead.path.filter((one) => one.name !== name)],
      observations: [
        { text: `no calls into ${name} are recorded; it is named for what it shows itself` },
        ...(sign === undefined ? [] : [observation(sign)]),
      ],
      service: name,
      ...(instances.length === 0 ? {} : { instances }),
    };
  });
  return { suspects: [{ ...lead, score: (lead.score * own) / total }, ...suspects], notes };
}

interface Sign {
  readonly score: number;
  readonly pair: MetricPair;
}

interface Node extends NodeSigns {
  strongest?: Sign;
}

const NOTHING = { baseline: new Float64Array(0), current: new Float64Array(0) };

/** Services below `from` that topology calls its callees and that no call record speaks of -> the way up to it. */
function unrecorded(system: System, from: string): Map<string, readonly string[]> {
  const ways = new Map<string, readonly string[]>();
  const queue: (readonly [string, readonly string[]])[] = [[from, []]];
  for (const [name, way] of queue) {
    for (const { to, client, server } of system.callees(name)) {
      const node = system.service(to);
      const recorded = [client, server, node?.client, node?.server].some((flows) => flows !== undefined);
      if (recorded || to === from || ways.has(to)) continue;
      ways.set(to, way);
      queue.push([to, [to, ...way]]);
    }
  }
  return ways;
}

/** Instances of the services by their resources, the services themselves by the TCP counters of the way to them. */
function signsOf(comparison: Comparison, services: ReadonlySet<string>): Map<string, Node> {
  const out = new Map<string, Node>();
  for (const { entityKind, entity, service: of, metrics } of comparison.resources) {
    const name = of ?? serviceOf(comparison, entity);
    if (entityKind === 'machine' || name === undefined || !services.has(name)) continue;
    const node: Node = { kind: 'instance', families: new Map() };
    out.set(entity, node);
    for (const pair of metrics) {
      const { family, worse } = familyOf(pair.metric);
      note(node, family, deviationOf(pair, worse), pair);
    }
  }
  for (const { caller, callee, metrics } of comparison.tcp) {
    if (caller === callee || !services.has(caller) || !services.has(callee)) continue;
    const node: Node = out.get(callee) ?? { kind: 'service', families: new Map() };
    out.set(callee, node);
    for (const pair of metrics) if (TROUBLE.test(pair.metric)) note(node, 'network', deviationOf(pair, 1), pair);
  }
  return out;
}

/** Keeps the largest deviation of each family, and the largest of all for the report; ties by metric. */
function note(node: Node, family: Family, score: number, pair: MetricPair): void {
  if (score <= (node.families.get(family) ?? 0)) return;
  node.families.set(family, score);
  const best = node.strongest;
  const more = best === undefined ? 1 : score - best.score || compareNames(best.pair.metric, pair.metric);
  if (more > 0) node.strongest = { score, pair };
}

/** The deviation of a pair of means; 0: as usual or unknown. */
function deviationOf(pair: MetricPair, worse: Meaning['worse']): number {
  const { baselineMean, baselineSpread, currentMean, baselineWindows, currentWindows } = pair;
  if (baselineWindows < MIN_PAST || currentWindows === 0 || !Number.isFinite(currentMean)) return 0;
  const spread = Number.isFinite(baselineSpread) ? baselineSpread : 0;
  const z = (currentMean - baselineMean) / Math.max(spread, DEFAULT_FALLBACK.minScatter * Math.abs(baselineMean), 1e-9);
  return logExcess(worse === 1 ? z : worse === -1 ? -z : Math.abs(z));
}

function observation({ pair }: Sign): Suspect['observations'][number] {
  const { metric, baselineMean, currentMean } = pair;
  return {
    text: `${metric.replace(/^extra\./, '')} went from ${formatNumber(baselineMean)} to ${formatNumber(currentMean)} a window (means)`,
    metric,
    baseline: baselineMean,
    current: currentMean,
  };
}

function serviceOf(comparison: Comparison, name: string): string | undefined {
  return (
    comparison.topology.partOf.find(([one]) => one === name)?.[1] ??
    comparison.resources.find(({ entity }) => entity === name)?.service
  );
}
