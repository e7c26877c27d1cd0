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
  /** Element of the parent (or leaf) -> own element; undefined: each is its own. */
  readonly map: Int32Array | undefined;
  /** One leaf under each element: its codes name the element. */
  readonly example: Int32Array;
}

/** Dense tables up to this many cells, or four per parent element; above, an open-addressed hash table. */
const DENSE_CELLS = 1 << 16;
/** Elements the whole lattice may have: deeper cuboids are left out first. 8 sums of 8 bytes each: 512 MB at most. */
const MAX_ELEMENTS = 8_000_000;

/**
 * @param codes       per dimension one code per leaf; leaves are distinct and in canonical order
 * @param cardinality values per dimension
 * @param maxLayer    deepest cuboids wanted; fewer when they would have more than MAX_ELEMENTS elements
 * @returns finest first. Cost: O(Σ parent sizes).
 */
export function buildLattice(
  codes: readonly Uint32Array[],
  cardinality: readonly number[],
  rows: number,
  maxLayer: number,
): Cuboid[] {
  const depth = affordable(cardinality, rows, Math.min(maxLayer, codes.length));
  const masks: number[] = [];
  for (let mask = 1; mask < 1 << codes.length; mask++) if (bits(mask) <= depth) masks.push(mask);
  masks.sort((a, b) => bits(b) - bits(a) || a - b);
  const cuboids: Cuboid[] = [];
  const at = new Map<number, number>();
  for (const mask of masks) {
    let parent = -1;
    for (let d = 0; d < codes.length; d++) {
      const above = mask & (1 << d) ? undefined : at.get(mask | (1 << d));
      if (above !== undefined && (parent < 0 || cuboids[above]!.size < cuboids[parent]!.size)) parent = above;
    }
    at.set(mask, cuboids.length);
    const dimensions = [...codes.keys()].filter((d) => mask & (1 << d));
    cuboids.push(
      parent < 0 && dimensions.length === codes.length
        ? {
            mask,
            dimensions,
            size: rows,
            parent,
            map: undefined,
            example: Int32Array.from({ length: rows }, (_, i) => i),
          }
        : cuboid(mask, dimensions, parent, cuboids[parent]?.example, codes, cardinality, rows),
    );
  }
  return cuboids;
}

/** Deepest layer at which the lattice stays small enough; never below 1. */
function affordable(cardinality: readonly number[], rows: number, wanted: number): number {
  const sizes = new Float64Array(cardinality.length + 1);
  for (let mask = 1; mask < 1 << cardinality.length; mask++) {
    let cells = 1;
    for (let d = 0; d < cardinality.length; d++) if (mask & (1 << d)) cells = Math.min(rows, cells * cardinality[d]!);
    sizes[bits(mask)] = sizes[bits(mask)]! + cells;
  }
  let total = 0;
  for (let layer = 1; layer <= wanted; layer++) {
    total += sizes[layer]!;
    if (layer > 1 && total > MAX_ELEMENTS) return layer - 1;
  }
  return wanted;
}

let dense = new Int32Array(DENSE_CELLS);

function cuboid(
  mask: number,
  dimensions: readonly number[],
  parent: number,
  above: Int32Array | undefined,
  codes: readonly Uint32Array[],
  cardinality: readonly number[],
  rows: number,
): Cuboid {
  const source = above === undefined ? rows : above.length;
  const map = new Int32Array(source);
  const examples = new Int32Array(source);
  const cells = dimensions.reduce((product, d) => product * cardinality[d]!, 1);
  const columns = dimensions.map((d) => codes[d]!);
  const keys = new Float64Array(source);
  for (let j = 0; j < columns.length; j++) {
    const column = columns[j]!;
    const radix = cardinality[dimensions[j]!]!;
    if (above === undefined) for (let k = 0; k < source; k++) keys[k] = keys[k]! * radix + column[k]!;
    else for (let k = 0; k < source; k++) keys[k] = keys[k]! * radix + column[above[k]!]!;
  }
  const size =
    cells <= Math.max(DENSE_CELLS, 4 * source)
      ? numberDense(keys, cells, map, examples, above)
      : numberHashed(keys, map, examples, above);
  return { mask, dimensions, size, parent, map, example: examples.slice(0, size) };
}

function numberDense(
  keys: Float64Array,
  cells: number,
  map: Int32Array,
  examples: Int32Array,
  above: Int32Array | undefined,
): number {
  if (dense.length < cells) dense = new Int32Array(cells);
  else dense.fill(0, 0, cells);
  let size = 0;
  for (let k = 0; k < keys.length; k++) {
    const key = keys[k]!;
    let element = dense[key]! - 1;
    if (element < 0) {
      element = size++;
      examples[element] = above === undefined ? k : above[k]!;
      dense[key] = element + 1;
    }
    map[k] = element;
  }
  return size;
}

/** Keys up to 2^53: linear probing on a multiplicative hash of their halves. */
function numberHashed(
  keys: Float64Array,
  map: Int32Array,
  examples: Int32Array,
  above: Int32Array | undefined,
): number {
  let capacity = 16;
  while (capacity < 2 * keys.length) capacity *= 2;
  const slots = new Int32Array(capacity);
  const own = new Float64Array(keys.length);
  let size = 0;
  for (let k = 0; k < keys.length; k++) {
    const key = keys[k]!;
    const high = Math.floor(key / 4294967296);
    let slot = (Math.imul((key % 4294967296) | 0, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b)) >>> 0;
    slot = (slot ^ (slot >>> 15)) & (capacity - 1);
    let element = slots[slot]! - 1;
    while (element >= 0 && own[element] !== key) {
      slot = (slot + 1) & (capacity - 1);
      element = slots[slot]! - 1;
    }
    if (element < 0) {
      element = size++;
      own[element] = key;
      examples[element] = above === undefined ? k : above[k]!;
      slots[slot] = element + 1;
    }
    map[k] = element;
  }
  return size;
}

export function bits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest > 0; rest &= rest - 1) count++;
  return count;
}
