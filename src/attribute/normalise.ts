/** A measure -> actual and expected value with the number of events behind each leaf, which drives its noise. */
import { RcaError } from '../model/errors.ts';
import type { LeafTable, Measure } from './types.ts';

export interface Normalised {
  /** Actual, expected, events per leaf; all >= 0. */
  readonly v: Float64Array;
  readonly f: Float64Array;
  readonly events: Float64Array;
}

/**
 * Ratios and means become fundamental: the expected numerator at the actual denominator, so that a change of mix alone
 * leaves v = f. Cost: O(leaves).
 */
export function normalise(table: LeafTable, measure: Measure): Normalised {
  const rows = table.actual.length;
  const v = new Float64Array(rows);
  const f = new Float64Array(rows);
  const events = new Float64Array(rows);
  const { actualDenominator: dv, expectedDenominator: df } = table;
  if (measure === 'count' || measure === 'errors' || dv === undefined || df === undefined) {
    for (let i = 0; i < rows; i++) {
      v[i] = Math.max(0, table.actual[i]!);
      f[i] = Math.max(0, table.expected[i]!);
      events[i] = (v[i]! + f[i]!) / 2;
    }
    return { v, f, events };
  }
  let totalNum = 0;
  let totalDen = 0;
  for (let i = 0; i < rows; i++) {
    totalNum += table.expected[i]!;
    totalDen += df[i]!;
  }
  const overall = totalDen > 0 ? totalNum / totalDen : 0;
  for (let i = 0; i < rows; i++) {
    const rate = df[i]! > 0 ? table.expected[i]! / df[i]! : overall;
    v[i] = Math.max(0, table.actual[i]!);
    f[i] = Math.max(0, rate * dv[i]!);
    const pairs = dv[i]! + df[i]!;
    const harmonic = pairs > 0 ? (2 * dv[i]! * df[i]!) / pairs : 0;
    events[i] = measure === 'mean' ? harmonic : (v[i]! + f[i]!) / 2;
  }
  return { v, f, events };
}

/**
 * @throws {RcaError} RCA_BAD_INPUT naming column and row: columns of different length, codes outside their dictionary,
 * numbers that are not finite
 */
export function checkTable(table: LeafTable): void {
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
    for (let i = 0; i < rows; i++)
      if (!Number.isFinite(column[i]!))
        throw bad(`column ${name}, row ${i}: expected a finite number, found ${column[i]}`);
  }
  table.dimensions.forEach((name, d) => {
    const codes = table.codes[d];
    const size = table.values[d]?.length ?? 0;
    if (codes === undefined || codes.length !== rows)
      throw bad(`dimension ${name}: expected ${rows} codes, found ${codes?.length ?? 'none'}`);
    for (let i = 0; i < rows; i++)
      if (codes[i]! >= size) throw bad(`dimension ${name}, row ${i}: expected a code below ${size}, found ${codes[i]}`);
  });
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
  const sum = (column: Float64Array): number => column.reduce((total, x) => total + x, 0);
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
