/**
 * Which of the found elements are causes. Significance alone does not tell: forecast errors come in clusters of their
 * own, which the scan finds too. A cause must stand out from the change that stays unexplained, and where healthy leaves
 * break the noise model, from the largest cause as well, on more than one leaf's word.
 */
import { forBlocks } from './blocks.ts';
import { robustGain } from './robust.ts';
import type { Found } from './scan.ts';
import type { ScanInput } from './sums.ts';

/** A cause explains at least this share of what remains to be explained when its turn comes, largest first. */
const MIN_OF_REMAINING = 0.12;
/** The same, and the share of the largest cause, where the noise model is broken. */
const MIN_OF_REMAINING_HEAVY = 0.25;
const MIN_OF_LARGEST_HEAVY = 0.1;
/** Unless it is of the order of the largest: many equal causes leave much to explain after each. */
const PEER = 0.5;
/** Log-likelihood beyond the price of the search, in nats, that an element must have before its size counts. */
const MIN_STATISTIC = 16;
/** Nats that all but the first must have where no leaf is believed without bound. */
const MIN_ROBUST_GAIN = 10;
/**
 * One fault moves several elements of a cuboid alike (generalised ripple effect: Squeeze, ISSRE 2019). Those that deviate
 * like an accepted one, within this share of it, may be smaller, and so may those that have so many nats beyond the
 * price of the search where no leaf is believed without bound: as small as this share of the largest.
 */
const ALIKE = 0.1;
const MIN_ROBUST_STATISTIC = 32;
export const MIN_OF_LARGEST_SURE = 0.05;
/** The noise model counts as broken when more leaves than this are beyond 4 standard deviations (normal: 6e-5). */
const HEAVY_FROM = 0.004;
const WILD_Z2 = 16;
/** Leaves whose variance is above this say nothing about tails: deviations end at 2. */
const TELLING_WEIGHT = 1;
/** Below this share explained, what moved is in no recorded dimension. */
const MIN_EXPLAINED = 0.5;
/** A shortcut is taken only where rounding cannot matter. */
const NEARLY = 1 - 1e-9;

export interface Accepted {
  readonly causes: readonly Found[];
  /** Change beyond chance in total, and of the causes. Same order as causes. */
  readonly abnormal: number;
  readonly sizes: readonly number[];
  /** Enough is explained to name causes at all. */
  readonly explained: boolean;
  readonly heavyTails: boolean;
}

/** @param found disjoint elements. Ties in size keep the order of the scan. Cost: O(leaves). */
export function accept(input: ScanInput, found: readonly Found[]): Accepted {
  const { d, w } = input;
  const taken = new Uint8Array(d.length);
  for (const { members } of found) mark(members, taken);
  const far = new Int32Array(d.length);
  const counts = new Int32Array(3);
  forBlocks(d.length, (from, to) => countTails(d, w, taken, far, counts, from, to));
  const [live = 0, telling = 0, size = 0] = counts;
  const beyond = far.subarray(0, size);
  let wild = 0;
  for (let k = 0; k < size; k++) if (isWild(d[beyond[k]!]!, w[beyond[k]!]!)) wild++;
  // One more than seen: few leaves cannot prove that tails are light.
  const heavyTails = (wild + 1) / Math.max(1, telling) > HEAVY_FROM;
  const limit = Math.max(WILD_Z2, 2 * Math.log(Math.max(1, live)) + 4);
  let remaining = 0;
  for (let k = 0; k < size; k++) remaining += leafExcess(input, beyond[k]!, limit);
  const sized = found.map((one) => ({ one, size: elementExcess(input, one, limit) })).sort((a, b) => b.size - a.size);
  for (const { size } of sized) remaining += size;
  const abnormal = remaining;
  const causes: Found[] = [];
  const sizes: number[] = [];
  const largest = sized[0]?.size ?? 0;
  let closed = false;
  for (const { one, size } of sized) {
    if (size <= 0) break;
    const first = causes.length === 0;
    const robust = heavyTails && !first ? robustGain(input, one) : 0;
    if (heavyTails && (one.gain - one.penalty < MIN_STATISTIC || (!first && robust < MIN_ROBUST_GAIN))) continue;
    const small = size < (heavyTails ? MIN_OF_REMAINING_HEAVY : MIN_OF_REMAINING) * remaining;
    closed ||= (small && size < PEER * largest) || (heavyTails && size < MIN_OF_LARGEST_HEAVY * largest);
    if (closed) {
      if (!heavyTails || size < MIN_OF_LARGEST_SURE * largest) break;
      const sure = robust - one.penalty >= MIN_ROBUST_STATISTIC || causes.some((other) => isAlike(one, other));
      if (!sure) continue;
    }
    causes.push(one);
    sizes.push(size);
    remaining -= size;
  }
  return { causes, sizes, abnormal, explained: abnormal - remaining >= MIN_EXPLAINED * abnormal, heavyTails };
}

/** An element of the same dimensions that deviates as much. */
function isAlike(one: Found, other: Found): boolean {
  return one.cuboid === other.cuboid && Math.abs(one.deviation - other.deviation) <= ALIKE * Math.abs(other.deviation);
}

function mark(members: Int32Array, taken: Uint8Array): void {
  for (let k = 0; k < members.length; k++) taken[members[k]!] = 1;
}

/**
 * Leaves in no element: how many there are, how many tell about tails, and those that are wild or nearly so with their
 * number; the change of all others is within chance.
 */
function countTails(
  d: Float64Array,
  w: Float64Array,
  taken: Uint8Array,
  far: Int32Array,
  counts: Int32Array,
  from: number,
  to: number,
): void {
  let live = counts[0]!;
  let telling = counts[1]!;
  let size = counts[2]!;
  for (let i = from; i < to; i++) {
    const weight = w[i]!;
    if (taken[i] !== 0 || weight === 0) continue;
    live++;
    if (weight > TELLING_WEIGHT) telling++;
    if (weight * d[i]! * d[i]! >= WILD_Z2 * NEARLY) far[size++] = i;
  }
  counts[0] = live;
  counts[1] = telling;
  counts[2] = size;
}

function isWild(d: number, w: number): boolean {
  return w > TELLING_WEIGHT && w * d * d > WILD_Z2;
}

/** What of a leaf's change chance cannot make: |v − f| less √limit standard deviations. */
function leafExcess({ d, w, v, f }: ScanInput, i: number, limit: number): number {
  const weight = w[i]!;
  // Most leaves are well within chance; the margin leaves the others to the formula.
  if (!(weight > 0) || weight * d[i]! * d[i]! < limit * NEARLY) return 0;
  return Math.max(0, Math.abs(v[i]! - f[i]!) - ((v[i]! + f[i]!) / 2) * Math.sqrt(limit / weight));
}

/** The same of an element: of its leaves one by one, or of all together, whichever is more. */
function elementExcess(input: ScanInput, { members, change }: Found, limit: number): number {
  let leaves = 0;
  let variance = 0;
  for (const i of members) {
    leaves += leafExcess(input, i, limit);
    variance += ((input.v[i]! + input.f[i]!) / 2) ** 2 / input.w[i]!;
  }
  return Math.max(leaves, Math.abs(change) - Math.sqrt(WILD_Z2 * variance));
}
