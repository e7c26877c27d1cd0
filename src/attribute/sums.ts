/**
 * Sums of leaves, and of the elements of every cuboid above them. The scan's bare bound needs Σwd and Σw of every
 * element: these and the number of leaves are rolled up at once and kept up to date. The other sums are rolled up for a
 * cuboid when one of its elements is judged. Each sum adds the same numbers in the same order as if all had been
 * rolled up at once, and takes leaves out in the order in which they were found, so that neither changes a bit.
 */
import { forBlocks } from './blocks.ts';
import type { Cuboid } from './lattice.ts';
import { firstLeaf } from './lattice.ts';

/** What a leaf brings: deviation, weight 1/var, actual and expected value. */
export interface ScanInput {
  readonly cuboids: readonly Cuboid[];
  readonly d: Float64Array;
  readonly w: Float64Array;
  readonly v: Float64Array;
  readonly f: Float64Array;
}

/** Sums the bound needs, per element: B = Σwd and C = Σw interleaved, and n. */
export interface Bounding {
  readonly BC: Float64Array;
  readonly n: Int32Array;
}

/** All sums of one element: A = Σwd², B = Σwd, C = Σw, n, E = Σmd², F = Σmd, M = Σm, Δ = Σ(v−f); m = (v+f)/2. */
export interface ElementSums {
  A: number;
  B: number;
  C: number;
  n: number;
  E: number;
  F: number;
  M: number;
  change: number;
}

/** Σwd², Σmd², Σmd, Σm, Σ(v−f): interleaved, so that an element is one cache line. */
const REST = 5;
/** Leaves taken out at a time: their elements in all cuboids stay in the cache. */
const BLOCK = 2048;

export class Sums {
  readonly #input: ScanInput;
  /** Of the leaves; n is 1 when one has weight and was not taken out. */
  readonly #leaves: Bounding;
  /** Per cuboid. */
  readonly #bounding: readonly Bounding[];
  /** Per cuboid, when needed: before anything was taken out, and now. */
  readonly #restAtFirst: (Float64Array | undefined)[] = [];
  readonly #rest: (Float64Array | undefined)[] = [];
  /** What was taken out, in order, and how much of it is out of each cuboid's rest. */
  readonly #removed: { readonly members: Int32Array; readonly mask: number }[] = [];
  readonly #applied: number[] = [];
  readonly #one: ElementSums = { A: 0, B: 0, C: 0, n: 0, E: 0, F: 0, M: 0, change: 0 };

  /** Cost: O(Σ parent sizes). Leaves without weight count for nothing. */
  constructor(input: ScanInput) {
    this.#input = input;
    const { cuboids, d, w } = input;
    const leaves = { BC: new Float64Array(2 * w.length), n: new Int32Array(w.length) };
    this.#leaves = leaves;
    const all = cuboids.map(({ map, size }) =>
      map === undefined ? leaves : { BC: new Float64Array(2 * size), n: new Int32Array(size) },
    );
    const ofLeaves = cuboids.flatMap(({ map, parent }, c) =>
      map !== undefined && (parent < 0 || all[parent] === leaves) ? [c] : [],
    );
    forBlocks(w.length, (from, to) => {
      boundingOfLeaves(leaves, d, w, from, to);
      for (const c of ofLeaves) boundingOf(all[c]!, cuboids[c]!.map!, leaves, from, to);
    });
    cuboids.forEach(({ parent, map }, c) => {
      const above = all[parent];
      if (map === undefined || above === undefined || above === leaves) return;
      forBlocks(map.length, (from, to) => boundingOf(all[c]!, map, above, from, to));
    });
    this.#bounding = all;
  }

  /** 1 per leaf that has weight and was not taken out, else 0. */
  get alive(): Int32Array {
    return this.#leaves.n;
  }

  bounding(c: number): Bounding {
    return this.#bounding[c]!;
  }

  /** Leaves under an element that are not taken out. */
  leaves(c: number, element: number): number {
    return this.#bounding[c]!.n[element]!;
  }

  /** All sums of an element, in an object that the next call overwrites. */
  element(c: number, e: number): ElementSums {
    const one = this.#one;
    const { BC, n } = this.#bounding[c]!;
    one.B = BC[2 * e]!;
    one.C = BC[2 * e + 1]!;
    one.n = n[e]!;
    if (this.#input.cuboids[c]!.map === undefined) {
      const { d, w, v, f } = this.#input;
      const deviation = d[e]!;
      const m = (v[e]! + f[e]!) / 2;
      one.A = w[e]! * deviation * deviation;
      one.E = m * deviation * deviation;
      one.F = m * deviation;
      one.M = m;
      one.change = v[e]! - f[e]!;
      return one;
    }
    const rest = this.#restNow(c);
    const s = e * REST;
    one.A = rest[s]!;
    one.E = rest[s + 1]!;
    one.F = rest[s + 2]!;
    one.M = rest[s + 3]!;
    one.change = rest[s + 4]!;
    return one;
  }

  /**
   * Takes the leaves of an element of a cuboid with these dimensions out of every sum. In cuboids that have all of them,
   * an element is taken out whole or not at all. Cost: O(members · cuboids).
   */
  remove(members: Int32Array, mask: number): void {
    const { cuboids, d, w } = this.#input;
    const room = Math.min(BLOCK, members.length);
    const at = new Int32Array(cuboids.length * room);
    for (let start = 0; start < members.length; start += room) {
      const block = members.subarray(start, start + room);
      for (let c = 0; c < cuboids.length; c++) {
        const { parent, map, mask: own } = cuboids[c]!;
        const offset = c * room;
        if (parent >= 0) step(at, parent * room, offset, block.length, map!);
        else {
          at.set(block, offset);
          if (map !== undefined) step(at, offset, offset, block.length, map);
        }
        const sums = this.#bounding[c]!;
        if ((own & mask) === mask) empty(sums, at, offset, block.length);
        else subtract(sums, at, offset, block, d, w);
      }
    }
    empty(this.#leaves, members, 0, members.length);
    this.#removed.push({ members, mask });
  }

  /** Σwd, Σw, Σ(v−f) of every element of a cuboid, interleaved, before anything was taken out. */
  single(c: number): Float64Array {
    const { size } = this.#input.cuboids[c]!;
    const out = new Float64Array(3 * size);
    for (let e = 0; e < size; e++) {
      const { B, C, n, change } = this.element(c, e);
      if (n > 0) out.set([B, C, change], 3 * e);
    }
    return out;
  }

  #restOf(c: number): Float64Array {
    const known = this.#restAtFirst[c];
    if (known !== undefined) return known;
    const { parent, map, size } = this.#input.cuboids[c]!;
    const rest = new Float64Array(size * REST);
    if (parent < 0 || this.#input.cuboids[parent]!.map === undefined)
      forBlocks(map!.length, (from, to) => restOfLeaves(rest, map!, this.#input, from, to));
    else {
      const above = this.#restOf(parent);
      forBlocks(map!.length, (from, to) => addRest(rest, map!, above, from, to));
    }
    this.#restAtFirst[c] = rest;
    return rest;
  }

  #restNow(c: number): Float64Array {
    const first = this.#restOf(c);
    if (this.#removed.length === 0) return first;
    const { mask } = this.#input.cuboids[c]!;
    let now = this.#rest[c] ?? first;
    for (let r = this.#applied[c] ?? 0; r < this.#removed.length; r++) {
      const { members, mask: taken } = this.#removed[r]!;
      // Elements that lost all of their leaves are not looked at again.
      if ((mask & taken) === taken) continue;
      if (now === first) now = first.slice();
      subtractRest(now, members, elementsOf(this.#input.cuboids, c, members), this.#input);
    }
    this.#rest[c] = now;
    this.#applied[c] = this.#removed.length;
    return now;
  }
}

function boundingOfLeaves({ BC, n }: Bounding, d: Float64Array, w: Float64Array, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const weight = w[i]!;
    if (weight === 0) continue;
    BC[2 * i] = weight * d[i]!;
    BC[2 * i + 1] = weight;
    n[i] = 1;
  }
}

function boundingOf({ BC, n }: Bounding, map: Int32Array, above: Bounding, from: number, to: number): void {
  const { BC: sums, n: counts } = above;
  for (let k = from; k < to; k++) {
    const e = map[k]!;
    const t = e << 1;
    const s = k << 1;
    BC[t] = BC[t]! + sums[s]!;
    BC[t + 1] = BC[t + 1]! + sums[s + 1]!;
    n[e] = n[e]! + counts[k]!;
  }
}

function restOfLeaves(rest: Float64Array, map: Int32Array, { d, w, v, f }: ScanInput, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const weight = w[i]!;
    if (weight === 0) continue;
    const t = map[i]! * REST;
    const deviation = d[i]!;
    const m = (v[i]! + f[i]!) / 2;
    rest[t] = rest[t]! + weight * deviation * deviation;
    rest[t + 1] = rest[t + 1]! + m * deviation * deviation;
    rest[t + 2] = rest[t + 2]! + m * deviation;
    rest[t + 3] = rest[t + 3]! + m;
    rest[t + 4] = rest[t + 4]! + (v[i]! - f[i]!);
  }
}

function addRest(rest: Float64Array, map: Int32Array, above: Float64Array, from: number, to: number): void {
  for (let k = from; k < to; k++) {
    const s = k * REST;
    const t = map[k]! * REST;
    rest[t] = rest[t]! + above[s]!;
    rest[t + 1] = rest[t + 1]! + above[s + 1]!;
    rest[t + 2] = rest[t + 2]! + above[s + 2]!;
    rest[t + 3] = rest[t + 3]! + above[s + 3]!;
    rest[t + 4] = rest[t + 4]! + above[s + 4]!;
  }
}

function step(at: Int32Array, from: number, to: number, count: number, map: Int32Array): void {
  for (let k = 0; k < count; k++) at[to + k] = map[at[from + k]!]!;
}

function empty({ BC, n }: Bounding, at: Int32Array, offset: number, count: number): void {
  for (let k = offset; k < offset + count; k++) {
    const e = at[k]!;
    BC[2 * e] = 0;
    BC[2 * e + 1] = 0;
    n[e] = 0;
  }
}

/** An element without leaves has sums of exactly 0, not what rounding left. */
function subtract(
  { BC, n }: Bounding,
  at: Int32Array,
  offset: number,
  block: Int32Array,
  d: Float64Array,
  w: Float64Array,
): void {
  for (let k = 0; k < block.length; k++) {
    const e = at[offset + k]!;
    const i = block[k]!;
    const weight = w[i]!;
    const left = n[e]! - 1;
    n[e] = left;
    BC[2 * e] = left === 0 ? 0 : BC[2 * e]! - weight * d[i]!;
    BC[2 * e + 1] = left === 0 ? 0 : BC[2 * e + 1]! - weight;
  }
}

function subtractRest(rest: Float64Array, members: Int32Array, at: Int32Array, { d, w, v, f }: ScanInput): void {
  for (let k = 0; k < members.length; k++) {
    const i = members[k]!;
    const t = at[k]! * REST;
    const deviation = d[i]!;
    const m = (v[i]! + f[i]!) / 2;
    rest[t] = rest[t]! - w[i]! * deviation * deviation;
    rest[t + 1] = rest[t + 1]! - m * deviation * deviation;
    rest[t + 2] = rest[t + 2]! - m * deviation;
    rest[t + 3] = rest[t + 3]! - m;
    rest[t + 4] = rest[t + 4]! - (v[i]! - f[i]!);
  }
}

/** The element of each leaf, by walking the parents. */
function elementsOf(cuboids: readonly Cuboid[], c: number, leaves: Int32Array): Int32Array {
  const { parent, map } = cuboids[c]!;
  const above = parent < 0 ? leaves : elementsOf(cuboids, parent, leaves);
  if (map === undefined) return above;
  const out = above === leaves ? new Int32Array(leaves.length) : above;
  for (let k = 0; k < out.length; k++) out[k] = map[above[k]!]!;
  return out;
}

export function elementOf(cuboids: readonly Cuboid[], c: number, leaf: number): number {
  const { parent, map } = cuboids[c]!;
  const above = parent < 0 ? leaf : elementOf(cuboids, parent, leaf);
  return map === undefined ? above : map[above]!;
}

/** Leaves under an element that are not taken out, in order. Cost: O(leaves). */
export function membersOf(
  cuboids: readonly Cuboid[],
  codes: readonly Uint32Array[],
  c: number,
  element: number,
  sums: Sums,
): Int32Array {
  const { dimensions } = cuboids[c]!;
  const one = firstLeaf(cuboids[c]!, element);
  const out = new Int32Array(sums.leaves(c, element));
  const [first = 0, ...others] = dimensions;
  const column = codes[first]!;
  const wanted = column[one]!;
  const alive = sums.alive;
  let count = 0;
  for (let i = one; i < column.length && count < out.length; i++) {
    if (column[i] !== wanted || alive[i] === 0) continue;
    let inside = true;
    for (let j = 0; j < others.length && inside; j++) {
      const other = codes[others[j]!]!;
      inside = other[i] === other[one];
    }
    if (inside) out[count++] = i;
  }
  return out;
}
