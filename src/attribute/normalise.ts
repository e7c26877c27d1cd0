/** A measure -> actual and expected value with the number of events behind each leaf, which drives its noise. */
import { RcaError } from '../model/errors.ts';
import { firstInBlocks, forBlocks } from './blocks.ts';
import type { LeafTable, Measure } from './types.ts';

export interface Normalised {
  /** Actual, expected, events per leaf; all >= 0. */
  readonly v: Float64Array;
  readonly f: Float64Array;
  readonly events: Float64Array;
  /** 2(f − v)/(f + v); 0 without either. */
  readonly d: Float64Array;
  /** Leaves with events. */
  readonly live: number;
}

/**
 * Ratios and means become fundamental: the expected numerator at the actual denominator, so that a change of mix alone
 * leaves v = f. Columns without negative numbers are passed on, not copied. Cost: O(leaves).
 */
export function normalise(table: LeafTable, measure: Measure): Normalised {
  const { actual, expected, actualDenominator: dv, expectedDenominator: df } = table;
  const rows = actual.length;
  const events = new Float64Array(rows);
  const d = new Float64Array(rows);
  if (measure === 'count' || measure === 'errors' || dv === undefined || df === undefined) {
    const live = compare(actual, expected, events, d);
    if (live >= 0) return { v: actual, f: expected, events, d, live };
    const v = nonNegative(actual);
    const f = nonNegative(expected);
    return { v, f, events, d, live: compare(v, f, events, d) };
  }
  const v = nonNegative(actual);
  const f = new Float64Array(rows);
  const totalDen = sum(df);
  const overall = totalDen > 0 ? sum(expected) / totalDen : 0;
  let live = 0;
  for (let i = 0; i < rows; i++) {
    const before = df[i]!;
    const now = dv[i]!;
    const rate = before > 0 ? expected[i]! / before : overall;
    f[i] = Math.max(0, rate * now);
    const pairs = now + before;
    const harmonic = pairs > 0 ? (2 * now * before) / pairs : 0;
    const sum = v[i]! + f[i]!;
    const own = measure === 'mean' ? harmonic : sum / 2;
    events[i] = own;
    if (own > 0) live++;
    d[i] = sum > 0 ? (2 * (f[i]! - v[i]!)) / sum : 0;
  }
  return { v, f, events, d, live };
}

/** Events and deviations; @returns leaves with events, −1 with any negative number. */
function compare(v: Float64Array, f: Float64Array, events: Float64Array, d: Float64Array): number {
  let live = 0;
  forBlocks(v.length, (from, to) => {
    const more = live < 0 ? -1 : compareRange(v, f, events, d, from, to);
    live = more < 0 ? -1 : live + more;
  });
  return live;
}

function compareRange(
  v: Float64Array,
  f: Float64Array,
  events: Float64Array,
  d: Float64Array,
  from: number,
  to: number,
): number {
  let live = 0;
  for (let i = from; i < to; i++) {
    const now = v[i]!;
    const before = f[i]!;
    if (!(now >= 0 && before >= 0)) return -1;
    const sum = now + before;
    events[i] = sum / 2;
    if (sum / 2 > 0) live++;
    d[i] = sum > 0 ? (2 * (before - now)) / sum : 0;
  }
  return live;
}

function isNonNegative(column: Float64Array): boolean {
  for (let i = 0; i < column.length; i++) if (!(column[i]! >= 0)) return false;
  return true;
}

function nonNegative(column: Float64Array): Float64Array {
  if (isNonNegative(column)) return column;
  const out = new Float64Array(column.length);
  for (let k = 0; k < out.length; k++) out[k] = Math.max(0, column[k]!);
  return out;
}

/**
 * @throws {RcaError} RCA_BAD_INPUT naming column and row: columns of different length, codes outside their dictionary,
 * numbers that are not finite
 * @returns per dimension 1 for each value that occurs
 */
export function checkTable(table: LeafTable): Uint8Array[] {
  const rows = table.actual.length;
  const bad = (what: string): RcaError => new RcaError('RCA_BAD_INPUT', `attribution table: ${what}`);
  const columns = {
    actual: table.actual,
    expected: table.expected,
    actualDenominator: table.actualDenominator,
    expectedDenominator: table.expectedDenominator,
  };
  if (table.dimensions.length === 0) throw bad('expected at least one dimension, found none');
  if ((table.actualDenominator === undefined) !== (table.expectedDenominator === undefined))
    throw bad('expected both denominators or none, found one');
  for (const [name, column] of Object.entries(columns)) {
    if (column === undefined) continue;
    if (column.length !== rows) throw bad(`column ${name}: expected ${rows} rows as in actual, found ${column.length}`);
    const i = firstInBlocks(rows, (from, to) => firstNotFinite(column, from, to));
    if (i < rows) throw bad(`column ${name}, row ${i}: expected a finite number, found ${column[i]}`);
  }
  return table.dimensions.map((name, d) => {
    const codes = table.codes[d];
    const size = table.values[d]?.length ?? 0;
    if (codes === undefined || codes.length !== rows)
      throw bad(`dimension ${name}: expected ${rows} codes, found ${codes?.length ?? 'none'}`);
    const used = new Uint8Array(size);
    const i = markUsed(codes, used);
    if (i < rows) throw bad(`dimension ${name}, row ${i}: expected a code below ${size}, found ${codes[i]}`);
    return used;
  });
}

function firstNotFinite(column: Float64Array, from: number, to: number): number {
  let i = from;
  while (i < to && column[i]! - column[i]! === 0) i++;
  return i;
}

/** @returns the first row with a code that has no place in it; their number: none has. */
function markUsed(codes: Uint32Array, used: Uint8Array): number {
  let all = false;
  return firstInBlocks(codes.length, (from, to) => {
    if (all) return firstAbove(codes, used.length, from, to);
    const at = mark(codes, used, from, to);
    all = !used.includes(0);
    return at;
  });
}

function mark(codes: Uint32Array, used: Uint8Array, from: number, to: number): number {
  let i = from;
  for (; i < to; i++) {
    const code = codes[i]!;
    if (code >= used.length) break;
    used[code] = 1;
  }
  return i;
}

function firstAbove(codes: Uint32Array, size: number, from: number, to: number): number {
  let i = from;
  while (i < to && codes[i]! < size) i++;
  return i;
}

/** The measure a table without one most likely holds. */
export function guessMeasure(table: LeafTable): Measure {
  const { actual, actualDenominator: den } = table;
  if (den === undefined) return 'count';
  for (let i = 0; i < actual.length; i++) if (actual[i]! > den[i]! * (1 + 1e-9)) return 'mean';
  return 'ratio';
}

/** Change of a ratio or mean, split exactly; per leaf the parts that sum to rate and mix. */
export interface RateMix {
  readonly change: number;
  readonly rate: number;
  readonly mix: number;
  readonly leafRate: Float64Array;
  readonly leafMix: Float64Array;
}

/**
 * Exact midpoint split of the change of a ratio or mean into change of rates and change of mix: rate + mix = change.
 * A leaf without traffic before takes its rate of now, and the other way round: appearing is mix. Cost: O(leaves).
 * @returns null without denominators or without any traffic before or now
 */
export function rateMix(table: LeafTable): RateMix | null {
  const { actual, expected, actualDenominator: dv, expectedDenominator: df } = table;
  if (dv === undefined || df === undefined) return null;
  const V = sum(dv);
  const F = sum(df);
  if (V <= 0 || F <= 0) return null;
  const before = sum(expected) / F;
  const now = sum(actual) / V;
  const leafRate = new Float64Array(actual.length);
  const leafMix = new Float64Array(actual.length);
  for (let i = 0; i < actual.length; i++) {
    const r0 = df[i]! > 0 ? expected[i]! / df[i]! : dv[i]! > 0 ? actual[i]! / dv[i]! : 0;
    const r1 = dv[i]! > 0 ? actual[i]! / dv[i]! : r0;
    const s0 = df[i]! / F;
    const s1 = dv[i]! / V;
    leafRate[i] = (r1 - r0) * ((s0 + s1) / 2);
    leafMix[i] = (s1 - s0) * ((r0 + r1) / 2 - (before + now) / 2);
  }
  const change = now - before;
  const mix = sum(leafMix);
  return { change, rate: change - mix, mix, leafRate, leafMix };
}

function sum(column: Float64Array): number {
  let total = 0;
  for (let i = 0; i < column.length; i++) total += column[i]!;
  return total;
}
