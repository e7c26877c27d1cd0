/** What the scan found -> elements, drill-downs and a verdict. */
import type { Candidate } from './candidate.ts';
import type { Causes } from './causes.ts';
import { drillDowns } from './drill-down.ts';
import type { Cuboid } from './lattice.ts';
import { firstLeaf } from './lattice.ts';
import type { Noise } from './noise.ts';
import type { RateMix } from './normalise.ts';
import type { Found } from './scan.ts';
import type { ScanInput } from './sums.ts';
import type { AttributedElement, AttributionResult, ElementTerm, LeafTable, Measure } from './types.ts';

/** Leaves outside the found element move with the whole when they deviate at least this share of it. */
const REST_MOVES = 0.5;

/** Confidence: chosen on even dev cases, measured on odd ones. */
const CONFIDENT_STATISTIC = 30;
const HEAVY_CONFIDENCE = 0.95;
const RIVAL_FROM = 0.5;
const RIVAL_COST = 0.7;

/** Leaves with events, weighed, and the lattice over them. */
export interface Prepared {
  readonly table: LeafTable;
  readonly input: ScanInput;
  readonly noise: Noise;
  /** Leaf -> row of the table it was taken from; undefined: every row was. */
  readonly rowOf: Uint32Array | undefined;
}

export function judge(
  { table, input, rowOf }: Prepared,
  measure: Measure,
  { scan: { found, single }, accepted }: Causes,
  parts: RateMix | null,
): AttributionResult {
  const { causes, sizes, abnormal, explained, heavyTails } = accepted;
  const { dimensions, common, even } = drillDowns(table, input.cuboids, single);
  const result = { measure, dimensions, split: null, commonDeviation: common, heavyTails } as const;
  if (even && restMoved(input, found[0]?.members, common)) return { ...result, verdict: 'global', elements: [] };
  if (causes.length === 0 && abnormal === 0) return { ...result, verdict: 'no-change', elements: [] };
  if (causes.length === 0 || !explained) return { ...result, verdict: 'external', elements: [] };
  const elements = causes
    .map((one, k) => ({
      ...element(table, input, one, abnormal > 0 ? sizes[k]! / abnormal : 0, heavyTails),
      ...(parts === null ? {} : { split: splitOf(parts, one.members, rowOf) }),
    }))
    .sort((a, b) => b.share - a.share || compareTerms(a.terms, b.terms));
  return { ...result, verdict: 'elements', elements };
}

function element(
  table: LeafTable,
  { cuboids, v, f }: ScanInput,
  found: Found,
  share: number,
  heavyTails: boolean,
): AttributedElement {
  let actual = 0;
  let expected = 0;
  for (const i of found.members) {
    actual += v[i]!;
    expected += f[i]!;
  }
  const { runnerUp, deviation, leaves, purity } = found;
  const statistic = found.gain - found.penalty;
  return {
    terms: termsOf(table, cuboids, found),
    deviation,
    share,
    statistic,
    purity,
    confidence: confidenceOf(
      statistic,
      purity,
      heavyTails ? Math.min(1, (runnerUp?.score ?? 0) / found.score) : undefined,
    ),
    actual,
    expected,
    leaves,
    ...(runnerUp === undefined
      ? {}
      : {
          runnerUp: {
            terms: termsOf(table, cuboids, runnerUp),
            purity: runnerUp.purity,
            scoreRatio: runnerUp.score / found.score,
          },
        }),
  };
}

/**
 * How often such an element is the labelled one (docs/attribution.md): it grows with the likelihood beyond its price, and
 * where healthy leaves break the noise model (`rival` given: the runner-up's share of the score) near ties are not told.
 */
function confidenceOf(statistic: number, purity: number, rival: number | undefined): number {
  const known = purity * (1 - Math.exp(-statistic / CONFIDENT_STATISTIC));
  return rival === undefined ? known : known * (HEAVY_CONFIDENCE - RIVAL_COST * Math.max(0, rival - RIVAL_FROM));
}

function splitOf(parts: RateMix, members: Int32Array, rowOf: Uint32Array | undefined): { rate: number; mix: number } {
  let rate = 0;
  let mix = 0;
  for (const i of members) {
    const row = rowOf === undefined ? i : rowOf[i]!;
    rate += parts.leafRate[row]!;
    mix += parts.leafMix[row]!;
  }
  return { rate, mix };
}

export function termsOf(
  table: LeafTable,
  cuboids: readonly Cuboid[],
  { cuboid, element: e }: Pick<Candidate, 'cuboid' | 'element'>,
): ElementTerm[] {
  const { dimensions } = cuboids[cuboid]!;
  const leaf = firstLeaf(cuboids[cuboid]!, e);
  return dimensions.map((d) => ({
    dimension: table.dimensions[d]!,
    value: table.values[d]![table.codes[d]![leaf]!]!,
  }));
}

/** Do the leaves outside an element deviate as the whole does: the same way, at least half as far? */
function restMoved({ d, w }: ScanInput, members: Int32Array | undefined, common: number): boolean {
  if (members === undefined) return true;
  let B = 0;
  let C = 0;
  for (let i = 0; i < d.length; i++) {
    B += w[i]! * d[i]!;
    C += w[i]!;
  }
  for (const i of members) {
    B -= w[i]! * d[i]!;
    C -= w[i]!;
  }
  return C > 0 && (B / C) * Math.sign(common) >= REST_MOVES * Math.abs(common);
}

function compareTerms(a: readonly ElementTerm[], b: readonly ElementTerm[]): number {
  const text = (terms: readonly ElementTerm[]): string =>
    terms.map(({ dimension, value }) => `${dimension}=${value}`).join('&');
  return text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0;
}
