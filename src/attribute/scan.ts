/**
 * The likelihood-ratio scan. For an element, G = (Σwd)² / 2Σw is the log-likelihood gained by giving its leaves one
 * common deviation instead of none. The true element has more than every ancestor (siblings add weight, not deviation)
 * and every descendant (which lose deviation), so the arg-max over all cuboids needs no layer-by-layer rule. What is
 * found is removed and the scan goes on.
 */
import type { Cuboid } from './lattice.ts';
import { bits } from './lattice.ts';
import type { ScanInput } from './sums.ts';
import { elementOf, leafSums, membersOf, rollUp, WIDTH } from './sums.ts';

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

export interface Scan {
  readonly found: readonly Found[];
  /** Sums of the cuboids of one dimension, before anything was taken out; undefined for the others. */
  readonly single: readonly (Float64Array | undefined)[];
}

export function scan(input: ScanInput, codes: readonly Uint32Array[]): Scan {
  const { cuboids } = input;
  const leaves = leafSums(input);
  const all = rollUp(cuboids, leaves);
  const single = all.map((sums, c) => (cuboids[c]!.dimensions.length === 1 ? sums.slice() : undefined));
  const found: Found[] = [];
  while (found.length < MAX_ELEMENTS) {
    const [best, runnerUp] = argMax(cuboids, all);
    if (best === undefined) break;
    const shortest = shorten(cuboids, all, best);
    const members = membersOf(cuboids, codes, shortest.cuboid, shortest.element, leaves);
    found.push({ ...shortest, members, runnerUp });
    remove(cuboids, all, leaves, members);
  }
  return { found, single };
}

/** Price of an element: of the choice among so many, and of its terms. */
export function penaltyOf({ size, mask }: Cuboid, cuboids: number): number {
  return Math.log(size) + Math.log(cuboids) + TERM_COST * bits(mask);
}

/** Best and second best, over different leaves. Ties: the earlier cuboid (finer first), then the earlier element. */
function argMax(
  cuboids: readonly Cuboid[],
  all: readonly Float64Array[],
): readonly [Candidate | undefined, Candidate | undefined] {
  let best: Candidate | undefined;
  let second: Candidate | undefined;
  let floor = 0;
  for (let c = 0; c < cuboids.length; c++) {
    const sums = all[c]!;
    const penalty = penaltyOf(cuboids[c]!, cuboids.length);
    for (let e = 0, s = 0; s < sums.length; e++, s += WIDTH) {
      if (sums[s + 3] === 0) continue;
      // No purity can lift a score above the bare gain: most elements end here.
      if ((sums[s + 1]! * sums[s + 1]!) / sums[s + 2]! / 2 - penalty <= floor) continue;
      const one = judgeElement(sums, s, c, e, penalty);
      if (one.score <= floor || rejection(one) !== undefined) continue;
      if (best === undefined || one.score > best.score) {
        if (best !== undefined && !sameLeaves(best, one)) second = best;
        best = one;
      } else if (!sameLeaves(best, one)) second = one;
      floor = second?.score ?? 0;
    }
  }
  return [best, second !== undefined && best !== undefined && !sameLeaves(best, second) ? second : undefined];
}

/** One allocation per element that could win, none for the others. */
export function judgeElement(
  sums: Float64Array,
  s: number,
  cuboid: number,
  element: number,
  penalty: number,
): Candidate {
  const A = sums[s]!;
  const B = sums[s + 1]!;
  const C = sums[s + 2]!;
  const n = sums[s + 3]!;
  const z2 = (B * B) / C;
  const unexplained = Math.max(0, (A - z2 - (n - 1)) / 2);
  const byWeight = (z2 - 0.5) / Math.max(A - 0.8 * n, 1e-9);
  const byVolume = sums[s + 4]! > 0 ? Math.min(1, (sums[s + 5]! * sums[s + 5]!) / sums[s + 6]! / sums[s + 4]!) : 0;
  return {
    cuboid,
    element,
    gain: z2 / 2,
    penalty,
    score: (z2 / 2 - UNEXPLAINED_WEIGHT * unexplained) * byVolume - penalty,
    purity: Math.min(1, Math.max(byWeight, byVolume)),
    deviation: B / C,
    change: sums[s + 7]!,
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
function shorten(cuboids: readonly Cuboid[], all: readonly Float64Array[], best: Candidate): Candidate {
  const { mask, example } = cuboids[best.cuboid]!;
  const leaf = example[best.element]!;
  for (let c = cuboids.length - 1; c >= 0; c--) {
    const other = cuboids[c]!;
    if (bits(other.mask) >= bits(mask)) return best;
    if ((other.mask & mask) !== other.mask) continue;
    const element = elementOf(cuboids, c, leaf);
    if (all[c]![element * WIDTH + 3] === best.leaves) return { ...best, cuboid: c, element };
  }
  return best;
}

/** Takes leaves out of every sum. Cost: O(members · cuboids). */
function remove(
  cuboids: readonly Cuboid[],
  all: readonly Float64Array[],
  leaves: Float64Array,
  members: Int32Array,
): void {
  const at: Int32Array[] = [];
  for (let c = 0; c < cuboids.length; c++) {
    const { parent, map } = cuboids[c]!;
    const above = parent < 0 ? members : at[parent]!;
    const own = map === undefined ? above : above.map((element) => map[element]!);
    at.push(own);
    const sums = all[c]!;
    if (sums === leaves) continue;
    for (let k = 0; k < members.length; k++) {
      let t = own[k]! * WIDTH;
      let s = members[k]! * WIDTH;
      for (const end = s + WIDTH; s < end; s++, t++) sums[t] = sums[t]! - leaves[s]!;
    }
  }
  for (const leaf of members) leaves.fill(0, leaf * WIDTH, (leaf + 1) * WIDTH);
}
