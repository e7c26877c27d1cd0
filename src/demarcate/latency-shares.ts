/**
 * What the latency ledger is made of, before and during: of every service its own time, of every edge the calls per
 * request and the time on the way, and how often a request of the entry comes by.
 */
import { propagate } from './propagate.ts';
import type { CallEdge, System } from './system.ts';
import { entryFlows, inbound, meanUs } from './system.ts';

/** Share of a parallel service's time that its calls cover in the baseline; the rest is its own. */
const PARALLEL_COVER = 0.95;

type When = 'baseline' | 'current';

export interface EdgeShare {
  readonly edge: CallEdge;
  /** Calls per request of the caller. */
  readonly q: number;
  /** Failed ones among them. */
  readonly failedQ: number;
  readonly clientUs: number;
  readonly networkUs: number;
  /** What these calls take in the callee beyond its mean over all callers: they may ask for other things. */
  readonly besideUs: number;
}

export interface NodeShare {
  readonly name: string;
  readonly selfUs: number;
  readonly overlap: number;
  readonly edges: readonly EdgeShare[];
  readonly requests: number;
}

export interface Snapshot {
  readonly nodes: ReadonlyMap<string, NodeShare>;
  readonly weight: ReadonlyMap<string, number>;
}

/** Services reached from the entry, entry first, then breadth first in name order. */
export function reach(system: System, entry: string): string[] {
  const seen = new Set([entry]);
  for (const name of seen) for (const { to } of system.callees(name)) seen.add(to);
  return [...seen];
}

export interface Usual {
  readonly reachable: readonly string[];
  readonly before: Snapshot;
}

/** Graph -> entry -> what was usual: the same in all stretches of a baseline, which share the graph. */
const known = new WeakMap<System['graph'], Map<string, Usual>>();

/** What the entry reaches, and what was usual there. */
export function usualOf(system: System, entry: string): Usual {
  const ofGraph = known.get(system.graph) ?? new Map<string, Usual>();
  known.set(system.graph, ofGraph);
  let usual = ofGraph.get(entry);
  if (usual === undefined) {
    const reachable = reach(system, entry);
    usual = { reachable, before: snapshot(system, reachable, 'baseline', undefined, entry) };
    ofGraph.set(entry, usual);
  }
  return usual;
}

export function snapshot(
  system: System,
  reachable: readonly string[],
  when: When,
  before: Snapshot | undefined,
  entry: string,
): Snapshot {
  const nodes = new Map<string, NodeShare>();
  for (const name of reachable) {
    const share = nodeShare(system, name, when, before?.nodes.get(name), name === entry);
    if (share !== undefined) nodes.set(name, share);
  }
  return { nodes, weight: weights(nodes, entry) };
}

function nodeShare(
  system: System,
  name: string,
  when: When,
  before: NodeShare | undefined,
  isEntry: boolean,
): NodeShare | undefined {
  const node = system.service(name);
  const own = (isEntry ? entryFlows(node) : inbound(node))?.[when];
  const totalUs = meanUs(own);
  if (own === undefined || !Number.isFinite(totalUs)) return undefined;
  const edges: EdgeShare[] = [];
  let callsUs = 0;
  // Of a service that only its callers see, its own calls are known where its callees see them: all else is its time.
  for (const edge of system.callees(name)) {
    const client = edge.client?.[when] ?? edge.server?.[when];
    const clientUs = meanUs(client);
    if (edge.to === name || client === undefined || !Number.isFinite(clientUs)) continue;
    const q = client.count / own.count;
    const serverUs = meanUs(edge.server?.[when]);
    const networkUs =
      edge.client === undefined ? 0 : Number.isFinite(serverUs) ? clientUs - serverUs : lostUs(edge, when, clientUs);
    const calleeUs = meanUs(inbound(system.service(edge.to))?.[when]);
    const besideUs = Number.isFinite(calleeUs) ? clientUs - networkUs - calleeUs : 0;
    edges.push({ edge, q, failedQ: client.errors / own.count, clientUs, networkUs, besideUs });
    callsUs += q * clientUs;
  }
  const overlap = overlapOf(totalUs, callsUs, before, edges);
  return {
    name,
    edges,
    overlap,
    selfUs: totalUs - overlap * callsUs,
    requests: own.count,
  };
}

/** Without a server side in this span: all network if the callee answered before (it went silent), else none. */
function lostUs(edge: CallEdge, when: When, clientUs: number): number {
  const usual = meanUs(edge.server?.baseline);
  return when === 'current' && Number.isFinite(usual) ? clientUs - Math.min(usual, clientUs) : 0;
}

/**
 * Share of its calls' time that a service waits: learned before; during the incident its callees explain its growth
 * first, as far as they grew themselves, and the rest is its own. What is asynchronous or parallel to something longer
 * explains nothing while it takes as long as ever.
 */
function overlapOf(
  totalUs: number,
  callsUs: number,
  before: NodeShare | undefined,
  edges: readonly EdgeShare[],
): number {
  if (callsUs <= 0) return 1;
  const learned = Math.min(1, (PARALLEL_COVER * totalUs) / callsUs);
  if (before === undefined) return learned;
  if (before.overlap >= 1) return Math.min(1, totalUs / callsUs);
  let waitedUs = 0;
  let grownUs = 0;
  for (const { edge, q, clientUs } of edges) {
    const usual = before.edges.find((share) => share.edge.to === edge.to);
    const usualUs = usual === undefined ? 0 : usual.q * usual.clientUs;
    waitedUs += before.overlap * usualUs;
    grownUs += Math.max(0, q * clientUs - usualUs);
  }
  const explainedUs = Math.min(totalUs - before.selfUs, waitedUs + grownUs);
  return Math.min(1, Math.max(before.overlap, explainedUs / callsUs), Math.max(totalUs / callsUs, 0));
}

/** Visits of every service for one request of the entry, weighted by overlap. */
function weights(nodes: ReadonlyMap<string, NodeShare>, entry: string): Map<string, number> {
  const steps = [...nodes.values()].flatMap(({ name, overlap, edges }) =>
    edges.map(({ edge, q }) => ({ from: name, to: edge.to, per: overlap * q })),
  );
  return propagate(new Map([[entry, 1]]), steps);
}
