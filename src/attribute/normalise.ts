/** A measure -> actual and expected value with the number of events behind each leaf, which drives its noise. */
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

/** The measure a table without one most likely holds. */
export function guessMeasure(table: LeafTable): Measure {
  const { actual, actualDenominator: den } = table;
  if (den === undefined) return 'count';
  for (let i = 0; i < actual.length; i++) if (actual[i]! > den[i]! * (1 + 1e-9)) return 'mean';
  return 'ratio';
}

/** Exact midpoint split of the change of a ratio or mean into change of rates and change of mix. */
export function rateMix(table: LeafTable): { change: number; rate: number; mix: number } | null {
  const { actual, expected, actualDenominator: dv, expectedDenominator: df } = table;
  if (dv === undefined || df === undefined) return null;
  const sum = (column: Float64Array): number => column.reduce((total, x) => total + x, 0);
  const V = sum(dv);
  const F = sum(df);
  if (V <= 0 || F <= 0) return null;
  const before = sum(expected) / F;
  const now = sum(actual) / V;
  let mix = 0;
  for (let i = 0; i < actual.length; i++) {
    const r0 = df[i]! > 0 ? expected[i]! / df[i]! : dv[i]! > 0 ? actual[i]! / dv[i]! : 0;
    const r1 = dv[i]! > 0 ? actual[i]! / dv[i]! : r0;
    mix += (dv[i]! / V - df[i]! / F) * ((r0 + r1) / 2 - (before + now) / 2);
  }
  const change = now - before;
  return { change, rate: change - mix, mix };
}
