/** What the scan found -> elements, drill-downs and a verdict. */
import { chiSquareTail } from './chi-square.ts';
import { bits, rollUp, WIDTH } from './lattice.ts';
import type { Found, ScanInput } from './scan.ts';
import { abnormalChange, leafSums } from './scan.ts';
import type {
  AttributedElement,
  AttributionResult,
  DimensionDrillDown,
  ElementTerm,
  LeafTable,
  Measure,
} from './types.ts';

/** Causes with less than this share of the largest one's change are ripples of it. */
const MIN_OF_LARGEST = 0.02;
/** Below this share of the abnormal change explained, what moved is in no recorded dimension. */
const MIN_EXPLAINED = 0.5;
/** A dimension is even when this hypothesis is not rejected. */
const SIGNIFICANCE = 1e-3;

export function judge(
  table: LeafTable,
  measure: Measure,
  input: ScanInput,
  found: readonly Found[],
): AttributionResult {
  const abnormal = abnormalChange(input);
  const largest = Math.max(0, ...found.map(({ change }) => Math.abs(change)));
  const kept = found.filter(({ change }) => Math.abs(change) >= MIN_OF_LARGEST * largest);
  const elements = kept
    .map((one) => element(table, input, one, abnormal))
    .sort((a, b) => b.share - a.share || compareTerms(a.terms, b.terms));
  const { dimensions, common, even } = drillDowns(table, input);
  const explained = abnormal > 0 ? kept.reduce((sum, one) => sum + abnormalInside(input, one), 0) / abnormal : 1;
  if (even) return { measure, verdict: 'global', elements: [], dimensions, split: null, commonDeviation: common };
  if (elements.length === 0 && abnormal === 0)
    return { measure, verdict: 'no-change', elements, dimensions, split: null, commonDeviation: common };
  if (elements.length === 0 || explained < MIN_EXPLAINED)
    return { measure, verdict: 'external', elements: [], dimensions, split: null, commonDeviation: common };
  return { measure, verdict: 'elements', elements, dimensions, split: null, commonDeviation: common };
}

function abnormalInside({ d, w, v, f }: ScanInput, { members }: Found): number {
  let sum = 0;
  for (const i of members) if (w[i]! * d[i]! * d[i]! > 16) sum += Math.abs(v[i]! - f[i]!);
  return sum;
}

function element(table: LeafTable, { cuboids, v, f }: ScanInput, found: Found, abnormal: number): AttributedElement {
  const { dimensions, example } = cuboids[found.cuboid]!;
  const leaf = example[found.element]!;
  const terms: ElementTerm[] = dimensions.map((d) => ({
    dimension: table.dimensions[d]!,
    value: table.values[d]![table.codes[d]![leaf]!]!,
  }));
  let actual = 0;
  let expected = 0;
  for (const i of found.members) {
    actual += v[i]!;
    expected += f[i]!;
  }
  const statistic = found.gain - found.penalty;
  return {
    terms,
    deviation: found.deviation,
    share: abnormal > 0 ? Math.min(1, Math.abs(found.change) / abnormal) : 0,
    statistic,
    confidence: found.purity * (1 - Math.exp(-statistic / 4)),
    actual,
    expected,
    leaves: found.leaves,
  };
}

function compareTerms(a: readonly ElementTerm[], b: readonly ElementTerm[]): number {
  const text = (terms: readonly ElementTerm[]): string =>
    terms.map(({ dimension, value }) => `${dimension}=${value}`).join('&');
  return text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0;
}

/** Per dimension: is the deviation the same for every value (chi-square), and which values carry the change? */
function drillDowns(
  table: LeafTable,
  input: ScanInput,
): { dimensions: DimensionDrillDown[]; common: number; even: boolean } {
  const buffers: Float64Array[] = [];
  rollUp(input.cuboids, leafSums(input), buffers);
  const dimensions: DimensionDrillDown[] = [];
  let common = 0;
  let moved = false;
  input.cuboids.forEach(({ mask, size, dimensions: [d], example }, c) => {
    if (bits(mask) !== 1 || d === undefined) return;
    const sums = buffers[c]!;
    let B = 0;
    let C = 0;
    let total = 0;
    for (let e = 0, s = 0; e < size; e++, s += WIDTH) {
      B += sums[s + 1]!;
      C += sums[s + 2]!;
      total += Math.abs(sums[s + 7]!);
    }
    common = C > 0 ? B / C : 0;
    let chi = 0;
    for (let e = 0, s = 0; e < size; e++, s += WIDTH) {
      if (sums[s + 2]! > 0) chi += (sums[s + 1]! - common * sums[s + 2]!) ** 2 / sums[s + 2]!;
    }
    const pValue = size > 1 ? chiSquareTail(chi, size - 1) : 1;
    moved ||= Math.abs(B) / Math.sqrt(Math.max(C, 1e-9)) > 4;
    const values = [...Array(size).keys()]
      .map((e) => ({
        value: table.values[d]![table.codes[d]![example[e]!]!]!,
        share: total > 0 ? Math.abs(sums[e * WIDTH + 7]!) / total : 0,
      }))
      .sort((a, b) => b.share - a.share || (a.value < b.value ? -1 : 1))
      .slice(0, 5);
    dimensions.push({
      dimension: table.dimensions[d]!,
      verdict: pValue < SIGNIFICANCE ? 'concentrated' : 'even',
      values,
      pValue,
    });
  });
  dimensions.sort((a, b) => a.pValue - b.pValue || (a.dimension < b.dimension ? -1 : 1));
  const several = dimensions.filter(({ values }) => values.length > 1);
  return {
    dimensions,
    common,
    even: moved && Math.abs(common) >= 0.1 && several.length > 0 && several.every(({ verdict }) => verdict === 'even'),
  };
}
