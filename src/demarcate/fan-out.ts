/**
 * A service that makes more calls for each of its requests than before. Its callees, and theirs, are visited more often,
 * and each is as fast as ever: it is the caller that changed. Extra visits are followed from the edge where they begin,
 *
 *   ΔW(d) = Σ_e (mean P(e) · ΔW(s) + mean W(s) · mean o(s) · Δq(e) + mean W(s) · mean q(e) · Δo(s)),  P(e) = o(s) · q(e)
 *
 * so that what one edge's Δq costs, all the way down, is one entry and leaves the visits of everybody below. Calls that
 * repeat failed ones stay where they fail.
 */
import type { EdgeShare, NodeShare, Snapshot } from './latency-shares.ts';
import type { Step } from './propagate.ts';
import { propagate } from './propagate.ts';
import type { CallEdge } from './system.ts';

export interface FanOut {
  readonly edge: CallEdge;
  /** Calls per request of the caller. */
  readonly before: number;
  readonly now: number;
  /** Of the ledger's change; and of which services' visits it is. */
  readonly contribution: number;
  readonly visits: ReadonlyMap<string, number>;
}

/** Calls per request must change by this factor: a mix of operations wobbles. */
const MIN_RATIO = 1.3;
/** Share of the ledger's change that the calls alone must be. */
const MIN_SHARE = 0.1;
/** Failed calls for each call more: a retry makes one each. */
const RETRIED = 0.5;
/** Each is followed through the graph. */
const MAX_EDGES = 5;

const mean = (a: number, b: number): number => (a + b) / 2;

/** Edges whose calls per request changed, the most expensive first. Cost: O(edges), and O(sweeps · edges) for each found. */
export function fanOuts(before: Snapshot, now: Snapshot, change: number): readonly FanOut[] {
  const found: { readonly edge: CallEdge; readonly a: EdgeShare; readonly b: EdgeShare; readonly extra: number }[] = [];
  for (const [name, a] of before.nodes) {
    const b = now.nodes.get(name);
    if (b === undefined || failed(b) - failed(a) > RETRIED * Math.max(0, calls(b) - calls(a))) continue;
    for (const one of a.edges) {
      const other = b.edges.find(({ edge }) => edge.to === one.edge.to);
      if (other === undefined || Math.max(one.q, other.q) < MIN_RATIO * Math.min(one.q, other.q)) continue;
      const weight = mean(before.weight.get(name) ?? 0, now.weight.get(name) ?? 0);
      const extra = weight * mean(a.overlap, b.overlap) * (other.q - one.q);
      const costUs = extra * mean(one.clientUs, other.clientUs);
      if (Math.abs(costUs) >= MIN_SHARE * Math.abs(change)) found.push({ edge: one.edge, a: one, b: other, extra });
    }
  }
  const cost = ({ a, b, extra }: (typeof found)[number]): number => Math.abs(extra) * mean(a.clientUs, b.clientUs);
  found.sort((x, y) => cost(y) - cost(x));
  if (found.length === 0) return [];
  const steps = meanSteps(before, now);
  return found.slice(0, MAX_EDGES).map(({ edge, a, b, extra }) => {
    const visits = follow(before, now, steps, edge, extra);
    const contribution = [...visits.values()].reduce((sum, us) => sum + us, 0);
    return { edge, before: a.q, now: b.q, contribution, visits };
  });
}

function calls({ edges }: NodeShare): number {
  return edges.reduce((sum, { q }) => sum + q, 0);
}

function failed({ edges }: NodeShare): number {
  return edges.reduce((sum, { failedQ }) => sum + failedQ, 0);
}

/** Calls per visit and time on the way of every edge, in the middle between before and now. */
interface MeanStep extends Step {
  readonly networkUs: number;
}

function meanSteps(before: Snapshot, now: Snapshot): MeanStep[] {
  return [...new Set([...before.nodes.keys(), ...now.nodes.keys()])].flatMap((name) => {
    const [a, b] = [before.nodes.get(name), now.nodes.get(name)];
    return [...new Set([...(a?.edges ?? []), ...(b?.edges ?? [])].map(({ edge }) => edge.to))].map((to) => {
      const [ea, eb] = [a, b].map((node) => node?.edges.find(({ edge }) => edge.to === to));
      const per = mean((a?.overlap ?? 0) * (ea?.q ?? 0), (b?.overlap ?? 0) * (eb?.q ?? 0));
      return { from: name, to, per, networkUs: mean(...pair(ea?.networkUs, eb?.networkUs)) };
    });
  });
}

/** What `extra` visits over this edge add to the visits' entry of each service, µs. */
function follow(
  before: Snapshot,
  now: Snapshot,
  steps: readonly MeanStep[],
  first: CallEdge,
  extra: number,
): Map<string, number> {
  const more = propagate(new Map([[first.to, extra]]), steps);
  const out = new Map<string, number>();
  const add = (name: string, us: number): void => {
    if (us !== 0) out.set(name, (out.get(name) ?? 0) + us);
  };
  for (const [name, w] of more)
    add(name, w * mean(...pair(before.nodes.get(name)?.selfUs, now.nodes.get(name)?.selfUs)));
  for (const { from, to, per, networkUs } of steps) {
    const begins = from === first.from && to === first.to ? extra : 0;
    add(from, (per * (more.get(from) ?? 0) + begins) * networkUs);
  }
  return out;
}

/** Of what is known on one side only, the other is taken to be the same. */
function pair(a: number | undefined, b: number | undefined): [number, number] {
  return [a ?? b ?? 0, b ?? a ?? 0];
}
