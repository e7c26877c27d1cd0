/**
 * The noise of a leaf's relative deviation: var(d) = σ² + φ/events. σ² is the relative error of the forecast, φ the
 * over-dispersion of counts. Noise falls on both sides of 0 alike and a fault seldom does: in octaves of event counts the
 * cleaner side's median of |d| is read, so that most of the leaves may be abnormal.
 */
import { select } from './select.ts';

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

/**
 * @param events  per leaf; overwritten by the weights
 * @returns weight 1/var(d) of each leaf, 0 without events, and the fit. Cost: O(n).
 */
export function leafWeights(
  d: Float64Array,
  events: Float64Array,
  counts: boolean,
  known?: Noise | undefined,
): { weights: Float64Array; noise: Noise } {
  const noise = known ?? fitNoise(d, events, counts);
  const { sigma2, dispersion, power = 1 } = noise;
  const poisson = counts ? COUNT_DISPERSION : 0;
  const trusted = Math.max(TRUSTED_SIGMA2, sigma2);
  for (let i = 0; i < events.length; i++) {
    const n = events[i]!;
    const burst = dispersion / (power === 1 ? n : n ** power);
    events[i] = n > 0 ? 1 / Math.max(trusted + burst, poisson / n) : 0;
  }
  return { weights: events, noise };
}

/** What the fit needs of the leaves of one range of event counts. */
interface Bin {
  /** Last octave that belongs to it, leaves in it, and of how many one is looked at. */
  last: number;
  leaves: number;
  step: number;
  /** Σ 1/events. */
  inverse: number;
  /** Leaves passed; the next to be looked at. */
  passed: number;
  next: number;
  /** |d| of those looked at: above 0 upwards from `from`, below 0 downwards from `to`; 0 only counted. */
  readonly from: number;
  readonly to: number;
  above: number;
  below: number;
  zeros: number;
}

function fitNoise(d: Float64Array, events: Float64Array, counts: boolean): Noise {
  const floor = counts ? COUNT_DISPERSION : 0;
  const octaves = octavesOf(events);
  const bins = binsOf(octaves);
  const samples = sample(d, events, octaves, bins);
  const x: number[] = [];
  const y: number[] = [];
  const n: number[] = [];
  for (const bin of bins) {
    const spread = cleanSpread(samples, bin);
    if (Number.isNaN(spread) || spread > SATURATED) continue;
    x.push(bin.inverse / bin.leaves);
    y.push(spread * spread);
    n.push(Math.min(bin.leaves, SAMPLE));
  }
  if (x.length === 0) return { sigma2: MIN_SIGMA2, dispersion: floor };
  return fitLine(x, y, n, floor);
}

/** Quarter octaves of event counts, from 1; 0: no events. */
function octavesOf(events: Float64Array): Uint16Array {
  const out = new Uint16Array(events.length);
  if (!LITTLE_ENDIAN) {
    for (let i = 0; i < events.length; i++) out[i] = events[i]! > 0 ? octaveOf(events[i]!) + 1 : 0;
    return out;
  }
  const words = new Uint32Array(events.buffer, events.byteOffset, 2 * events.length);
  for (let i = 0; i < events.length; i++) {
    if (!(events[i]! > 0)) continue;
    const high = words[2 * i + 1]!;
    const exponent = (high >>> 20) - 1023;
    const mantissa = high & 0xfffff;
    let quarter = 0;
    let near = mantissa === 0 || mantissa === 0xfffff || exponent === 1024 || exponent === -1023;
    for (let q = 0; q < 3; q++) {
      const edge = QUARTERS[q]!;
      if (mantissa > edge) quarter++;
      if (mantissa === edge) near = true;
    }
    const octave = near ? octaveOf(events[i]!) : PARTS * (exponent - FIRST_OCTAVE) + quarter;
    out[i] = 1 + (octave < 0 ? 0 : octave >= OCTAVES ? OCTAVES - 1 : octave);
  }
  return out;
}

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
/** Upper 20 bits of the mantissas of 2^¼, 2^½, 2^¾: between them, the octave can be read from the bits of a number. */
const QUARTERS = Int32Array.from([1, 2, 3], (q) => Math.floor((2 ** (q / PARTS) - 1) * 2 ** 20));

function octaveOf(events: number): number {
  return Math.max(0, Math.min(OCTAVES - 1, Math.floor(PARTS * (Math.log2(events) - FIRST_OCTAVE))));
}

/** Quarter octaves, neighbours joined until each bin has enough. */
function binsOf(octaves: Uint16Array): Bin[] {
  const counts = new Int32Array(OCTAVES + 1);
  for (let i = 0; i < octaves.length; i++) counts[octaves[i]!] = counts[octaves[i]!]! + 1;
  const live = octaves.length - counts[0]!;
  const enough = Math.max(MIN_BIN, live / BINS);
  const ends: number[] = [];
  const sizes: number[] = [];
  let size = 0;
  for (let octave = 1; octave <= OCTAVES; octave++) {
    size += counts[octave]!;
    if (size < enough) continue;
    ends.push(octave);
    sizes.push(size);
    size = 0;
  }
  if (ends.length === 0) {
    ends.push(OCTAVES);
    sizes.push(size);
  } else if (size > 0) {
    ends[ends.length - 1] = OCTAVES;
    sizes[sizes.length - 1] = sizes[sizes.length - 1]! + size;
  }
  let from = 0;
  return ends.map((last, k) => {
    const leaves = sizes[k]!;
    const step = Math.max(1, Math.ceil(leaves / SAMPLE));
    const to = from + Math.ceil(leaves / step);
    const bin = { last, leaves, step, inverse: 0, passed: 0, next: 0, from, to, above: from, below: to, zeros: 0 };
    from = to;
    return bin;
  });
}

/** Passes over the leaves once, in order; @returns what is looked at, bin by bin. */
function sample(d: Float64Array, events: Float64Array, octaves: Uint16Array, bins: Bin[]): Float64Array {
  const binOf = new Uint8Array(OCTAVES + 1);
  for (let octave = 1, bin = 0; octave <= OCTAVES; octave++) {
    if (octave > bins[bin]!.last && bin + 1 < bins.length) bin++;
    binOf[octave] = bin;
  }
  const samples = new Float64Array(bins[bins.length - 1]!.to);
  for (let i = 0; i < octaves.length; i++) {
    if (octaves[i] === 0) continue;
    const bin = bins[binOf[octaves[i]!]!]!;
    bin.inverse += 1 / events[i]!;
    if (bin.passed++ !== bin.next) continue;
    bin.next += bin.step;
    const value = d[i]!;
    if (value > 0) samples[bin.above++] = value;
    else if (value < 0) samples[--bin.below] = -value;
    else bin.zeros++;
  }
  return samples;
}

/** Scaled median of |d| on the side where it is smaller; NaN: too few leaves to tell. Zeros are half of either side. */
function cleanSpread(samples: Float64Array, { from, to, above, below, zeros }: Bin): number {
  const one = sideSpread(samples, from, above, zeros);
  const other = sideSpread(samples, below, to, zeros);
  return other >= one || Number.isNaN(other) ? one : other;
}

function sideSpread(samples: Float64Array, from: number, to: number, zeros: number): number {
  const size = to - from;
  if (size + zeros / 2 < MIN_SIDE) return Number.NaN;
  const rank = Math.floor((size - zeros / 2) / 2);
  return rank < 0 || size === 0 ? 0 : select(samples, from, to, rank) / MEDIAN_SIGMA;
}

/** Exponents tried; 1 is Poisson-like, 0.5 the burstiest traffic seen. */
const POWERS = [1, 0.8, 0.65, 0.5];
const COARSE = 2;
const FINE = [1 / 1.4, 1 / 1.2, 1, 1.2, 1.4] as const;
const DISPERSIONS = [0, ...Array.from({ length: 20 }, (_, k) => 1e-3 * COARSE ** k)];
const SIGMAS = Array.from({ length: 19 }, (_, k) => MIN_SIGMA2 * COARSE ** k);

/** A guess is looked for on every so manieth point of the grid. */
const STRIDE = 3;

/**
 * y = σ² + φ·x^power, both terms non-negative, least absolute log error weighted by leaves: a grid of factors of 2, then
 * one finer grid around its best. What a coarse look at the grid found lets most of its points be given up after a few
 * bins. Cost: O(1,700 · bins).
 */
function fitLine(x: readonly number[], y: readonly number[], n: readonly number[], floor: number): Noise {
  const logs = Float64Array.from(y, (value) => Math.log(value + MIN_SIGMA2));
  const weights = Float64Array.from(n);
  const scaledBy = POWERS.map((power) => Float64Array.from(x, (value) => value ** power));
  /** Loss of a point; when it reaches the limit, so much as made it do so. */
  const loss = (sigma2: number, dispersion: number, scaled: Float64Array, limit: number): number => {
    let sum = 0;
    for (let k = 0; k < logs.length && sum < limit; k++)
      sum += weights[k]! * Math.abs(logs[k]! - Math.log(sigma2 + dispersion * scaled[k]! + MIN_SIGMA2));
    return sum;
  };
  // A point above the guess cannot be the best one. The margin leaves ties to be decided in the order of the grid.
  const guess = x.every(Number.isFinite)
    ? guessLoss(scaledBy, floor, loss) * (1 + 1e-9) + 1e-300
    : Number.POSITIVE_INFINITY;
  let best: Noise = { sigma2: MIN_SIGMA2, dispersion: floor, power: 1 };
  let bestLoss = Number.POSITIVE_INFINITY;
  const attempt = (sigma2: number, dispersion: number, power: number, scaled: Float64Array): void => {
    const sum = loss(sigma2, dispersion, scaled, guess < bestLoss ? guess : bestLoss);
    if (sum >= guess || sum >= bestLoss * (1 - 1e-12)) return;
    best = { sigma2, dispersion, power };
    bestLoss = sum;
  };
  for (let p = 0; p < POWERS.length; p++)
    for (const more of DISPERSIONS)
      for (const sigma2 of SIGMAS) attempt(sigma2, floor + more, POWERS[p]!, scaledBy[p]!);
  const { sigma2, dispersion, power = 1 } = best;
  const scaled = scaledBy[POWERS.indexOf(power)]!;
  for (const a of FINE)
    for (const b of FINE) attempt(Math.min(MAX_SIGMA2, sigma2 * a), floor + (dispersion - floor) * b, power, scaled);
  return best;
}

/** Least loss of every third point of the grid, and of those around the best of them. */
function guessLoss(
  scaledBy: readonly Float64Array[],
  floor: number,
  loss: (sigma2: number, dispersion: number, scaled: Float64Array, limit: number) => number,
): number {
  let least = Number.POSITIVE_INFINITY;
  let at: readonly [number, number, number] = [0, 0, 0];
  const look = (p: number, more: number, sigma: number): void => {
    if (more < 0 || more >= DISPERSIONS.length || sigma < 0 || sigma >= SIGMAS.length) return;
    const sum = loss(SIGMAS[sigma]!, floor + DISPERSIONS[more]!, scaledBy[p]!, least);
    if (sum >= least) return;
    least = sum;
    at = [p, more, sigma];
  };
  for (let p = 0; p < scaledBy.length; p++)
    for (let more = 0; more < DISPERSIONS.length; more += STRIDE)
      for (let sigma = 0; sigma < SIGMAS.length; sigma += STRIDE) look(p, more, sigma);
  const [p, more, sigma] = at;
  for (let a = 1 - STRIDE; a < STRIDE; a++) for (let b = 1 - STRIDE; b < STRIDE; b++) look(p, more + a, sigma + b);
  return least;
}
