/** Sums of leaves, and of the elements of every cuboid above them. */
import type { Cuboid } from './lattice.ts';

/** What a leaf brings: deviation, weight 1/var, actual and expected value. */
export interface ScanInput {
  readonly cuboids: readonly Cuboid[];
  readonly d: Float64Array;
  readonly w: Float64Array;
  readonly v: Float64Array;
  readonly f: Float64Array;
}

/** Interleaved, so that an element is one cache line: A = Σwd², B = Σwd, C = Σw, n, E = Σmd², F = Σmd, M = Σm, Δ = Σ(v−f). */
export const WIDTH = 8;

/** Sums of one leaf each; leaves without weight are all zero. Cost: O(leaves). */
export function leafSums({ d, w, v, f }: ScanInput): Float64Array {
  const sums = new Float64Array(d.length * WIDTH);
  for (let i = 0, s = 0; i < d.length; i++, s += WIDTH) {
    const weight = w[i]!;
    if (weight === 0) continue;
    const deviation = d[i]!;
    const m = (v[i]! + f[i]!) / 2;
    sums[s] = weight * deviation * deviation;
    sums[s + 1] = weight * deviation;
    sums[s + 2] = weight;
    sums[s + 3] = 1;
    sums[s + 4] = m * deviation * deviation;
    sums[s + 5] = m * deviation;
    sums[s + 6] = m;
    sums[s + 7] = v[i]! - f[i]!;
  }
  return sums;
}

/** Sums of every cuboid, finest first; the finest may be the leaves themselves. Cost: O(Σ parent sizes). */
export function rollUp(cuboids: readonly Cuboid[], leaves: Float64Array): Float64Array[] {
  const all: Float64Array[] = [];
  for (const { parent, map, size } of cuboids) {
    const from = parent < 0 ? leaves : all[parent]!;
    if (map === undefined) {
      all.push(leaves);
      continue;
    }
    const sums = new Float64Array(size * WIDTH);
    for (let k = 0, s = 0; k < map.length; k++, s += WIDTH) add(sums, map[k]! * WIDTH, from, s);
    all.push(sums);
  }
  return all;
}

function add(to: Float64Array, t: number, from: Float64Array, s: number): void {
  to[t] = to[t]! + from[s]!;
  to[t + 1] = to[t + 1]! + from[s + 1]!;
  to[t + 2] = to[t + 2]! + from[s + 2]!;
  to[t + 3] = to[t + 3]! + from[s + 3]!;
  to[t + 4] = to[t + 4]! + from[s + 4]!;
  to[t + 5] = to[t + 5]! + from[s + 5]!;
  to[t + 6] = to[t + 6]! + from[s + 6]!;
  to[t + 7] = to[t + 7]! + from[s + 7]!;
}

/** Elements of every cuboid over the same leaves, found once: leaf -> element by walking the parents. */
export function elementOf(cuboids: readonly Cuboid[], c: number, leaf: number): number {
  const { parent, map } = cuboids[c]!;
  const above = parent < 0 ? leaf : elementOf(cuboids, parent, leaf);
  return map === undefined ? above : map[above]!;
}

/** Active leaves under an element. Cost: O(leaves). */
export function membersOf(
  cuboids: readonly Cuboid[],
  codes: readonly Uint32Array[],
  c: number,
  element: number,
  leaves: Float64Array,
): Int32Array {
  const { dimensions, example } = cuboids[c]!;
  const one = example[element]!;
  const rows = leaves.length / WIDTH;
  const out = new Int32Array(rows);
  let count = 0;
  for (let i = 0; i < rows; i++) {
    if (leaves[i * WIDTH + 3] === 0) continue;
    let inside = true;
    for (let j = 0; j < dimensions.length && inside; j++) {
      const column = codes[dimensions[j]!]!;
      inside = column[i] === column[one];
    }
    if (inside) out[count++] = i;
  }
  return out.slice(0, count);
}
