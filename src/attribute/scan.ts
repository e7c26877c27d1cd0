/**
 * The likelihood-ratio scan. For an element, G = (Σwd)² / 2Σw is the log-likelihood gained by giving its leaves one
 * common deviation instead of none. The true element has more than every ancestor (siblings add weight, not deviation)
 * and every descendant (which lose deviation), so the arg-max over all cuboids needs no layer-by-layer rule. What is
 * found is removed and the scan goes on.
 */
import { MIN_OF_LARGEST_SURE } from './accept.ts';
import { forBlocks } from './blocks.ts';
import type { Candidate } from './candidate.ts';
import { judgeElement, MIN_DEVIATION, Ranking, rejection } from './candidate.ts';
import type { Cuboid } from './lattice.ts';
import { bits, firstLeaf } from './lattice.ts';
import type { ScanInput } from './sums.ts';
import { elementOf, membersOf, Sums } from './sums.ts';

export interface Found extends Candidate {
  /** Leaf indexes that were active under it when it was found. */
  readonly members: Int32Array;
  /** The next best of the same round over other leaves. */
  readonly runnerUp: Candidate | undefined;
}

/** Nats that one more term must earn, beyond the logarithm of the elements looked at: table in docs/attribution.md. */
const TERM_COST = 4;
export const MAX_ELEMENTS = 16;
/** A bound that rounding may have moved is not relied on. */
const NEARLY = 1 - 1e-9;

export interface Scan {
  readonly found: readonly Found[];
  /** Of the cuboids of one dimension: Σwd, Σw, Σ(v−f) of each element, before anything was taken out. */
  readonly single: readonly (Float64Array | undefined)[];
}

/** @param first  what the scan is to take out first, whatever scores more */
export function scan(input: ScanInput, codes: readonly Uint32Array[], first?: Candidate): Scan {
  const { cuboids } = input;
  const sums = new Sums(input);
  const single = cuboids.map(({ dimensions }, c) => (dimensions.length === 1 ? sums.single(c) : undefined));
  const search = new Search(cuboids, sums);
  const found: Found[] = [];
  while (found.length < MAX_ELEMENTS) {
    const ranking = search.argMax();
    const forced = found.length === 0 ? first : undefined;
    const best = forced ?? ranking.best;
    const runnerUp = forced === undefined ? ranking.second : ranking.best;
    if (best === undefined) break;
    const shortest = shorten(cuboids, sums, best);
    const members = membersOf(cuboids, codes, shortest.cuboid, shortest.element, sums);
    found.push({ ...shortest, members, runnerUp });
    if (found.length < MAX_ELEMENTS) search.remove(members, cuboids[shortest.cuboid]!.mask);
  }
  return { found, single };
}

/**
 * What the scan could have taken out first instead: of each other cuboid the best element that has leaves of the best
 * one, where the elements of that cuboid together score more than the best one alone.
 * @returns at most so many, largest score first. Cost: that of a round in which every cuboid's other sums are needed.
 */
export function rivals(input: ScanInput, best: Found, most: number): Candidate[] {
  const { cuboids } = input;
  const search = new Search(cuboids, new Sums(input));
  const out: Candidate[] = [];
  for (const head of search.heads(best)) {
    if (out.length === most) break;
    if (best.members.some((leaf) => elementOf(cuboids, head.cuboid, leaf) === head.element)) out.push(head);
  }
  return out;
}

/** Price of an element: of the choice among so many, and of its terms. */
export function penaltyOf({ size, mask }: Cuboid, cuboids: number): number {
  return Math.log(size) + Math.log(cuboids) + TERM_COST * bits(mask);
}

/** The elements of a cuboid that can score, and of them the one with the largest bare gain. */
interface Contest {
  readonly cuboid: number;
  readonly elements: Int32Array;
  readonly head: number;
  /** (Σwd)²/Σw of the head; and its gain beyond the price of the search. */
  readonly z2: number;
  readonly margin: number;
}

/** No purity lifts a score above the bare gain: few elements of a cuboid can score at all, and these are kept. */
class Search {
  readonly #cuboids: readonly Cuboid[];
  readonly #sums: Sums;
  readonly #penalties: readonly number[];
  /** Per cuboid the elements whose bare gain is above their price, or was; undefined: to be looked for. */
  readonly #above: (Int32Array | undefined)[];
  readonly #room: Int32Array;

  constructor(cuboids: readonly Cuboid[], sums: Sums) {
    this.#cuboids = cuboids;
    this.#sums = sums;
    this.#penalties = cuboids.map((cuboid) => penaltyOf(cuboid, cuboids.length));
    this.#above = cuboids.map(() => undefined);
    this.#room = new Int32Array(Math.max(0, ...cuboids.map(({ size }) => size)));
  }

  /**
   * The heads of all cuboids are judged first, those with most to gain before the others: what they score rules out
   * nearly all other elements, and the sums of most cuboids are never asked for.
   */
  argMax(): Ranking {
    const ranking = new Ranking();
    const contests: Contest[] = [];
    for (let c = 0; c < this.#cuboids.length; c++) {
      const one = this.#contest(c);
      if (one.head >= 0) contests.push(one);
    }
    contests.sort((a, b) => b.margin - a.margin);
    for (const { cuboid, head, z2 } of contests)
      if (z2 > this.#price(cuboid, ranking.floor)) this.#consider(ranking, cuboid, head);
    for (const { cuboid, head, z2, elements } of contests) {
      const { BC } = this.#sums.bounding(cuboid);
      let price = this.#price(cuboid, ranking.floor);
      for (let k = 0; k < elements.length && z2 > price; k++) {
        const e = elements[k]!;
        if (e === head || !(BC[2 * e]! * BC[2 * e]! > BC[2 * e + 1]! * price)) continue;
        this.#consider(ranking, cuboid, e);
        price = this.#price(cuboid, ranking.floor);
      }
    }
    return ranking;
  }

  /**
   * Best elements of the other cuboids whose elements, two at least, together score more than this one; largest score
   * first. Elements too small to be accepted beside it do not count.
   */
  heads({ cuboid: own, score, change }: Candidate): Candidate[] {
    const out: Candidate[] = [];
    for (let c = 0; c < this.#cuboids.length; c++) {
      const { elements } = this.#contest(c);
      if (c === own || elements.length < 2) continue;
      let head: Candidate | undefined;
      let together = 0;
      let count = 0;
      for (let k = 0; k < elements.length; k++) {
        const one = this.#judge(c, elements[k]!);
        if (one === undefined || Math.abs(one.change) < MIN_OF_LARGEST_SURE * Math.abs(change)) continue;
        count++;
        together += one.score;
        if (head === undefined || one.score > head.score) head = one;
      }
      if (head !== undefined && count > 1 && together > score) out.push(head);
    }
    return out.sort((a, b) => b.score - a.score || a.cuboid - b.cuboid);
  }

  /** Takes the leaves of an element of a cuboid with these dimensions out. */
  remove(members: Int32Array, mask: number): void {
    this.#sums.remove(members, mask);
    // Where elements are taken out whole or not at all, none comes to be above its price.
    for (let c = 0; c < this.#above.length; c++)
      if ((this.#cuboids[c]!.mask & mask) !== mask) this.#above[c] = undefined;
  }

  /** (Σwd)²/Σw that an element needs to score so much. */
  #price(c: number, score: number): number {
    return 2 * (this.#penalties[c]! + score) * NEARLY;
  }

  #consider(ranking: Ranking, c: number, e: number): void {
    const one = this.#judge(c, e);
    if (one !== undefined) ranking.add(one);
  }

  /** undefined: it cannot be a cause. */
  #judge(c: number, e: number): Candidate | undefined {
    const { BC } = this.#sums.bounding(c);
    // Told from the bounding sums alone. An element without leaves is NaN and is left out, too.
    if (!(Math.abs(BC[2 * e]! / BC[2 * e + 1]!) >= MIN_DEVIATION)) return undefined;
    const one = judgeElement(this.#sums, c, e, this.#penalties[c]!);
    return rejection(one) === undefined ? one : undefined;
  }

  #contest(cuboid: number): Contest {
    const { BC } = this.#sums.bounding(cuboid);
    let elements = this.#above[cuboid];
    if (elements === undefined) {
      const price = this.#price(cuboid, 0);
      let count = 0;
      forBlocks(BC.length >> 1, (from, to) => {
        count = elementsAbove(BC, price, this.#room, count, from, to);
      });
      elements = this.#room.slice(0, count);
      this.#above[cuboid] = elements;
    }
    let head = -1;
    let z2 = 0;
    for (let k = 0; k < elements.length; k++) {
      const e = elements[k]!;
      const own = (BC[2 * e]! * BC[2 * e]!) / BC[2 * e + 1]!;
      if (!(own > z2)) continue;
      head = e;
      z2 = own;
    }
    return { cuboid, elements, head, z2, margin: z2 / 2 - this.#penalties[cuboid]! };
  }
}

/** Elements whose (Σwd)²/Σw is above this, in order, after those of before; @returns how many. Without leaves, 0 > 0. */
function elementsAbove(
  BC: Float64Array,
  price: number,
  out: Int32Array,
  before: number,
  from: number,
  to: number,
): number {
  let count = before;
  for (let t = 2 * from; t < 2 * to; t += 2) if (BC[t]! * BC[t]! > BC[t + 1]! * price) out[count++] = t >> 1;
  return count;
}

/** The fewest dimensions that name the same leaves: an ancestor with as many. */
function shorten(cuboids: readonly Cuboid[], sums: Sums, best: Candidate): Candidate {
  const { mask } = cuboids[best.cuboid]!;
  const leaf = firstLeaf(cuboids[best.cuboid]!, best.element);
  for (let c = cuboids.length - 1; c >= 0; c--) {
    const other = cuboids[c]!;
    if (bits(other.mask) >= bits(mask)) return best;
    if ((other.mask & mask) !== other.mask) continue;
    const element = elementOf(cuboids, c, leaf);
    if (sums.leaves(c, element) === best.leaves) return { ...best, cuboid: c, element };
  }
  return best;
}
