/**
 * The observed system before and during the incident: a directed graph (graphology) of services with, on nodes and
 * edges, rates per second and mean durations from either side.
 */
import { DirectedGraph } from 'graphology';
import type { CallLeaf, CallSums, Comparison } from '../model/comparison.ts';
import { compareNames } from '../model/entity.ts';
import { isGivenUp, isLeft } from '../model/error-types.ts';
import { ACTIVE } from '../model/records.ts';
import type { Stretch } from './stretches.ts';
import { stretchesOf } from './stretches.ts';

/** Sums per second over one span; `durationUs` is the sum of durations per second, NaN when not reported. */
export interface Flow {
  readonly count: number;
  readonly errors: number;
  readonly durationUs: number;
  /** Between-window variance of the mean duration, us^2; NaN: unknown. */
  readonly meanVarianceUs2: number;
}

export interface SideFlows {
  readonly baseline: Flow;
  readonly current: Flow;
}

export interface ServiceNode {
  readonly name: string;
  /** Calls into the service as it saw them itself; undefined: nobody watches it from inside. */
  readonly server: SideFlows | undefined;
  /** Calls into the service as its callers saw them. */
  readonly client: SideFlows | undefined;
  /** Of what it saw itself, calls whose callers left before it had answered. */
  readonly left?: SideFlows | undefined;
  /** Calls in flight at the end of a window, as its callers and as it saw them. */
  readonly waiting?: SideFlows | undefined;
  readonly held?: SideFlows | undefined;
}

export interface CallEdge {
  readonly from: string;
  readonly to: string;
  readonly client: SideFlows | undefined;
  readonly server: SideFlows | undefined;
  /** Of the client's calls, those that it gave up waiting for, or still waits for. */
  readonly givenUp?: SideFlows | undefined;
  /** Calls that the client waited for at the end of a window. */
  readonly waiting?: SideFlows | undefined;
  /** Calls that the server had not answered at the end of a window. */
  readonly held?: SideFlows | undefined;
  /** Of the server's calls, those whose caller left before it had answered. */
  readonly left?: SideFlows | undefined;
  /** Failed connects per second by reason, baseline and current, from the caller's TCP counters. */
  readonly connectFailures: Readonly<Record<string, { readonly baseline: number; readonly current: number }>>;
}

export interface System {
  readonly graph: DirectedGraph;
  service(name: string): ServiceNode | undefined;
  edge(from: string, to: string): CallEdge | undefined;
  callees(name: string): readonly CallEdge[];
  callers(name: string): readonly CallEdge[];
  readonly services: readonly string[];
  readonly spans: { readonly baseline: SpanLength; readonly current: SpanLength };
  /** The same system in stretches of the baseline; none when these are unknown. */
  readonly stretches: readonly Stretch[];
}

interface SpanLength {
  readonly windows: number;
  readonly seconds: number;
}

interface Sums {
  count: number;
  errors: number;
  duration: number;
  square: number;
}

interface Pair {
  readonly baseline: Sums;
  readonly current: Sums;
}

type Part = 'client' | 'server' | 'givenUp' | 'cut' | 'waiting' | 'left' | 'held';
type Parts = Partial<Record<Part, Pair>>;

interface EdgeSums extends Parts {
  readonly from: string;
  readonly to: string;
}

/** A call that was cut off after so many times the usual duration had been given up: a crash does not wait. */
const CUT_LATE = 5;

/** Cost: O(leaves + tcp edges). */
export function buildSystem(comparison: Comparison): System {
  const baselineS = (comparison.baseline.windows * comparison.windowMs) / 1000;
  const currentS = (comparison.current.windows * comparison.windowMs) / 1000;
  const nodes = new Map<string, Parts>();
  const edges = new Map<string, EdgeSums>();
  for (const leaf of comparison.calls) {
    const node = upsert(nodes, leaf.callee, () => ({}));
    if (!nodes.has(leaf.caller)) nodes.set(leaf.caller, {});
    const edge = upsert(
      edges,
      `${leaf.caller}\u0000${leaf.callee}`,
      (): EdgeSums => ({ from: leaf.caller, to: leaf.callee }),
    );
    addLeaf(node, leaf);
    addLeaf(edge, leaf);
  }
  for (const [from, to] of comparison.topology.calls) {
    for (const name of [from, to]) if (!nodes.has(name)) nodes.set(name, {});
    upsert(edges, `${from}\u0000${to}`, () => ({ from, to }));
  }
  for (const { caller, callee } of comparison.tcp) {
    for (const name of [caller, callee]) if (!nodes.has(name)) nodes.set(name, {});
    upsert(edges, `${caller}\u0000${callee}`, () => ({ from: caller, to: callee }));
  }
  const failures = connectFailures(comparison);
  const flows = (pair: Pair | undefined): SideFlows | undefined =>
    pair === undefined
      ? undefined
      : { baseline: flow(pair.baseline, baselineS), current: flow(pair.current, currentS) };

  const graph = new DirectedGraph({ allowSelfLoops: true });
  for (const name of [...nodes.keys()].sort(compareNames)) {
    const node = nodes.get(name);
    graph.addNode(name, {
      node: {
        name,
        server: flows(node?.server),
        client: flows(node?.client),
        left: flows(node?.left),
        waiting: flows(node?.waiting),
        held: flows(node?.held),
      } satisfies ServiceNode,
    });
  }
  for (const key of [...edges.keys()].sort(compareNames)) {
    const edge = edges.get(key);
    if (edge === undefined) continue;
    const call: CallEdge = {
      from: edge.from,
      to: edge.to,
      client: flows(edge.client),
      server: flows(edge.server),
      givenUp: flows(sumOf(edge.givenUp, isCutLate(edge) ? edge.cut : undefined)),
      left: flows(edge.left),
      waiting: flows(edge.waiting),
      held: flows(edge.held),
      connectFailures: failures.get(key) ?? {},
    };
    graph.addDirectedEdge(edge.from, edge.to, { edge: call });
  }
  const edgeOf = (_key: string, attributes: Record<string, unknown>): CallEdge => attributes.edge as CallEdge;
  const byName = (a: CallEdge, b: CallEdge): number => compareNames(a.from, b.from) || compareNames(a.to, b.to);
  let stretches: readonly Stretch[] | undefined;
  const system: System = {
    graph,
    spans: {
      baseline: { windows: comparison.baseline.windows, seconds: baselineS },
      current: { windows: comparison.current.windows, seconds: currentS },
    },
    get stretches() {
      stretches ??= stretchesOf(system, comparison);
      return stretches;
    },
    services: graph.nodes(),
    service: (name) => (graph.hasNode(name) ? (graph.getNodeAttribute(name, 'node') as ServiceNode) : undefined),
    edge: (from, to) =>
      graph.hasDirectedEdge(from, to)
        ? (graph.getEdgeAttribute(graph.directedEdge(from, to), 'edge') as CallEdge)
        : undefined,
    callees: (name) => (graph.hasNode(name) ? graph.mapOutEdges(name, edgeOf).sort(byName) : []),
    callers: (name) => (graph.hasNode(name) ? graph.mapInEdges(name, edgeOf).sort(byName) : []),
  };
  return system;
}

function connectFailures(comparison: Comparison): Map<string, Record<string, { baseline: number; current: number }>> {
  const seconds = comparison.windowMs / 1000;
  const out = new Map<string, Record<string, { baseline: number; current: number }>>();
  for (const row of comparison.tcp) {
    if (row.side !== 'client') continue;
    for (const { metric, baselineMean, currentMean } of row.metrics) {
      if (!metric.startsWith('connectFailures.')) continue;
      const reasons = upsert(out, `${row.caller}\u0000${row.callee}`, () => ({}));
      const sum = upsertKey(reasons, metric.slice('connectFailures.'.length), () => ({ baseline: 0, current: 0 }));
      sum.baseline += (Number.isNaN(baselineMean) ? 0 : baselineMean) / seconds;
      sum.current += (Number.isNaN(currentMean) ? 0 : currentMean) / seconds;
    }
  }
  return out;
}

function addLeaf(target: Parts, leaf: CallLeaf): void {
  addTo(target, leaf.side, leaf);
  if (leaf.side === 'client') {
    if (isGivenUp(leaf.errorType)) addTo(target, 'givenUp', leaf);
    if (isLeft(leaf.errorType)) addTo(target, 'cut', leaf);
    if (leaf.status === ACTIVE) addTo(target, 'waiting', leaf);
    return;
  }
  if (isLeft(leaf.errorType)) addTo(target, 'left', leaf);
  if (leaf.status === ACTIVE) addTo(target, 'held', leaf);
}

/** Whoever closed the connection: who had waited so much longer than usual would not have waited for ever. */
function isCutLate({ cut, client }: EdgeSums): boolean {
  return cut !== undefined && client !== undefined && meanOf(cut.current) > CUT_LATE * meanOf(client.baseline);
}

function meanOf({ count, duration }: Sums): number {
  return duration / count;
}

function sumOf(one: Pair | undefined, other: Pair | undefined): Pair | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  const sum = { baseline: zero(), current: zero() };
  for (const when of ['baseline', 'current'] as const) {
    for (const { [when]: part } of [one, other]) {
      sum[when].count += part.count;
      sum[when].errors += part.errors;
      sum[when].duration += part.duration;
      sum[when].square += part.square;
    }
  }
  return sum;
}

function addTo(target: Parts, part: Part, leaf: CallLeaf): void {
  const pair = target[part] ?? { baseline: zero(), current: zero() };
  target[part] = pair;
  add(pair.baseline, leaf.baseline);
  add(pair.current, leaf.current);
}

function add(sums: Sums, leaf: CallSums): void {
  sums.count += leaf.count;
  sums.errors += leaf.errors;
  if (leaf.count > 0) {
    sums.duration += leaf.durationSumUs;
    sums.square += leaf.durationSquareUs2;
  }
}

function zero(): Sums {
  return { count: 0, errors: 0, duration: 0, square: 0 };
}

/** With a span of 0 s every rate is 0. The variance of the mean is that of window means around the span's mean. */
function flow(sums: Sums, seconds: number): Flow {
  const rate = (value: number): number => (seconds > 0 ? value / seconds : 0);
  const mean = sums.count > 0 ? sums.duration / sums.count : Number.NaN;
  const meanVarianceUs2 = sums.count > 0 ? Math.max(0, sums.square / sums.count - mean * mean) : Number.NaN;
  return { count: rate(sums.count), errors: rate(sums.errors), durationUs: rate(sums.duration), meanVarianceUs2 };
}

function upsert<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function upsertKey<V>(record: Record<string, V>, key: string, make: () => V): V {
  const value = record[key] ?? make();
  record[key] = value;
  return value;
}

/** Mean duration of a flow, us; NaN without calls. */
export function meanUs(flow: Flow | undefined): number {
  return flow === undefined || flow.count <= 0 ? Number.NaN : flow.durationUs / flow.count;
}

/** Of whose time the ledger is: what it saw itself, or its callers, where it answers and reads none of their calls any more. */
export function entryFlows(node: ServiceNode | undefined): SideFlows | undefined {
  const { server, client } = node ?? {};
  return server !== undefined && server.current.count === 0 && (client?.current.count ?? 0) > 0
    ? client
    : inbound(node);
}

/** What the service saw of itself, else what its callers saw. */
export function inbound(node: ServiceNode | undefined): SideFlows | undefined {
  return node?.server ?? node?.client;
}
