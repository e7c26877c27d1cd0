/**
 * The noise of a leaf's relative deviation: var(d) = σ² + φ/events. σ² is the relative error of the forecast, φ the
 * over-dispersion of counts. Noise falls on both sides of 0 alike and a fault seldom does: in octaves of event counts the
 * cleaner side's median of |d| is read, so that most of the leaves may be abnormal.
 */

/** Of a normal law, the median of |d| is 0.6745 σ. */
const MEDIAN_SIGMA = 0.6745;
const MIN_SIGMA2 = 1e-6;
/** No forecast is believed to be better than 5 %: huge leaves would outweigh all others. */
const TRUSTED_SIGMA2 = 0.0025;

/** A forecast wrong by half of its value is none: more is taken for change, not for noise. */
const MAX_SIGMA2 = 0.25;
/** Leaves of one side an octave needs to be read, and leaves of it that are looked at. */
const MIN_SIDE = 3;
const SAMPLE = 2048;
/** Deviations end at 2: where their spread comes near, it says nothing. */
const SATURATED = 1;
const PARTS = 4;
const OCTAVES = 64 * PARTS;
const FIRST_OCTAVE = -20;
const MIN_BIN = 20;
const BINS = 12;
/** Counts scatter at least like this times Poisson. MULTIDIM section 11. */
export const COUNT_DISPERSION = 1.15;

export interface Noise {
  readonly sigma2: number;
  readonly dispersion: number;
  /** Exponent of the events: 1 for independent ones; less when they come in bursts. */
  readonly power?: number;
}

/** @returns weight 1/var(d) of each leaf, 0 without events, and the fit. Cost: O(n). */
export function leafWeights(
  d: Float64Array,
  events: Float64Array,
  counts: boolean,
  known?: Noise | undefined,
): { weights: Float64Array; noise: Noise } {
  const noise = known ?? fitNoise(d, events, counts);
  const weights = new Float64Array(d.length);
  const { sigma2, dispersion, power = 1 } = noise;
  const poisson = counts ? COUNT_DISPERSION : 0;
  for (let i = 0; i < d.length; i++) {
    const n = events[i]!;
    if (!(n > 0)) continue;
    const burst = dispersion / (power === 1 ? n : n ** power);
    weights[i] = 1 / Math.max(Math.max(TRUSTED_SIGMA2, sigma2) + burst, poisson / n);
  }
  return { weights, noise };
}

function fitNoise(d: Float64Array, events: Float64Array, counts: boolean): Noise {
  const floor = counts ? COUNT_DISPERSION : 0;
  const bins = binsOf(events);
  const x: number[] = [];
  const y: number[] = [];
  const n: number[] = [];
  for (const leaves of bins) {
    const spread = cleanSpread(d, leaves);
    if (Number.isNaN(spread) || spread > SATURATED) continue;
    let inverse = 0;
    for (const i of leaves) inverse += 1 / events[i]!;
    x.push(inverse / leaves.length);
    y.push(spread * spread);
    n.push(Math.min(leaves.length, SAMPLE));
  }
  if (x.length === 0) return { sigma2: MIN_SIGMA2, dispersion: floor };
  return fitLine(x, y, n, floor);
}

/** Leaves with events in quarter octaves of their count, neighbours joined until each bin has enough. */
function binsOf(events: Float64Array): Int32Array[] {
  const at = new Uint16Array(events.length);
  const counts = new Int32Array(OCTAVES + 1);
  let live = 0;
  for (let i = 0; i < events.length; i++) {
    if (!(events[i]! > 0)) continue;
    const octave = octaveOf(events[i]!);
    at[i] = octave + 1;
    counts[octave + 1] = counts[octave + 1]! + 1;
    live++;
  }
  const enough = Math.max(MIN_BIN, live / BINS);
  const ends: number[] = [];
  let size = 0;
  for (let octave = 1; octave <= OCTAVES; octave++) {
    size += counts[octave]!;
    if (size < enough) continue;
    ends.push(octave);
    size = 0;
  }
  if (ends.length === 0) ends.push(OCTAVES);
  else if (size > 0) ends[ends.length - 1] = OCTAVES;
  const binOf = new Uint8Array(OCTAVES + 1);
  const sizes = ends.map(() => 0);
  for (let octave = 1, bin = 0; octave <= OCTAVES; octave++) {
    if (octave > ends[bin]! && bin + 1 < ends.length) bin++;
    binOf[octave] = bin;
    sizes[bin] = sizes[bin]! + counts[octave]!;
  }
  const bins = sizes.map((n) => new Int32Array(n));
  const filled = new Int32Array(bins.length);
  for (let i = 0; i < events.length; i++) {
    if (at[i] === 0) continue;
    const bin = binOf[at[i]!]!;
    bins[bin]![filled[bin]!] = i;
    filled[bin] = filled[bin]! + 1;
  }
  return bins;
}

function octaveOf(events: number): number {
  return Math.max(0, Math.min(OCTAVES - 1, Math.floor(PARTS * (Math.log2(events) - FIRST_OCTAVE))));
}

/** Scaled median of |d| on the side where it is smaller; NaN: too few leaves to tell. Zeros are half of either side. */
function cleanSpread(d: Float64Array, leaves: Int32Array): number {
  const step = Math.max(1, Math.ceil(leaves.length / SAMPLE));
  const sides: [number[], number[]] = [[], []];
  let zeros = 0;
  for (let k = 0; k < leaves.length; k += step) {
    const value = d[leaves[k]!]!;
    if (value === 0) zeros++;
    else sides[value > 0 ? 0 : 1].push(Math.abs(value));
  }
  let best = Number.NaN;
  for (const side of sides) {
    if (side.length + zeros / 2 < MIN_SIDE) continue;
    const sorted = Float64Array.from(side).sort();
    const rank = Math.floor((sorted.length - zeros / 2) / 2);
    const value = rank < 0 ? 0 : (sorted[rank] ?? 0) / MEDIAN_SIGMA;
    if (!(value >= best)) best = value;
  }
  return best;
}

/** Exponents tried; 1 is Poisson-like, 0.5 the burstiest traffic seen. */
const POWERS = [1, 0.8, 0.65, 0.5];
const COARSE = 2;
const FINE = [1 / 1.4, 1 / 1.2, 1, 1.2, 1.4] as const;
const DISPERSIONS = [0, ...Array.from({ length: 20 }, (_, k) => 1e-3 * COARSE ** k)];
const SIGMAS = Array.from({ length: 19 }, (_, k) => MIN_SIGMA2 * COARSE ** k);

/**
 * y = σ² + φ·x^power, both terms non-negative, least absolute log error weighted by leaves: a grid of factors of 2, then
 * one finer grid around its best. Cost: O(1,700 · bins).
 */
function fitLine(x: readonly number[], y: readonly number[], n: readonly number[], floor: number): Noise {
  const logs = y.map((value) => Math.log(value + MIN_SIGMA2));
  let best: Noise = { sigma2: MIN_SIGMA2, dispersion: floor, power: 1 };
  let bestLoss = Number.POSITIVE_INFINITY;
  const attempt = (sigma2: number, dispersion: number, power: number, scaled: readonly number[]): void => {
    let sum = 0;
    for (let k = 0; k < logs.length && sum < bestLoss; k++) {
      sum += n[k]! * Math.abs(logs[k]! - Math.log(sigma2 + dispersion * scaled[k]! + MIN_SIGMA2));
    }
    if (sum >= bestLoss * (1 - 1e-12)) return;
    best = { sigma2, dispersion, power };
    bestLoss = sum;
  };
  for (const power of POWERS) {
    const scaled = x.map((value) => value ** power);
    for (const more of DISPERSIONS) for (const sigma2 of SIGMAS) attempt(sigma2, floor + more, power, scaled);
  }
  const { sigma2, dispersion, power = 1 } = best;
  const scaled = x.map((value) => value ** power);
  for (const a of FINE) {
    for (const b of FINE) {
      attempt(Math.min(MAX_SIGMA2, sigma2 * a), floor + (dispersion - floor) * b, power, scaled);
    }
  }
  return best;
}
