/** Dimensional attribution: input and result. */

export const MEASURES = ['count', 'errors', 'ratio', 'mean'] as const;
export type Measure = (typeof MEASURES)[number];

/** A table of leaves: one row per combination of dimension values. Rows of the same combination are summed. */
export interface LeafTable {
  readonly dimensions: readonly string[];
  /** Per dimension: the dictionary of its values. */
  readonly values: readonly (readonly string[])[];
  /** Per dimension: one index into its dictionary per row. */
  readonly codes: readonly Uint32Array[];
  /** count, errors: actual and expected value. ratio, mean: actual and expected numerator (errors; duration sum). */
  readonly actual: Float64Array;
  readonly expected: Float64Array;
  /** ratio, mean only: actual and expected denominator (requests). */
  readonly actualDenominator?: Float64Array;
  readonly expectedDenominator?: Float64Array;
}

export const VERDICTS = ['elements', 'mix-shift', 'global', 'external', 'no-change'] as const;
export type AttributionVerdict = (typeof VERDICTS)[number];

export interface ElementTerm {
  readonly dimension: string;
  readonly value: string;
}

export interface AttributedElement {
  readonly terms: readonly ElementTerm[];
  /** Relative deviation 2(expected − actual)/(expected + actual), in [−2, 2]; > 0 is a drop, −2 a new value. */
  readonly deviation: number;
  /** Change of the element over the change of everything abnormal, 0..1. */
  readonly share: number;
  /** Likelihood gained by one common deviation of its leaves, nats, less the price of the search. */
  readonly statistic: number;
  /** 0..1, from the statistic and from how alike its leaves moved. */
  readonly confidence: number;
  /** Share of its leaves' deviation that one common deviation explains, 0..1. */
  readonly purity: number;
  readonly actual: number;
  readonly expected: number;
  readonly leaves: number;
  /** ratio, mean: its part of the change of the whole, by change of rates and of mix. */
  readonly split?: { readonly rate: number; readonly mix: number };
  /**
   * The next best element over other leaves, when there was one. A scoreRatio above 1: it scores more alone, less than
   * the causes that were named in its place together.
   */
  readonly runnerUp?: { readonly terms: readonly ElementTerm[]; readonly purity: number; readonly scoreRatio: number };
}

export interface DimensionDrillDown {
  readonly dimension: string;
  /** `unclear`: the numbers are too few or too noisy to tell a common move from one value's. */
  readonly verdict: 'even' | 'concentrated' | 'unclear';
  /** Values by share of the change, largest first, at most five. */
  readonly values: readonly { readonly value: string; readonly share: number }[];
  /** Of the hypothesis that every value moved alike. */
  readonly pValue: number;
}

export interface AttributionResult {
  readonly measure: Measure;
  readonly verdict: AttributionVerdict;
  readonly elements: readonly AttributedElement[];
  readonly dimensions: readonly DimensionDrillDown[];
  /** ratio, mean: the change of the whole split exactly; rate + mix = change. */
  readonly split: { readonly change: number; readonly rate: number; readonly mix: number } | null;
  /** Healthy leaves scatter more than the noise model knows: small elements were not named. */
  readonly heavyTails: boolean;
  /** Deviation of the whole. */
  readonly commonDeviation: number;
}
