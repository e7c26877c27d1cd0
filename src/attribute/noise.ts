/**
 * The noise of a leaf's relative deviation: var(d) = σ² + φ/events, with a floor for rounding. σ² is the relative error
 * of the forecast, φ the over-dispersion of counts. Fitted on a low quantile of |d| in bins of equal event counts, since
 * up to half of the leaves may be abnormal.
 */

/** Bins of the fit, and the quantile of |d| read in each: of a normal law |d| at 30 % is 0.3853 σ. */
const BINS = 12;
const QUANTILE = 0.3;
const QUANTILE_SIGMA = 0.3853;
const MIN_SIGMA2 = 1e-6;
/** Counts scatter at least like this times Poisson. MULTIDIM section 11. */
export const COUNT_DISPERSION = 1.15;

export interface Noise {
  readonly sigma2: number;
  readonly dispersion: number;
}

/** @returns weight 1/var(d) of each leaf, and the fit. Cost: O(n log n). */
export function leafWeights(
  d: Float64Array,
  events: Float64Array,
  counts: boolean,
  known?: Noise | undefined,
): { weights: Float64Array; noise: Noise } {
  const live: number[] = [];
  for (let i = 0; i < d.length; i++) if (events[i]! > 0) live.push(i);
  const noise = known ?? fitNoise(d, events, live, counts);
  const weights = new Float64Array(d.length);
  for (const i of live) weights[i] = 1 / Math.min(4, noise.sigma2 + noise.dispersion / events[i]!);
  return { weights, noise };
}

function fitNoise(d: Float64Array, events: Float64Array, live: number[], counts: boolean): Noise {
  const floor = counts ? COUNT_DISPERSION : 0;
  if (live.length === 0) return { sigma2: MIN_SIGMA2, dispersion: floor };
  const order = [...live].sort((a, b) => events[a]! - events[b]! || a - b);
  const x: number[] = [];
  const y: number[] = [];
  const bins = Math.max(1, Math.min(BINS, Math.floor(order.length / 20)));
  for (let b = 0; b < bins; b++) {
    const part = order.slice(Math.floor((b * order.length) / bins), Math.floor(((b + 1) * order.length) / bins));
    const size = part.map((i) => Math.abs(d[i]!)).sort((a, z) => a - z);
    const q = size[Math.floor(QUANTILE * (size.length - 1))]! / QUANTILE_SIGMA;
    const inverse = part.reduce((sum, i) => sum + 1 / events[i]!, 0) / part.length;
    x.push(inverse);
    y.push(q * q);
  }
  // Relative least squares of y = σ² + φ·x with both terms non-negative.
  let best: Noise = { sigma2: Math.max(MIN_SIGMA2, median(y)), dispersion: floor };
  let bestLoss = loss(best, x, y);
  for (let step = 0; step <= 60; step++) {
    const dispersion = floor + (step === 0 ? 0 : 1e-3 * 1.25 ** step);
    const rest = y.map((value, k) => Math.max(MIN_SIGMA2, value - dispersion * x[k]!)).sort((a, z) => a - z);
    for (const sigma2 of [rest[0]!, median(rest), MIN_SIGMA2]) {
      const candidate = { sigma2, dispersion };
      const value = loss(candidate, x, y);
      if (value < bestLoss) [best, bestLoss] = [candidate, value];
    }
  }
  return best;
}

function loss(noise: Noise, x: readonly number[], y: readonly number[]): number {
  let sum = 0;
  for (let k = 0; k < x.length; k++) {
    const model = noise.sigma2 + noise.dispersion * x[k]!;
    sum += Math.abs(Math.log((y[k]! + MIN_SIGMA2) / (model + MIN_SIGMA2)));
  }
  return sum;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
