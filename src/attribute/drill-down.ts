/** One dimension at a time: did every value move alike, is the change concentrated, and where, or can neither be told? */
import { chiSquareTail } from './chi-square.ts';
import type { Cuboid } from './lattice.ts';
import { firstLeaf } from './lattice.ts';
import type { DimensionDrillDown, LeafTable } from './types.ts';

/** Concentrated: the hypothesis that all values of a dimension moved alike is rejected at this level. */
const SIGNIFICANCE = 1e-3;
/** Even: it is not in doubt at this level either, and the test would have told the change of any one value alone. */
const DOUBT = 0.05;
const SHOWN = 5;
/** A whole that moved: beyond this many standard deviations and this relative deviation. */
const MOVED_Z = 4;
const MOVED_DEVIATION = 0.1;

export interface DrillDowns {
  readonly dimensions: readonly DimensionDrillDown[];
  /** Deviation of the whole. */
  readonly common: number;
  /** The whole moved, and no dimension tells any part of it apart. */
  readonly even: boolean;
}

/**
 * Chi-square test of one common deviation over the values of each dimension. Cost: O(Σ elements).
 * @param single  per cuboid of one dimension: Σwd, Σw, Σ(v−f) of each element, interleaved
 */
export function drillDowns(
  table: LeafTable,
  cuboids: readonly Cuboid[],
  single: readonly (Float64Array | undefined)[],
): DrillDowns {
  const dimensions: DimensionDrillDown[] = [];
  let common = 0;
  let moved = false;
  cuboids.forEach((cuboid, c) => {
    const {
      size,
      dimensions: [d],
    } = cuboid;
    const sums = single[c];
    if (sums === undefined || d === undefined) return;
    let B = 0;
    let C = 0;
    let total = 0;
    for (let s = 0; s < sums.length; s += 3) {
      B += sums[s]!;
      C += sums[s + 1]!;
      total += Math.abs(sums[s + 2]!);
    }
    common = C > 0 ? B / C : 0;
    let chi = 0;
    let values = 0;
    let largest = 0;
    for (let s = 0; s < sums.length; s += 3) {
      if (!(sums[s + 1]! > 0)) continue;
      values++;
      largest = Math.max(largest, sums[s + 1]!);
      chi += (sums[s]! - common * sums[s + 1]!) ** 2 / sums[s + 1]!;
    }
    moved ||= C > 0 && Math.abs(B) / Math.sqrt(C) > MOVED_Z;
    const pValue = values > 1 ? chiSquareTail(chi, values - 1) : 1;
    // The statistic, had the value with the most weight moved alone: the hardest to tell from a common move.
    const alone = C > 0 ? (B * B) / largest - (B * B) / C : 0;
    const isTold = values > 1 && pValue >= DOUBT && chiSquareTail(alone, values - 1) < SIGNIFICANCE;
    dimensions.push({
      dimension: table.dimensions[d]!,
      verdict: pValue < SIGNIFICANCE ? 'concentrated' : isTold ? 'even' : 'unclear',
      pValue,
      values: [...Array(size).keys()]
        .map((e) => ({
          value: table.values[d]![table.codes[d]![firstLeaf(cuboid, e)]!]!,
          share: total > 0 ? Math.abs(sums[3 * e + 2]!) / total : 0,
        }))
        .sort((a, b) => b.share - a.share || (a.value < b.value ? -1 : 1))
        .slice(0, SHOWN),
    });
  });
  dimensions.sort((a, b) => a.pValue - b.pValue || (a.dimension < b.dimension ? -1 : 1));
  const several = dimensions.filter(({ values }) => values.length > 1);
  const even = several.length > 0 && several.every(({ verdict }) => verdict !== 'concentrated');
  return { dimensions, common, even: moved && even && Math.abs(common) >= MOVED_DEVIATION };
}
