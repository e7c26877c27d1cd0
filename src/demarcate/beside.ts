/**
 * Callers of one service ask it for different things: what takes 80 ms for one takes 1 ms for the others. The ledger
 * follows the mean of all callers, which is right for an entry above all of them and wrong for any other. What the calls
 * of an edge take beyond that mean is followed here, to where the callee grew: its own time, its ways, its callees.
 */
import type { EdgeShare, NodeShare, Snapshot } from './latency-shares.ts';

/** Growth, us per request of the entry, of what each service and each way is charged with besides. */
export interface Beside {
  readonly self: ReadonlyMap<string, number>;
  /** `from|to`. */
  readonly network: ReadonlyMap<string, number>;
}

/** Standard deviations between windows that a caller's calls must have left the others' behind by. */
const MIN_SIGNIFICANCE = 2;

interface Part {
  readonly us: number;
  readonly charge: (us: number, seen: readonly string[]) => void;
}

/** Cost: O(edges · depth). What nothing below grew with stays unexplained. */
export function besideTheMean(before: Snapshot, now: Snapshot): Beside {
  const self = new Map<string, number>();
  const network = new Map<string, number>();
  const add = (to: Map<string, number>, key: string, us: number): void => void to.set(key, (to.get(key) ?? 0) + us);

  const charge = (name: string, us: number, seen: readonly string[]): void => {
    const [a, b] = [before.nodes.get(name), now.nodes.get(name)];
    if (us === 0 || seen.includes(name) || a === undefined || b === undefined) return;
    if (a.edges.length === 0 && b.edges.length === 0) {
      add(self, name, us);
      return;
    }
    const parts: Part[] = [{ us: b.selfUs - a.selfUs, charge: (own) => add(self, name, own) }];
    for (const [to, was, is] of pairsOf(a, b)) {
      const grown = (pick: (edge: EdgeShare) => number): number =>
        b.overlap * is.q * pick(is) - a.overlap * was.q * pick(was);
      parts.push({ us: grown((edge) => edge.networkUs), charge: (way) => add(network, `${name}|${to}`, way) });
      parts.push({
        us: grown((edge) => edge.clientUs - edge.networkUs),
        charge: (below, path) => charge(to, below, path),
      });
    }
    const alike = parts.filter((part) => part.us * us > 0);
    const total = alike.reduce((sum, part) => sum + part.us, 0);
    for (const part of alike) part.charge((us * part.us) / total, [...seen, name]);
  };

  for (const [name, b] of now.nodes) {
    const a = before.nodes.get(name);
    if (a === undefined) continue;
    for (const [to, was, is] of pairsOf(a, b)) {
      const visits = (at: Snapshot, node: NodeShare, edge: EdgeShare): number =>
        (at.weight.get(name) ?? 0) * node.overlap * edge.q;
      const weight = (visits(before, a, was) + visits(now, b, is)) / 2;
      const grown = is.besideUs - was.besideUs;
      if (grown ** 2 < MIN_SIGNIFICANCE ** 2 * varianceOf(was)) continue;
      charge(to, weight * grown, []);
    }
  }
  return { self, network };
}

/** Between windows before, of the mean that the callee saw of these calls; 0: unknown. */
function varianceOf({ edge }: EdgeShare): number {
  const variance = (edge.server ?? edge.client)?.baseline.meanVarianceUs2 ?? Number.NaN;
  return Number.isFinite(variance) ? variance : 0;
}

/** Ways used before and during. */
function pairsOf(a: NodeShare, b: NodeShare): [to: string, was: EdgeShare, is: EdgeShare][] {
  return b.edges.flatMap((is): [string, EdgeShare, EdgeShare][] => {
    const was = a.edges.find(({ edge }) => edge.to === is.edge.to);
    return was === undefined ? [] : [[is.edge.to, was, is]];
  });
}
