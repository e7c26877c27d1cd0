/**
 * The likelihood-ratio scan. For an element, G = (Σwd)² / 2Σw is the log-likelihood gained by giving its leaves one
 * common deviation instead of none. The true element has more than every ancestor (siblings add weight, not deviation)
 * and every descendant (which lose deviation), so the arg-max over all cuboids needs no layer-by-layer rule. What is
 * found is removed and the scan goes on.
 */
import type { Cuboid } from './lattice.ts';
import { bits } from './lattice.ts';
import type { ElementSums, ScanInput } from './sums.ts';
import { elementOf, membersOf, Sums } from './sums.ts';

/** An element of a cuboid and how it fares. */
export interface Candidate {
  readonly cuboid: number;
  readonly element: number;
  /** Log-likelihood gained, nats; and what the search for it costs. */
  readonly gain: number;
  readonly penalty: number;
  readonly score: number;
  /** Share of its leaves' deviation that one common deviation explains; 1: the ripple effect holds exactly. */
  readonly purity: number;
  readonly deviation: number;
  /** Σ(v−f). */
  readonly change: number;
  readonly leaves: number;
}

export interface Found extends Candidate {
  /** Leaf indexes that were active under it when it was found. */
  readonly members: Int32Array;
  /** The next best of the same round over other leaves. */
  readonly runnerUp: Candidate | undefined;
}

/** Every constant here was chosen by the table in docs/attribution.md. */
const MIN_PURITY = 0.8;
const MIN_DEVIATION = 0.1;
/** Nats that one more term must earn, beyond the logarithm of the elements looked at. */
const TERM_COST = 4;
/** Weight of what a common deviation leaves unexplained inside the element. */
const UNEXPLAINED_WEIGHT = 0.1;
export const MAX_ELEMENTS = 16;
/** A bound that rounding may have moved is not relied on. */
const NEARLY = 1 - 1e-9;

export interface Scan {
  readonly found: readonly Found[];
  /** Of the cuboids of one dimension: Σwd, Σw, Σ(v−f) of each element, before anything was taken out. */
  readonly single: readonly (Float64Array | undefined)[];
}

export function scan(input: ScanInput, codes: readonly Uint32Array[]): Scan {
  const { cuboids } = input;
  const sums = new Sums(input);
  const single = cuboids.map(({ dimensions }, c) => (dimensions.length === 1 ? sums.single(c) : undefined));
  const penalties = cuboids.map((cuboid) => penaltyOf(cuboid, cuboids.length));
  const leaves = leavesAbove(input, penalties);
  const found: Found[] = [];
  while (found.length < MAX_ELEMENTS) {
    const [best, runnerUp] = argMax(cuboids, sums, penalties, leaves);
    if (best === undefined) break;
    const shortest = shorten(cuboids, sums, best);
    const members = membersOf(cuboids, codes, shortest.cuboid, shortest.element, sums);
    found.push({ ...shortest, members, runnerUp });
    if (found.length < MAX_ELEMENTS) sums.remove(members, cuboids[shortest.cuboid]!.mask);
  }
  return { found, single };
}

/** Price of an element: of the choice among so many, and of its terms. */
export function penaltyOf({ size, mask }: Cuboid, cuboids: number): number {
  return Math.log(size) + Math.log(cuboids) + TERM_COST * bits(mask);
}

/** Leaves whose bare gain is above their price, when one cuboid's elements are the leaves: a leaf's sums never change. */
function leavesAbove({ cuboids, d, w }: ScanInput, penalties: readonly number[]): Int32Array {
  const c = cuboids.findIndex(({ map }) => map === undefined);
  const penalty = penalties[c];
  if (penalty === undefined) return new Int32Array(0);
  const price = 2 * penalty * NEARLY;
  const out = new Int32Array(countAbove(d, w, price));
  leavesOver(d, w, price, out);
  return out;
}

function countAbove(d: Float64Array, w: Float64Array, price: number): number {
  let count = 0;
  for (let i = 0; i < d.length; i++) if (w[i]! * d[i]! * d[i]! > price) count++;
  return count;
}

function leavesOver(d: Float64Array, w: Float64Array, price: number, out: Int32Array): void {
  for (let i = 0, k = 0; k < out.length; i++) if (w[i]! * d[i]! * d[i]! > price) out[k++] = i;
}

/**
 * Best and second best, over different leaves. Ties: the earlier cuboid (finer first), then the earlier element. Coarse
 * cuboids are looked at first, for they are small and what they gain rules out most of the fine ones' elements.
 */
function argMax(
  cuboids: readonly Cuboid[],
  sums: Sums,
  penalties: readonly number[],
  leaves: Int32Array,
): readonly [Candidate | undefined, Candidate | undefined] {
  let best: Candidate | undefined;
  let second: Candidate | undefined;
  for (let c = cuboids.length - 1; c >= 0; c--) {
    const penalty = penalties[c]!;
    const bounding = sums.bounding(c);
    let price = 2 * (penalty + (second?.score ?? 0)) * NEARLY;
    const elements = bounding === undefined ? leaves.length : bounding.n.length;
    for (let k = 0; k < elements; k++) {
      // No purity can lift a score above the bare gain: most elements end here. Without leaves, 0 > 0.
      if (bounding !== undefined) k = nextAbove(bounding.BC, k, price);
      if (k === elements) break;
      const e = bounding === undefined ? leaves[k]! : k;
      if (sums.leaves(c, e) === 0) continue;
      const one = judgeElement(sums, c, e, penalty);
      if (rejection(one) !== undefined) continue;
      if (best === undefined || ahead(one, best)) {
        if (best !== undefined && !sameLeaves(best, one)) second = best;
        best = one;
      } else if (!sameLeaves(best, one) && (second === undefined || ahead(one, second))) second = one;
      else continue;
      price = 2 * (penalty + (second?.score ?? 0)) * NEARLY;
    }
  }
  return [best, second !== undefined && best !== undefined && !sameLeaves(best, second) ? second : undefined];
}

/** Next element whose bare gain is above half of this; their number: none. */
function nextAbove(BC: Float64Array, from: number, price: number): number {
  let t = 2 * from;
  for (; t < BC.length; t += 2) {
    const B = BC[t]!;
    if (B * B > BC[t + 1]! * price) break;
  }
  return t >> 1;
}

function ahead(a: Candidate, b: Candidate): boolean {
  if (a.score !== b.score) return a.score > b.score;
  return a.cuboid === b.cuboid ? a.element < b.element : a.cuboid < b.cuboid;
}

/** One allocation per element that could win, none for the others. */
export function judgeElement(sums: Sums, cuboid: number, element: number, penalty: number): Candidate {
  const { A, B, C, n, E, F, M, change }: ElementSums = sums.element(cuboid, element);
  const z2 = (B * B) / C;
  const unexplained = Math.max(0, (A - z2 - (n - 1)) / 2);
  const byWeight = (z2 - 0.5) / Math.max(A - 0.8 * n, 1e-9);
  const byVolume = E > 0 ? Math.min(1, (F * F) / M / E) : 0;
  return {
    cuboid,
    element,
    gain: z2 / 2,
    penalty,
    score: (z2 / 2 - UNEXPLAINED_WEIGHT * unexplained) * byVolume - penalty,
    purity: Math.min(1, Math.max(byWeight, byVolume)),
    deviation: B / C,
    change,
    leaves: n,
  };
}

/** Why an element cannot be a cause; undefined: it can. */
export function rejection({ score, deviation, purity }: Candidate): string | undefined {
  if (score <= 0) return 'chance: gain below the price of the search';
  if (Math.abs(deviation) < MIN_DEVIATION) return `deviation below ${MIN_DEVIATION}`;
  if (purity < MIN_PURITY) return `its parts moved differently (purity below ${MIN_PURITY})`;
  return undefined;
}

function sameLeaves(a: Candidate, b: Candidate): boolean {
  return a.leaves === b.leaves && Math.abs(a.change - b.change) <= 1e-9 * Math.abs(a.change);
}

/** The fewest dimensions that name the same leaves: an ancestor with as many. */
function shorten(cuboids: readonly Cuboid[], sums: Sums, best: Candidate): Candidate {
  const { mask, example } = cuboids[best.cuboid]!;
  const leaf = example[best.element]!;
  for (let c = cuboids.length - 1; c >= 0; c--) {
    const other = cuboids[c]!;
    if (bits(other.mask) >= bits(mask)) return best;
    if ((other.mask & mask) !== other.mask) continue;
    const element = elementOf(cuboids, c, leaf);
    if (sums.leaves(c, element) === best.leaves) return { ...best, cuboid: c, element };
  }
  return best;
}
