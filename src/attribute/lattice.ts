/**
 * The lattice of cuboids: every subset of dimensions, with the map from the elements of a parent (one dimension more) to
 * its own. Built once per table; sums are then rolled up parent to child, never from the rows.
 */
import { forBlocks } from './blocks.ts';

export interface Cuboid {
  /** Dimensions as bits, and as indexes. */
  readonly mask: number;
  readonly dimensions: readonly number[];
  /** Elements, numbered by their first leaf. */
  readonly size: number;
  /** Cuboid it rolls up from; -1: from the leaves. */
  readonly parent: number;
  /** Element of the parent (or leaf) -> own element; undefined: each is its own. */
  readonly map: Int32Array | undefined;
  /** First leaf under each element: its codes name the element. undefined: each is a leaf. */
  readonly example: Int32Array | undefined;
}

export function firstLeaf({ example }: Cuboid, element: number): number {
  return example === undefined ? element : example[element]!;
}

/** Dense tables up to this many cells, or four per parent element; above, an open-addressed hash table. */
const DENSE_CELLS = 1 << 16;
/** Elements the whole lattice may have: deeper cuboids are left out first. 60 bytes of sums each: 480 MB, rarely all. */
const MAX_ELEMENTS = 8_000_000;
/** Mixed-radix keys below this are kept as integers and passed on from parent to child. */
const NARROW_CELLS = 2 ** 31;

/**
 * @param codes       per dimension one code per leaf; leaves are distinct and in canonical order
 * @param cardinality values per dimension
 * @param maxLayer    deepest cuboids wanted; fewer when they would have more than MAX_ELEMENTS elements
 * @param leafKeys    per leaf its codes as one mixed-radix number, when known
 * @returns finest first. Cost: O(Σ parent sizes).
 */
export function buildLattice(
  codes: readonly Uint32Array[],
  cardinality: readonly number[],
  rows: number,
  maxLayer: number,
  leafKeys?: Int32Array,
): Cuboid[] {
  const depth = affordable(cardinality, rows, Math.min(maxLayer, codes.length));
  const masks: number[] = [];
  for (let mask = 1; mask < 1 << codes.length; mask++) if (bits(mask) <= depth) masks.push(mask);
  masks.sort((a, b) => bits(b) - bits(a) || a - b);
  const cuboids: Cuboid[] = [];
  const keysOf: (Int32Array | undefined)[] = [];
  const at = new Map<number, number>();
  for (const mask of masks) {
    let parent = -1;
    for (let d = 0; d < codes.length; d++) {
      const above = mask & (1 << d) ? undefined : at.get(mask | (1 << d));
      if (above !== undefined && (parent < 0 || cuboids[above]!.size < cuboids[parent]!.size)) parent = above;
    }
    at.set(mask, cuboids.length);
    const dimensions = [...codes.keys()].filter((d) => mask & (1 << d));
    const cells = cellsOf(dimensions, cardinality);
    const above = cuboids[parent];
    const source = above?.size ?? rows;
    const ofParent = above === undefined ? undefined : keysOf[parent];
    const digit = above === undefined ? undefined : digitAt(above.dimensions, mask, cardinality);
    if (above === undefined && dimensions.length === codes.length) {
      const own = leafKeys ?? keysFrom(dimensions, cells, undefined, codes, cardinality, rows);
      cuboids.push({ mask, dimensions, size: rows, parent, map: undefined, example: undefined });
      keysOf.push(own instanceof Int32Array ? own : undefined);
      continue;
    }
    const map = new Int32Array(source);
    const room = Math.min(source, cells);
    const example = new Int32Array(room);
    const isDense = cells <= Math.max(DENSE_CELLS, 4 * source);
    let own: Int32Array | undefined = new Int32Array(cells < NARROW_CELLS ? room : 0);
    let size: number;
    if (ofParent !== undefined && digit !== undefined && isDense)
      size = numberDense(ofParent, digit, tableOf(cells), map, example, own);
    else {
      const keys =
        ofParent !== undefined && digit !== undefined
          ? without(ofParent, digit)
          : keysFrom(dimensions, cells, above?.example, codes, cardinality, source);
      if (keys instanceof Float64Array) {
        size = numberWide(keys, map, example, new Float64Array(room));
        own = undefined;
      } else if (isDense) size = numberDense(keys, KEPT, tableOf(cells), map, example, own);
      else size = numberNarrow(keys, map, example, own);
    }
    if (above?.example !== undefined) translate(example, size, above.example);
    cuboids.push({ mask, dimensions, size, parent, map, example: size === room ? example : example.slice(0, size) });
    keysOf.push(own?.subarray(0, size));
  }
  return cuboids;
}

function translate(elements: Int32Array, size: number, example: Int32Array): void {
  for (let e = 0; e < size; e++) elements[e] = example[elements[e]!]!;
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

function cellsOf(dimensions: readonly number[], cardinality: readonly number[]): number {
  return dimensions.reduce((product, d) => product * cardinality[d]!, 1);
}

/** Mixed-radix key of every element of the parent (or leaf) in these dimensions. */
function keysFrom(
  dimensions: readonly number[],
  cells: number,
  example: Int32Array | undefined,
  codes: readonly Uint32Array[],
  cardinality: readonly number[],
  source: number,
): Int32Array | Float64Array {
  if (cells >= NARROW_CELLS) {
    const wide = new Float64Array(source);
    for (const d of dimensions) addDigit(wide, codes[d]!, cardinality[d]!, example);
    return wide;
  }
  const keys = new Int32Array(source);
  if (example !== undefined) for (const d of dimensions) addDigit(keys, codes[d]!, cardinality[d]!, example);
  else
    for (let j = 0; j < dimensions.length; j += 2) {
      const d = dimensions[j]!;
      const e = dimensions[j + 1];
      if (e === undefined) addDigit(keys, codes[d]!, cardinality[d]!, undefined);
      else addDigits(keys, codes[d]!, codes[e]!, cardinality[e]!, cardinality[d]! * cardinality[e]!);
    }
  return keys;
}

function addDigits(keys: Int32Array, column: Uint32Array, other: Uint32Array, radix: number, both: number): void {
  for (let k = 0; k < keys.length; k++) keys[k] = Math.imul(keys[k]!, both) + Math.imul(column[k]!, radix) + other[k]!;
}

function addDigit(
  keys: Int32Array | Float64Array,
  column: Uint32Array,
  radix: number,
  example: Int32Array | undefined,
): void {
  if (example === undefined) for (let k = 0; k < keys.length; k++) keys[k] = keys[k]! * radix + column[k]!;
  else for (let k = 0; k < keys.length; k++) keys[k] = keys[k]! * radix + column[example[k]!]!;
}

/** A digit of a mixed-radix key: its radix, and how many keys the digits behind it make. */
interface Digit {
  readonly radix: number;
  readonly low: number;
}

/** Nothing is taken out of a key. */
const KEPT: Digit = { radix: 1, low: 1 };

/** The digit of the parent that a child with this mask does not have. */
function digitAt(dimensions: readonly number[], mask: number, cardinality: readonly number[]): Digit {
  const dropped = dimensions.find((d) => (mask & (1 << d)) === 0)!;
  const behind = dimensions.filter((d) => d > dropped);
  return { radix: cardinality[dropped]!, low: cellsOf(behind, cardinality) };
}

/**
 * Keys without one digit. Division is by multiplication: key + 0.5 is at least half a divisor's share away from a
 * multiple, which no rounding of a key below 2^31 reaches.
 */
function without(keys: Int32Array, { radix, low }: Digit): Int32Array {
  const out = new Int32Array(keys.length);
  const step = radix * low;
  const perStep = 1 / step;
  const perLow = 1 / low;
  for (let k = 0; k < keys.length; k++) {
    const key = keys[k]!;
    const high = ((key + 0.5) * perStep) | 0;
    const digit = ((key - high * step + 0.5) * perLow) | 0;
    out[k] = key - high * (step - low) - digit * low;
  }
  return out;
}

let dense = new Int32Array(DENSE_CELLS);

function tableOf(cells: number): Int32Array {
  if (dense.length < cells) dense = new Int32Array(cells);
  else dense.fill(0, 0, cells);
  return dense;
}

/** Numbers the keys without one digit by their first place. */
function numberDense(
  keys: Int32Array,
  digit: Digit,
  table: Int32Array,
  map: Int32Array,
  first: Int32Array,
  own: Int32Array,
): number {
  let size = 0;
  forBlocks(keys.length, (begin, end) => {
    size = numberRange(keys, digit, table, map, first, own, size, begin, end);
  });
  return size;
}

/**
 * The same division as in `without`. Keys of one value of the digit and of those before it lose the same amount: it is
 * computed when they end.
 */
function numberRange(
  keys: Int32Array,
  { radix, low }: Digit,
  table: Int32Array,
  map: Int32Array,
  first: Int32Array,
  own: Int32Array,
  before: number,
  begin: number,
  end: number,
): number {
  const step = radix * low;
  const perStep = 1 / step;
  const perLow = 1 / low;
  let from = 0;
  let to = 0;
  let lost = 0;
  let size = before;
  for (let k = begin; k < end; k++) {
    const whole = keys[k]!;
    if (whole < from || whole >= to) {
      const high = ((whole + 0.5) * perStep) | 0;
      const digit = low === 1 ? whole - high * step : ((whole - high * step + 0.5) * perLow) | 0;
      lost = high * (step - low) + digit * low;
      from = high * step + digit * low;
      to = from + low;
    }
    const key = whole - lost;
    let element = table[key]! - 1;
    if (element < 0) {
      element = size++;
      first[element] = k;
      own[element] = key;
      table[key] = size;
    }
    map[k] = element;
  }
  return size;
}

/** Linear probing on a multiplicative hash. */
function numberNarrow(keys: Int32Array, map: Int32Array, first: Int32Array, own: Int32Array): number {
  const slots = new Int32Array(capacityFor(keys.length));
  const mask = slots.length - 1;
  let size = 0;
  for (let k = 0; k < keys.length; k++) {
    const key = keys[k]!;
    const hash = Math.imul(key, 0x9e3779b1);
    let slot = (hash ^ (hash >>> 15)) & mask;
    let element = slots[slot]! - 1;
    while (element >= 0 && own[element] !== key) {
      slot = (slot + 1) & mask;
      element = slots[slot]! - 1;
    }
    if (element < 0) {
      element = size++;
      first[element] = k;
      own[element] = key;
      slots[slot] = size;
    }
    map[k] = element;
  }
  return size;
}

/** Keys up to 2^53: the same on a hash of their halves. */
function numberWide(keys: Float64Array, map: Int32Array, first: Int32Array, own: Float64Array): number {
  const slots = new Int32Array(capacityFor(keys.length));
  const mask = slots.length - 1;
  let size = 0;
  for (let k = 0; k < keys.length; k++) {
    const key = keys[k]!;
    const high = Math.floor(key / 4294967296);
    const hash = Math.imul((key % 4294967296) | 0, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b);
    let slot = (hash ^ (hash >>> 15)) & mask;
    let element = slots[slot]! - 1;
    while (element >= 0 && own[element] !== key) {
      slot = (slot + 1) & mask;
      element = slots[slot]! - 1;
    }
    if (element < 0) {
      element = size++;
      first[element] = k;
      own[element] = key;
      slots[slot] = size;
    }
    map[k] = element;
  }
  return size;
}

function capacityFor(keys: number): number {
  let capacity = 16;
  while (capacity < 2 * keys) capacity *= 2;
  return capacity;
}

export function bits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest > 0; rest &= rest - 1) count++;
  return count;
}
