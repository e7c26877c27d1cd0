/**
 * The likelihood-ratio scan. For an element, G = (Σwd)² / 2Σw is the log-likelihood gained by giving its leaves one
 * common deviation instead of none. The true element has more than every ancestor (siblings add weight, not deviation)
 * and every descendant (which lose deviation), so the arg-max over all cuboids needs no layer-by-layer rule. What is
 * found is removed and the scan goes on.
 */
import type { Cuboid } from './lattice.ts';
import { bits, rollUp, WIDTH } from './lattice.ts';

export interface Found {
  readonly cuboid: number;
  readonly element: number;
  readonly gain: number;
  readonly penalty: number;
  readonly purity: number;
  readonly deviation: number;
  readonly change: number;
  readonly leaves: number;
  /** Leaf indexes that were active under it when it was found. */
  readonly members: Int32Array;
}

export interface ScanOptions {
  /** Ripple effect: the share of its leaves' deviation that one common deviation explains. MULTIDIM section 11. */
  readonly minPurity: number;
  readonly minDeviation: number;
  /** Share of the abnormal change. */
  readonly minShare: number;
  readonly maxElements: number;
}

export const DEFAULT_SCAN: ScanOptions = { minPurity: 0.72, minDeviation: 0.1, minShare: 0.01, maxElements: 16 };

/** Leaves with w·d² above this are clearly abnormal (4 standard deviations). */
const ABNORMAL = 16;

export interface ScanInput {
  readonly cuboids: readonly Cuboid[];
  readonly d: Float64Array;
  readonly w: Float64Array;
  readonly v: Float64Array;
  readonly f: Float64Array;
}

/** Sums of one leaf, WIDTH per leaf; inactive leaves are all zero. */
export function leafSums({ d, w, v, f }: ScanInput): Float64Array {
  const sums = new Float64Array(d.length * WIDTH);
  let state = 0x9e3779b9;
  for (let i = 0, s = 0; i < d.length; i++, s += WIDTH) {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) >>> 0;
    if (w[i] === 0) continue;
    const m = (v[i]! + f[i]!) / 2;
    sums[s] = w[i]! * d[i]! * d[i]!;
    sums[s + 1] = w[i]! * d[i]!;
    sums[s + 2] = w[i]!;
    sums[s + 3] = 1;
    sums[s + 4] = m * d[i]! * d[i]!;
    sums[s + 5] = m * d[i]!;
    sums[s + 6] = m;
    sums[s + 7] = v[i]! - f[i]!;
    sums[s + 8] = state;
  }
  return sums;
}

/** Change of the clearly abnormal leaves: what has to be explained. */
export function abnormalChange({ d, w, v, f }: ScanInput): number {
  let sum = 0;
  for (let i = 0; i < d.length; i++) if (w[i]! * d[i]! * d[i]! > ABNORMAL) sum += Math.abs(v[i]! - f[i]!);
  return sum;
}

export function scan(input: ScanInput, options: ScanOptions = DEFAULT_SCAN): Found[] {
  const { cuboids } = input;
  const leaves = leafSums(input);
  const abnormal = abnormalChange(input);
  const buffers: Float64Array[] = [];
  const found: Found[] = [];
  while (found.length < options.maxElements) {
    rollUp(cuboids, leaves, buffers);
    const best = argMax(cuboids, buffers, abnormal, options);
    if (best === undefined) break;
    const shortest = shorten(cuboids, buffers, best);
    const members = membersOf(cuboids, shortest.cuboid, shortest.element, leaves);
    found.push({ ...shortest, members });
    for (const leaf of members) leaves.fill(0, leaf * WIDTH, (leaf + 1) * WIDTH);
  }
  return found;
}

function argMax(
  cuboids: readonly Cuboid[],
  buffers: readonly Float64Array[],
  abnormal: number,
  options: ScanOptions,
): Omit<Found, 'members'> | undefined {
  let best: Omit<Found, 'members'> | undefined;
  let bestScore = 0;
  const search = Math.log(cuboids.length);
  for (let c = 0; c < cuboids.length; c++) {
    const { size, mask } = cuboids[c]!;
    const sums = buffers[c]!;
    const penalty = Math.log(size) + search + 2 * bits(mask);
    for (let e = 0, s = 0; e < size; e++, s += WIDTH) {
      const C = sums[s + 2]!;
      if (C === 0) continue;
      const B = sums[s + 1]!;
      const gain = (B * B) / (2 * C);
      const score = gain - penalty;
      if (score <= bestScore) continue;
      const deviation = B / C;
      if (Math.abs(deviation) < options.minDeviation) continue;
      if (Math.abs(sums[s + 7]!) < options.minShare * abnormal) continue;
      const n = sums[s + 3]!;
      const byWeight = (2 * gain - 0.5) / Math.max(sums[s]! - 0.8 * n, 1e-9);
      const byVolume = sums[s + 4]! > 0 ? (sums[s + 5]! * sums[s + 5]!) / sums[s + 6]! / sums[s + 4]! : 0;
      const purity = Math.min(1, Math.max(byWeight, byVolume));
      if (purity < options.minPurity) continue;
      best = { cuboid: c, element: e, gain, penalty, purity, deviation, change: sums[s + 7]!, leaves: n };
      bestScore = score;
    }
  }
  return best;
}

/** The same set of leaves in the fewest dimensions: a machine implies its zone. */
function shorten(
  cuboids: readonly Cuboid[],
  buffers: readonly Float64Array[],
  best: Omit<Found, 'members'>,
): Omit<Found, 'members'> {
  const own = buffers[best.cuboid]!;
  const at = best.element * WIDTH;
  const { mask } = cuboids[best.cuboid]!;
  const example = cuboids[best.cuboid]!.example[best.element]!;
  for (let c = cuboids.length - 1; c >= 0; c--) {
    const other = cuboids[c]!;
    if (bits(other.mask) >= bits(mask)) return best;
    if ((other.mask & mask) !== other.mask) continue;
    const element = elementOf(cuboids, c, example);
    const sums = buffers[c]!;
    if (sums[element * WIDTH + 3] === own[at + 3] && sums[element * WIDTH + 8] === own[at + 8])
      return { ...best, cuboid: c, element };
  }
  return best;
}

/** The element of cuboid c over a leaf. */
export function elementOf(cuboids: readonly Cuboid[], c: number, leaf: number): number {
  const { parent, map } = cuboids[c]!;
  return map[parent < 0 ? leaf : elementOf(cuboids, parent, leaf)]!;
}

function membersOf(cuboids: readonly Cuboid[], c: number, element: number, leaves: Float64Array): Int32Array {
  const members: number[] = [];
  const rows = leaves.length / WIDTH;
  for (let i = 0; i < rows; i++) {
    if (leaves[i * WIDTH + 3] !== 0 && elementOf(cuboids, c, i) === element) members.push(i);
  }
  return Int32Array.from(members);
}
