/**
 * Callers of one service ask it for different things: what takes 80 ms for one takes 1 ms for the others. The ledger
 * follows the mean of all callers, which is right for an entry above all of them and wrong for any other. What the calls
 * of an edge take beyond that mean is followed here, to where the callee grew: its own time, its ways, its callees.
 */
import type { EdgeShare, NodeShare, Snapshot } from './latency-shares.ts';
import type { Step } from './propagate.ts';
import { propagate } from './propagate.ts';

/** Growth, us per request of the entry, of what each service and each way is charged with besides. */
export interface Beside {
  readonly self: ReadonlyMap<string, number>;
  /** `from|to`. */
  readonly network: ReadonlyMap<string, number>;
}

/** Standard deviations between windows that a caller's calls must have left the others' behind by. */
const MIN_SIGNIFICANCE = 2;

/** Of each microsecond charged to a service: what stays its own, and goes on to a way or a callee. */
interface Part {
  readonly kind: 'self' | 'network' | 'callee';
  readonly to: string;
  readonly us: number;
}

/** Cost: O(sweeps · edges). What nothing below grew with stays unexplained. */
export function besideTheMean(before: Snapshot, now: Snapshot): Beside {
  const self = new Map<string, number>();
  const network = new Map<string, number>();
  const charges = chargedBeside(before, now);
  // What got slower and what got faster are followed apart: each to what changed alike.
  for (const sign of [1, -1] as const) {
    const begins = new Map<string, number>();
    for (const { to, us } of charges) if (us * sign > 0) add(begins, to, us);
    if (begins.size === 0) continue;
    const shares = sharesFrom(begins.keys(), (name) => partsOf(before, now, name, sign));
    const steps = shares.flatMap(([from, parts]) =>
      parts.flatMap(({ kind, to, share }): Step[] => (kind === 'callee' ? [{ from, to, per: share }] : [])),
    );
    const charged = propagate(begins, steps);
    for (const [name, parts] of shares) {
      for (const { kind, to, share } of parts) {
        const us = (charged.get(name) ?? 0) * share;
        if (kind === 'self') add(self, name, us);
        else if (kind === 'network') add(network, `${name}|${to}`, us);
      }
    }
  }
  return { self, network };
}

function add(sums: Map<string, number>, key: string, us: number): void {
  sums.set(key, (sums.get(key) ?? 0) + us);
}

/** What the calls of each way gained on those of the callee's other callers, us per request of the entry. */
function chargedBeside(before: Snapshot, now: Snapshot): { readonly to: string; readonly us: number }[] {
  return [...now.nodes].flatMap(([name, b]) => {
    const a = before.nodes.get(name);
    if (a === undefined) return [];
    return pairsOf(a, b).flatMap(([to, was, is]) => {
      const visits = (at: Snapshot, node: NodeShare, edge: EdgeShare): number =>
        (at.weight.get(name) ?? 0) * node.overlap * edge.q;
      const weight = (visits(before, a, was) + visits(now, b, is)) / 2;
      const grown = is.besideUs - was.besideUs;
      return grown ** 2 < MIN_SIGNIFICANCE ** 2 * varianceOf(was) ? [] : [{ to, us: weight * grown }];
    });
  });
}

/** Where a service grew (`sign` 1) or shrank (-1), and by how much. */
function partsOf(before: Snapshot, now: Snapshot, name: string, sign: 1 | -1): readonly Part[] {
  const [a, b] = [before.nodes.get(name), now.nodes.get(name)];
  if (a === undefined || b === undefined) return [];
  if (a.edges.length === 0 && b.edges.length === 0) return [{ kind: 'self', to: name, us: sign }];
  const parts: Part[] = [{ kind: 'self', to: name, us: b.selfUs - a.selfUs }];
  for (const [to, was, is] of pairsOf(a, b)) {
    const grown = (pick: (edge: EdgeShare) => number): number =>
      b.overlap * is.q * pick(is) - a.overlap * was.q * pick(was);
    parts.push({ kind: 'network', to, us: grown((edge) => edge.networkUs) });
    parts.push({ kind: 'callee', to, us: grown((edge) => edge.clientUs - edge.networkUs) });
  }
  return parts.filter((part) => part.us * sign > 0);
}

type Share = Part & { readonly share: number };

/** The parts of `names` and of all that they hand on to, each as a share of its service's. */
function sharesFrom(
  names: Iterable<string>,
  of: (name: string) => readonly Part[],
): (readonly [name: string, parts: readonly Share[]])[] {
  const reached = new Set(names);
  const out: (readonly [string, readonly Share[]])[] = [];
  for (const name of reached) {
    const parts = of(name);
    const total = parts.reduce((sum, { us }) => sum + us, 0);
    for (const { kind, to } of parts) if (kind === 'callee') reached.add(to);
    out.push([name, parts.map((part) => ({ ...part, share: part.us / total }))]);
  }
  return out;
}

/** Between windows before, of the mean that the callee saw of these calls; 0: unknown. */
function varianceOf({ edge }: EdgeShare): number {
  const variance = (edge.server ?? edge.client)?.baseline.meanVarianceUs2 ?? Number.NaN;
  return Number.isFinite(variance) ? variance : 0;
}

/** Ways used before and during. */
function pairsOf(a: NodeShare, b: NodeShare): [to: string, was: EdgeShare, is: EdgeShare][] {
  const usual = new Map(a.edges.map((was) => [was.edge.to, was]));
  return b.edges.flatMap((is): [string, EdgeShare, EdgeShare][] => {
    const was = usual.get(is.edge.to);
    return was === undefined ? [] : [[is.edge.to, was, is]];
  });
}
