/**
 * The lattice of cuboids: every subset of dimensions, with the map from the elements of a parent (one dimension more) to
 * its own. Built once per table; sums are then rolled up parent to child, never from the rows.
 */
export interface Cuboid {
  /** Dimensions as bits, and as indexes. */
  readonly mask: number;
  readonly dimensions: readonly number[];
  readonly size: number;
  /** Cuboid it rolls up from; -1: from the leaves. */
  readonly parent: number;
  /** Element of the parent (or leaf) -> own element. */
  readonly map: Int32Array;
  /** One leaf under each element: its codes name the element. */
  readonly example: Int32Array;
}

/** Dense tables up to this many cells; above, a hash map. */
const DENSE_CELLS = 1 << 22;

/** @param maxLayer  deepest cuboids built. Cost: O(Σ parent sizes). Finest first. */
export function buildLattice(
  codes: readonly Uint32Array[],
  cardinality: readonly number[],
  rows: number,
  maxLayer: number,
): Cuboid[] {
  const full = (1 << codes.length) - 1;
  const masks: number[] = [];
  for (let mask = 1; mask <= full; mask++) if (bits(mask) <= maxLayer) masks.push(mask);
  masks.sort((a, b) => bits(b) - bits(a) || a - b);
  const cuboids: Cuboid[] = [];
  const at = new Map<number, number>();
  for (const mask of masks) {
    let parent = -1;
    for (let d = 0; d < codes.length; d++) {
      const above = at.get(mask | (1 << d));
      if (mask & (1 << d) || above === undefined) continue;
      if (parent < 0 || cuboids[above]!.size < cuboids[parent]!.size) parent = above;
    }
    at.set(mask, cuboids.length);
    cuboids.push(cuboid(mask, parent, parent < 0 ? undefined : cuboids[parent], codes, cardinality, rows));
  }
  return cuboids;
}

function cuboid(
  mask: number,
  parent: number,
  above: Cuboid | undefined,
  codes: readonly Uint32Array[],
  cardinality: readonly number[],
  rows: number,
): Cuboid {
  const dimensions = [...codes.keys()].filter((d) => mask & (1 << d));
  const source = above === undefined ? rows : above.size;
  const map = new Int32Array(source);
  const example: number[] = [];
  const cells = dimensions.reduce((product, d) => product * cardinality[d]!, 1);
  const dense = cells <= DENSE_CELLS ? new Int32Array(cells).fill(-1) : undefined;
  const sparse = dense === undefined ? new Map<number, number>() : undefined;
  for (let k = 0; k < source; k++) {
    const leaf = above === undefined ? k : above.example[k]!;
    let key = 0;
    for (const d of dimensions) key = key * cardinality[d]! + codes[d]![leaf]!;
    let element = dense === undefined ? (sparse!.get(key) ?? -1) : dense[key]!;
    if (element < 0) {
      element = example.length;
      example.push(leaf);
      if (dense === undefined) sparse!.set(key, element);
      else dense[key] = element;
    }
    map[k] = element;
  }
  return { mask, dimensions, size: example.length, parent, map, example: Int32Array.from(example) };
}

export function bits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest > 0; rest &= rest - 1) count++;
  return count;
}

/** Sums per element, interleaved: A = Σwd², B = Σwd, C = Σw, n, E = Σmd², F = Σmd, M = Σm, Δ = Σ(v−f), hash of its leaves. */
export const WIDTH = 9;

export function rollUp(cuboids: readonly Cuboid[], leaves: Float64Array, into: Float64Array[]): void {
  for (let c = 0; c < cuboids.length; c++) {
    const { parent, map, size } = cuboids[c]!;
    let sums = into[c];
    if (sums === undefined) {
      sums = new Float64Array(size * WIDTH);
      into[c] = sums;
    } else sums.fill(0);
    const from = parent < 0 ? leaves : into[parent]!;
    for (let k = 0, s = 0; k < map.length; k++, s += WIDTH) {
      if (from[s + 3] === 0) continue;
      const t = map[k]! * WIDTH;
      sums[t] = sums[t]! + from[s]!;
      sums[t + 1] = sums[t + 1]! + from[s + 1]!;
      sums[t + 2] = sums[t + 2]! + from[s + 2]!;
      sums[t + 3] = sums[t + 3]! + from[s + 3]!;
      sums[t + 4] = sums[t + 4]! + from[s + 4]!;
      sums[t + 5] = sums[t + 5]! + from[s + 5]!;
      sums[t + 6] = sums[t + 6]! + from[s + 6]!;
      sums[t + 7] = sums[t + 7]! + from[s + 7]!;
      sums[t + 8] = sums[t + 8]! + from[s + 8]!;
    }
  }
}
