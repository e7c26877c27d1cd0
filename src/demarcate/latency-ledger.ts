/**
 * The latency ledger: the mean response time of an entry service split over the time spent in every service itself and
 * between every pair of services, before and during, so that the entries of the change add up to it.
 *
 *   T(s)/N(s) = self(s) + overlap(s) · Σ_e q(e) · c(e)          q = calls per request of s, c = client-side mean
 *   c(e)      = server-side mean(e) + network(e)
 *   RT(entry) = Σ_s W(s) · self(s) + Σ_e W(e) · network(e)      W(d) = Σ over callers of W(s) · overlap(s) · q(e)
 *
 * W is visits weighted by overlap; with cycles it is the fixed point (I − Pᵀ)⁻¹. The change of each product is split by
 * the midpoint rule. Overlap < 1 (parallel calls) is learned from the baseline; during the incident a service with
 * parallel calls lets its callees explain its growth first, up to overlap 1, and keeps the rest as self time.
 */
import { edge as edgeEntity, service as serviceEntity } from '../model/entity.ts';
import type { Ledger, LedgerEntry, LedgerTerm } from '../model/walk.ts';
import type { CallEdge, System } from './system.ts';
import { inbound, meanUs } from './system.ts';

/** Share of a parallel service's time that its calls cover in the baseline; the rest is its own. */
const PARALLEL_COVER = 0.95;
const MAX_SWEEPS = 200;
const CONVERGED = 1e-12;

type When = 'baseline' | 'current';

interface EdgeShare {
  readonly edge: CallEdge;
  /** Calls per request of the caller. */
  readonly q: number;
  readonly clientUs: number;
  readonly networkUs: number;
}

interface NodeShare {
  readonly name: string;
  readonly selfUs: number;
  readonly overlap: number;
  readonly edges: readonly EdgeShare[];
  readonly meanVarianceUs2: number;
  readonly requests: number;
}

interface Snapshot {
  readonly nodes: ReadonlyMap<string, NodeShare>;
  readonly weight: ReadonlyMap<string, number>;
}

/** @returns undefined when the entry has no duration on one of the sides. Cost: O(sweeps · edges). */
export function latencyLedger(system: System, entry: string): Ledger | undefined {
  const flows = inbound(system.service(entry));
  const baseline = meanUs(flows?.baseline);
  const current = meanUs(flows?.current);
  if (!Number.isFinite(baseline) || !Number.isFinite(current)) return undefined;
  const reachable = reach(system, entry);
  const before = snapshot(system, reachable, 'baseline', undefined, entry);
  const now = snapshot(system, reachable, 'current', before, entry);
  const change = current - baseline;
  const entries: LedgerEntry[] = [];
  for (const name of reachable) {
    const a = before.nodes.get(name);
    const b = now.nodes.get(name);
    const wa = before.weight.get(name) ?? 0;
    const wb = now.weight.get(name) ?? 0;
    const [value, visits] = split(wa, wb, a?.selfUs ?? b?.selfUs ?? 0, b?.selfUs ?? a?.selfUs ?? 0);
    const variance = a === undefined ? Number.NaN : ((wa + wb) / 2) ** 2 * a.meanVarianceUs2;
    push(
      entries,
      {
        entity: serviceEntity(name),
        term: 'self',
        contribution: value,
        baseline: wa * (a?.selfUs ?? 0),
        current: wb * (b?.selfUs ?? 0),
      },
      change,
      variance,
    );
    let fanOut = visits;
    for (const { from, to } of system.callees(name)) {
      const ea = a?.edges.find((share) => share.edge.to === to);
      const eb = b?.edges.find((share) => share.edge.to === to);
      if (ea === undefined && eb === undefined) continue;
      const xa = wa * (a?.overlap ?? 0) * (ea?.q ?? 0);
      const xb = wb * (b?.overlap ?? 0) * (eb?.q ?? 0);
      const na = ea?.networkUs ?? eb?.networkUs ?? 0;
      const nb = eb?.networkUs ?? ea?.networkUs ?? 0;
      const [network, more] = split(xa, xb, na, nb);
      fanOut += more;
      push(
        entries,
        { entity: edgeEntity(from, to), term: 'network', contribution: network, baseline: xa * na, current: xb * nb },
        change,
        Number.NaN,
      );
    }
    if (name !== entry)
      push(
        entries,
        { entity: serviceEntity(name), term: 'visits', contribution: fanOut, baseline: wa, current: wb },
        change,
        Number.NaN,
      );
    else if (fanOut !== 0)
      push(
        entries,
        { entity: serviceEntity(name), term: 'visits', contribution: fanOut, baseline: wa, current: wb },
        change,
        Number.NaN,
      );
  }
  const explained = entries.reduce((sum, item) => sum + item.contribution, 0);
  entries.push({
    term: 'unexplained',
    contribution: change - explained,
    share: over(change - explained, change),
    standardError: Number.NaN,
    baseline: Number.NaN,
    current: Number.NaN,
  });
  return { kind: 'latency', entry, unit: 'us_per_request', baseline, current, change, entries };
}

interface Part {
  readonly entity: NonNullable<LedgerEntry['entity']>;
  readonly term: LedgerTerm;
  readonly contribution: number;
  readonly baseline: number;
  readonly current: number;
}

function push(entries: LedgerEntry[], part: Part, change: number, variance: number): void {
  if (part.contribution === 0 && part.baseline === 0 && part.current === 0) return;
  entries.push({ ...part, share: over(part.contribution, change), standardError: Math.sqrt(variance) });
}

/** Midpoint rule: Δ(w·x) = Δx · mean(w) + Δw · mean(x), exactly. */
function split(wa: number, wb: number, xa: number, xb: number): [value: number, weight: number] {
  return [((wa + wb) / 2) * (xb - xa), ((xa + xb) / 2) * (wb - wa)];
}

function over(a: number, b: number): number {
  return b === 0 ? Number.NaN : a / b;
}

/** Services reached from the entry, entry first, then breadth first in name order. */
export function reach(system: System, entry: string): string[] {
  const seen = new Set([entry]);
  for (const name of seen) for (const { to } of system.callees(name)) seen.add(to);
  return [...seen];
}

function snapshot(
  system: System,
  reachable: readonly string[],
  when: When,
  before: Snapshot | undefined,
  entry: string,
): Snapshot {
  const nodes = new Map<string, NodeShare>();
  for (const name of reachable) {
    const share = nodeShare(system, name, when, before?.nodes.get(name));
    if (share !== undefined) nodes.set(name, share);
  }
  return { nodes, weight: weights(nodes, entry) };
}

function nodeShare(system: System, name: string, when: When, before: NodeShare | undefined): NodeShare | undefined {
  const own = inbound(system.service(name))?.[when];
  const totalUs = meanUs(own);
  if (own === undefined || !Number.isFinite(totalUs)) return undefined;
  const edges: EdgeShare[] = [];
  let callsUs = 0;
  // A service that only its callers see is one whole: its own calls, if any are known, cannot be told from its time.
  const seenFromInside = system.service(name)?.server !== undefined;
  for (const edge of seenFromInside ? system.callees(name) : []) {
    const client = edge.client?.[when] ?? edge.server?.[when];
    const clientUs = meanUs(client);
    if (edge.to === name || client === undefined || !Number.isFinite(clientUs)) continue;
    const q = client.count / own.count;
    const serverUs = meanUs(edge.server?.[when]);
    const networkUs =
      edge.client === undefined || !Number.isFinite(serverUs) ? lostUs(edge, when, clientUs) : clientUs - serverUs;
    edges.push({ edge, q, clientUs, networkUs });
    callsUs += q * clientUs;
  }
  const overlap = overlapOf(totalUs, callsUs, before);
  return {
    name,
    edges,
    overlap,
    selfUs: totalUs - overlap * callsUs,
    meanVarianceUs2: own.meanVarianceUs2,
    requests: own.count,
  };
}

/** Without a server side in this span: all network if the callee answered before (it went silent), else none. */
function lostUs(edge: CallEdge, when: When, clientUs: number): number {
  const usual = meanUs(edge.server?.baseline);
  return when === 'current' && Number.isFinite(usual) ? clientUs - Math.min(usual, clientUs) : 0;
}

function overlapOf(totalUs: number, callsUs: number, before: NodeShare | undefined): number {
  if (callsUs <= 0) return 1;
  const learned = Math.min(1, (PARALLEL_COVER * totalUs) / callsUs);
  if (before === undefined) return learned;
  if (before.overlap >= 1) return Math.min(1, totalUs / callsUs);
  const explaining = (totalUs - before.selfUs) / callsUs;
  return Math.min(1, Math.max(before.overlap, explaining), Math.max(totalUs / callsUs, 0));
}

/** Fixed point of W = e_entry + Pᵀ·W by sweeps; converges while a request makes finitely many calls. */
function weights(nodes: ReadonlyMap<string, NodeShare>, entry: string): Map<string, number> {
  let weight = new Map([[entry, 1]]);
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    const next = new Map([[entry, 1]]);
    for (const [name, w] of weight) {
      const node = nodes.get(name);
      for (const { edge, q } of node?.edges ?? [])
        next.set(edge.to, (next.get(edge.to) ?? 0) + w * (node?.overlap ?? 0) * q);
    }
    let moved = 0;
    for (const [name, w] of next) moved = Math.max(moved, Math.abs(w - (weight.get(name) ?? 0)));
    weight = next;
    if (moved < CONVERGED) break;
  }
  return weight;
}
