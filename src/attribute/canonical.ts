/**
 * One order for every table: dimensions by name, values by code unit, leaves by their codes, equal leaves summed. What
 * follows sums in this order, so that the order of rows and columns cannot change a single bit of the answer.
 */
import { compareNames } from '../model/entity.ts';
import { firstInBlocks, forBlocks } from './blocks.ts';
import { checkTable } from './normalise.ts';
import type { LeafTable } from './types.ts';

/** Mixed-radix keys of the rows below this are sorted as integers; above, dimension by dimension. */
const NARROW_CELLS = 2 ** 31;
/** Cells numbered in one table, at least, and per row; more are sorted by digits of so many bits. */
const ONE_TABLE_CELLS = 1 << 16;
const ONE_TABLE_PER_ROW = 4;
const DIGIT_BITS = 11;

/** What is in canonical order. */
export interface CanonicalTable extends LeafTable {
  /** Per leaf its codes as one mixed-radix number over the sizes of the dictionaries, below 2^31; absent: not computed. */
  readonly keys?: Int32Array;
}

/**
 * Columns that are as they should be are passed on, not copied. Cost: O(rows · dimensions), with a key below 2^31 one or
 * a few counting passes, else one per dimension. Rows of nothing but zeros may be left out.
 * @param used  per dimension 1 for each value that occurs, as `checkTable` returns it
 */
export function canonical(table: LeafTable, used: readonly Uint8Array[] = checkTable(table)): CanonicalTable {
  const order = [...table.dimensions.keys()].sort((a, b) => compareNames(table.dimensions[a]!, table.dimensions[b]!));
  const dimensions = order.map((d) => table.dimensions[d]!);
  const ranks = order.map((d) => rank(table.values[d]!, used[d]!));
  const values = ranks.map(({ sorted }) => sorted);
  const codes = order.map((d) => table.codes[d]!);
  const rows = table.actual.length;
  const radix = values.map(({ length }) => length);
  const cells = radix.reduce((product, size) => product * size, 1);
  if (cells >= NARROW_CELLS) {
    const ranked = codes.map((column, d) => (ranks[d]!.same ? column : translate(column, ranks[d]!.map)));
    let at = identity(rows);
    for (let d = ranked.length - 1; d >= 0; d--) at = countingSort(at, ranked[d]!, radix[d]!);
    return gather({ ...table, dimensions, values, codes: ranked }, at, startsOf(ranked, at));
  }
  const keys = new Int32Array(rows);
  const digitOf = (d: number): Digit | undefined =>
    d < codes.length ? { codes: codes[d]!, map: ranks[d]!.map, radix: radix[d]! } : undefined;
  for (let d = 0; d < codes.length; d += 2) {
    const [one, other] = [digitOf(d), digitOf(d + 1)];
    forBlocks(rows, (from, to) =>
      other === undefined ? addDigit(keys, one!, from, to) : addDigits(keys, one!, other, from, to),
    );
  }
  if (ranks.every(({ same }) => same) && increasing(keys)) return { ...table, dimensions, values, codes, keys };
  if (cells > Math.max(ONE_TABLE_CELLS, ONE_TABLE_PER_ROW * rows)) {
    const ranked = codes.map((column, d) => (ranks[d]!.same ? column : translate(column, ranks[d]!.map)));
    const at = sortByKey(keys, cells);
    return gather({ ...table, dimensions, values, codes: ranked }, at, startsOf([keys], at));
  }
  return spread({ ...table, dimensions, values }, keys, cells, radix);
}

/** A column, where its codes are in the order of the values, and how many there are. */
interface Digit {
  readonly codes: Uint32Array;
  readonly map: Uint32Array;
  readonly radix: number;
}

function addDigit(keys: Int32Array, { codes, map, radix }: Digit, from: number, to: number): void {
  for (let i = from; i < to; i++) keys[i] = Math.imul(keys[i]!, radix) + map[codes[i]!]!;
}

function addDigits(keys: Int32Array, one: Digit, other: Digit, from: number, to: number): void {
  const { codes, map } = one;
  const { codes: others, map: otherMap, radix } = other;
  const both = one.radix * radix;
  for (let i = from; i < to; i++)
    keys[i] = Math.imul(keys[i]!, both) + Math.imul(map[codes[i]!]!, radix) + otherMap[others[i]!]!;
}

/**
 * Leaves by a table of all cells: those with a number other than 0 are numbered in order, and the rows of each added up
 * in theirs.
 */
function spread(table: LeafTable, keys: Int32Array, cells: number, radix: readonly number[]): CanonicalTable {
  const { actualDenominator, expectedDenominator } = table;
  const leafOf = new Int32Array(cells);
  const mark = (one: Float64Array, other: Float64Array): void =>
    forBlocks(keys.length, (from, to) => markCells(keys, one, other, leafOf, from, to));
  mark(table.actual, table.expected);
  if (actualDenominator !== undefined && expectedDenominator !== undefined)
    mark(actualDenominator, expectedDenominator);
  const found = number(leafOf, keys.length);
  const sum = (column: Float64Array): Float64Array => {
    const out = new Float64Array(found.length);
    if (out.length > 0) forBlocks(keys.length, (from, to) => addByCell(column, keys, leafOf, out, from, to));
    return out;
  };
  const numbers = {
    actual: sum(table.actual),
    expected: sum(table.expected),
    ...(actualDenominator === undefined ? {} : { actualDenominator: sum(actualDenominator) }),
    ...(expectedDenominator === undefined ? {} : { expectedDenominator: sum(expectedDenominator) }),
  };
  const codes: Uint32Array[] = [];
  const rest = found.slice();
  for (let d = radix.length - 1; d >= 0; d--) {
    const out = new Uint32Array(rest.length);
    codes[d] = out;
    forBlocks(rest.length, (from, to) => takeDigit(rest, radix[d]!, out, from, to));
  }
  return { ...table, codes, keys: found, ...numbers };
}

function markCells(
  keys: Int32Array,
  one: Float64Array,
  other: Float64Array,
  cells: Int32Array,
  from: number,
  to: number,
): void {
  // Without branches, here and where marks are numbered: which rows are empty cannot be foretold.
  for (let i = from; i < to; i++) {
    const key = keys[i]!;
    cells[key] = cells[key]! | Number(one[i] !== 0) | Number(other[i] !== 0);
  }
}

/** Marked cells become their number, others 0; @returns the cells of the numbers. */
function number(cells: Int32Array, atMost: number): Int32Array {
  const found = new Int32Array(Math.min(cells.length, atMost) + 1);
  let leaves = 0;
  forBlocks(cells.length, (from, to) => {
    leaves = numberMarked(cells, found, leaves, from, to);
  });
  return found.slice(0, leaves);
}

function numberMarked(cells: Int32Array, found: Int32Array, before: number, from: number, to: number): number {
  let leaves = before;
  for (let cell = from; cell < to; cell++) {
    const one = cells[cell]!;
    cells[cell] = Math.imul(one, leaves);
    found[leaves] = cell;
    leaves += one;
  }
  return leaves;
}

/** Zeros of cells that were not marked are added to the first leaf. */
function addByCell(
  column: Float64Array,
  keys: Int32Array,
  leafOf: Int32Array,
  out: Float64Array,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const leaf = leafOf[keys[i]!]!;
    out[leaf] = out[leaf]! + column[i]!;
  }
}

/** The last digit goes out; division by multiplication, exact for keys below 2^31 as `lattice.ts` explains. */
function takeDigit(keys: Int32Array, radix: number, out: Uint32Array, from: number, to: number): void {
  const inverse = 1 / radix;
  for (let k = from; k < to; k++) {
    const high = ((keys[k]! + 0.5) * inverse) | 0;
    out[k] = keys[k]! - high * radix;
    keys[k] = high;
  }
}

function increasing(keys: Int32Array): boolean {
  return firstInBlocks(keys.length, (from, to) => firstFall(keys, from, to)) === keys.length;
}

function firstFall(keys: Int32Array, from: number, to: number): number {
  let i = Math.max(1, from);
  while (i < to && keys[i - 1]! < keys[i]!) i++;
  return i;
}

function identity(rows: number): Uint32Array<ArrayBuffer> {
  const at = new Uint32Array(rows);
  for (let i = 0; i < rows; i++) at[i] = i;
  return at;
}

/** Where a leaf begins in this order of rows: with another key, or another code of any dimension. */
function startsOf(columns: readonly (Uint32Array | Int32Array)[], at: Uint32Array): Uint32Array {
  const starts = new Uint8Array(at.length);
  for (const column of columns) markStarts(column, at, starts);
  const first = new Uint32Array(countOnes(starts));
  onesOf(starts, first);
  return first;
}

function countOnes(marks: Uint8Array): number {
  let count = 0;
  for (let k = 0; k < marks.length; k++) count += marks[k]!;
  return count;
}

function onesOf(marks: Uint8Array, out: Uint32Array): void {
  for (let k = 0, n = 0; n < out.length; k++) if (marks[k] === 1) out[n++] = k;
}

function markStarts(column: Uint32Array | Int32Array, at: Uint32Array, starts: Uint8Array): void {
  let before = -1;
  for (let k = 0; k < at.length; k++) {
    const own = column[at[k]!]!;
    if (own !== before) starts[k] = 1;
    before = own;
  }
}

/** Rows in this order, those of one leaf summed. */
function gather(table: LeafTable, at: Uint32Array, first: Uint32Array): LeafTable {
  const sum = (column: Float64Array): Float64Array => sumRuns(column, at, first);
  const { actualDenominator, expectedDenominator } = table;
  return {
    ...table,
    codes: table.codes.map((codes) => pick(codes, at, first)),
    actual: sum(table.actual),
    expected: sum(table.expected),
    ...(actualDenominator === undefined ? {} : { actualDenominator: sum(actualDenominator) }),
    ...(expectedDenominator === undefined ? {} : { expectedDenominator: sum(expectedDenominator) }),
  };
}

function pick(codes: Uint32Array, at: Uint32Array, first: Uint32Array): Uint32Array {
  const out = new Uint32Array(first.length);
  for (let k = 0; k < out.length; k++) out[k] = codes[at[first[k]!]!]!;
  return out;
}

function sumRuns(column: Float64Array, at: Uint32Array, first: Uint32Array): Float64Array {
  const out = new Float64Array(first.length);
  for (let k = 0; k < out.length; k++) {
    const end = k + 1 < out.length ? first[k + 1]! : at.length;
    let sum = 0;
    for (let j = first[k]!; j < end; j++) sum += column[at[j]!]!;
    out[k] = sum;
  }
  return out;
}

interface Ranks {
  /** Values that occur, sorted. */
  readonly sorted: readonly string[];
  /** Code -> place among them. Equal strings have one. */
  readonly map: Uint32Array;
  /** Every code is its place. */
  readonly same: boolean;
}

function rank(values: readonly string[], used: Uint8Array): Ranks {
  if (used.every((one) => one === 1) && ascending(values))
    return { sorted: values, map: Uint32Array.from(values.keys()), same: true };
  const sorted = [...new Set(values.filter((_, code) => used[code] === 1))].sort(compareNames);
  const to = new Map(sorted.map((value, index) => [value, index]));
  return { sorted, map: Uint32Array.from(values, (value) => to.get(value) ?? 0), same: false };
}

function translate(codes: Uint32Array, map: Uint32Array): Uint32Array {
  const out = new Uint32Array(codes.length);
  for (let i = 0; i < out.length; i++) out[i] = map[codes[i]!]!;
  return out;
}

function ascending(values: readonly string[]): boolean {
  for (let k = 1; k < values.length; k++) if (compareNames(values[k - 1]!, values[k]!) >= 0) return false;
  return true;
}

/** Stable order of the keys, by their digits from the last. */
function sortByKey(keys: Int32Array, cells: number): Uint32Array {
  let order = identity(keys.length);
  for (let shift = 0; cells > 2 ** shift; shift += DIGIT_BITS)
    order = sortByDigit(order, keys, shift, 1 << DIGIT_BITS, (1 << DIGIT_BITS) - 1);
  return order;
}

function sortByDigit(
  at: Uint32Array<ArrayBuffer>,
  keys: Int32Array,
  shift: number,
  size: number,
  mask: number,
): Uint32Array<ArrayBuffer> {
  const start = new Uint32Array(size + 1);
  countDigits(keys, shift, mask, start);
  accumulate(start);
  const out = new Uint32Array(at.length);
  place(at, keys, shift, mask, start, out);
  return out;
}

function countDigits(keys: Int32Array, shift: number, mask: number, counts: Uint32Array): void {
  for (let i = 0; i < keys.length; i++) {
    const digit = (keys[i]! >>> shift) & mask;
    counts[digit + 1] = counts[digit + 1]! + 1;
  }
}

function accumulate(counts: Uint32Array): void {
  for (let k = 1; k < counts.length; k++) counts[k] = counts[k]! + counts[k - 1]!;
}

function place(
  at: Uint32Array,
  keys: Int32Array,
  shift: number,
  mask: number,
  start: Uint32Array,
  out: Uint32Array,
): void {
  for (let k = 0; k < at.length; k++) {
    const row = at[k]!;
    const digit = (keys[row]! >>> shift) & mask;
    const to = start[digit]!;
    out[to] = row;
    start[digit] = to + 1;
  }
}

function countingSort(at: Uint32Array<ArrayBuffer>, keys: Uint32Array, size: number): Uint32Array<ArrayBuffer> {
  let sorted = true;
  for (let k = 1; k < at.length && sorted; k++) sorted = keys[at[k - 1]!]! <= keys[at[k]!]!;
  if (sorted) return at;
  const start = new Uint32Array(size + 1);
  for (let i = 0; i < keys.length; i++) start[keys[i]! + 1] = start[keys[i]! + 1]! + 1;
  for (let k = 0; k < size; k++) start[k + 1] = start[k + 1]! + start[k]!;
  const out = new Uint32Array(at.length);
  for (let k = 0; k < at.length; k++) {
    const key = keys[at[k]!]!;
    out[start[key]!] = at[k]!;
    start[key] = start[key]! + 1;
  }
  return out;
}
