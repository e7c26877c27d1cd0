/**
 * The noise of a leaf's relative deviation: var(d) = σ² + φ/events. σ² is the relative error of the forecast, φ the
 * over-dispersion of counts. Noise falls on both sides of 0 alike and a fault seldom does: in octaves of event counts the
 * cleaner side's median of |d| is read, so that most of the leaves may be abnormal.
 */
import { forBlocks } from './blocks.ts';
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
  const poisson = counts ? COUNT_DISPERSION : 0;
  forBlocks(events.length, (from, to) => weigh(events, noise, poisson, from, to));
  return { weights: events, noise };
}

function weigh(
  events: Float64Array,
  { sigma2, dispersion, power = 1 }: Noise,
  poisson: number,
  from: number,
  to: number,
): void {
  const trusted = Math.max(TRUSTED_SIGMA2, sigma2);
  for (let i = from; i < to; i++) {
    const n = events[i]!;
    const variance = trusted + dispersion / (power === 1 ? n : n ** power);
    const least = poisson === 0 ? 0 : poisson / n;
    events[i] = n > 0 ? 1 / Math.max(variance, least) : 0;
  }
}

/** Ranges of event counts: what the fit needs of their leaves. One entry per range in each column. */
interface Bins {
  /** Last octave that belongs to it, leaves in it, and of how many one is looked at. */
  readonly last: number[];
  readonly leaves: number[];
  readonly step: Int32Array;
  /** Σ 1/events. */
  readonly inverse: Float64Array;
  /** Leaves passed; the next to be looked at. */
  readonly passed: Int32Array;
  readonly next: Int32Array;
  /** |d| of those looked at: above 0 upwards from `from`, below 0 downwards from `to`; one place more than needed. */
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly above: Int32Array;
  readonly below: Int32Array;
}

function fitNoise(d: Float64Array, events: Float64Array, counts: boolean): Noise {
  const floor = counts ? COUNT_DISPERSION : 0;
  const sizes = new Int32Array(OCTAVES + 1);
  const octaves = octavesOf(events, sizes);
  const bins = binsOf(sizes);
  const samples = sample(d, events, octaves, bins);
  const x: number[] = [];
  const y: number[] = [];
  const n: number[] = [];
  for (const [bin, leaves] of bins.leaves.entries()) {
    const spread = cleanSpread(samples, bins, bin);
    if (Number.isNaN(spread) || spread > SATURATED) continue;
    x.push(bins.inverse[bin]! / leaves);
    y.push(spread * spread);
    n.push(Math.min(leaves, SAMPLE));
  }
  if (x.length === 0) return { sigma2: MIN_SIGMA2, dispersion: floor };
  return fitLine(x, y, n, floor);
}

/** Quarter octaves of event counts, from 1; 0: no events. How many leaves each has is added to the counts. */
function octavesOf(events: Float64Array, counts: Int32Array): Uint16Array {
  const out = new Uint16Array(events.length);
  const words = new Uint32Array(events.buffer, events.byteOffset, 2 * events.length);
  const high = words.subarray(LITTLE_ENDIAN ? 1 : 0);
  forBlocks(events.length, (from, to) => fillOctaves(events, high, out, counts, from, to));
  return out;
}

/** @param high  every other word is the upper one of a number */
function fillOctaves(
  events: Float64Array,
  high: Uint32Array,
  out: Uint16Array,
  counts: Int32Array,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    let octave = 0;
    if (events[i]! > 0) {
      const word = high[2 * i]!;
      const quarter = QUARTERS[(word >>> 12) & 0xff]!;
      const whole = PARTS * ((word >>> 20) - 1023 - FIRST_OCTAVE) + quarter;
      // Below the first octave and above the last are the numbers without an exponent and those without an end, too.
      octave = 1 + (quarter === UNSURE || whole < 0 || whole >= OCTAVES ? octaveOf(events[i]!) : whole);
    }
    out[i] = octave;
    counts[octave] = counts[octave]! + 1;
  }
}

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
const UNSURE = 255;
/** Upper 8 bits of a mantissa -> the quarter of the octave it is in, unless that ends within or next to these. */
const QUARTERS = Uint8Array.from({ length: 256 }, (_, bits) => {
  const [from, to] = [-1, 2].map((more) => Math.floor(PARTS * Math.log2(1 + (bits + more) / 256)));
  return from === to ? from! : UNSURE;
});

function octaveOf(events: number): number {
  return Math.max(0, Math.min(OCTAVES - 1, Math.floor(PARTS * (Math.log2(events) - FIRST_OCTAVE))));
}

/** Quarter octaves, neighbours joined until each bin has enough. */
function binsOf(counts: Int32Array): Bins {
  let live = 0;
  for (let octave = 1; octave <= OCTAVES; octave++) live += counts[octave]!;
  const enough = Math.max(MIN_BIN, live / BINS);
  const last: number[] = [];
  const leaves: number[] = [];
  let size = 0;
  for (let octave = 1; octave <= OCTAVES; octave++) {
    size += counts[octave]!;
    if (size < enough) continue;
    last.push(octave);
    leaves.push(size);
    size = 0;
  }
  if (last.length === 0) {
    last.push(OCTAVES);
    leaves.push(size);
  } else if (size > 0) {
    last[last.length - 1] = OCTAVES;
    leaves[leaves.length - 1] = leaves[leaves.length - 1]! + size;
  }
  const step = Int32Array.from(leaves, (n) => Math.max(1, Math.ceil(n / SAMPLE)));
  const to = Int32Array.from(leaves, (n, bin) => Math.ceil(n / step[bin]!) + 1);
  for (let bin = 1; bin < to.length; bin++) to[bin] = to[bin]! + to[bin - 1]!;
  const from = to.map((_, bin) => (bin === 0 ? 0 : to[bin - 1]!));
  const column = (): Int32Array => new Int32Array(leaves.length);
  return {
    last,
    leaves,
    step,
    inverse: new Float64Array(leaves.length),
    passed: column(),
    next: column(),
    from,
    to,
    above: from.slice(),
    below: to.slice(),
  };
}

/** Passes over the leaves once, in order; @returns what is looked at, bin by bin. */
function sample(d: Float64Array, events: Float64Array, octaves: Uint16Array, bins: Bins): Float64Array {
  const binOf = new Uint8Array(OCTAVES + 1);
  for (let octave = 1, bin = 0; octave <= OCTAVES; octave++) {
    if (octave > bins.last[bin]! && bin + 1 < bins.last.length) bin++;
    binOf[octave] = bin;
  }
  const samples = new Float64Array(bins.to[bins.to.length - 1]!);
  forBlocks(d.length, (from, to) => pass(d, events, octaves, binOf, bins, samples, from, to));
  return samples;
}

function pass(
  d: Float64Array,
  events: Float64Array,
  octaves: Uint16Array,
  binOf: Uint8Array,
  { step, inverse, passed, next, above, below }: Bins,
  samples: Float64Array,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const octave = octaves[i]!;
    if (octave === 0) continue;
    const bin = binOf[octave]!;
    inverse[bin] = inverse[bin]! + 1 / events[i]!;
    const before = passed[bin]!;
    passed[bin] = before + 1;
    if (before !== next[bin]) continue;
    next[bin] = before + step[bin]!;
    // Written at either end and kept at one, for to branch on a random sign costs more.
    const value = d[i]!;
    const top = above[bin]!;
    const bottom = below[bin]! - 1;
    samples[top] = value;
    samples[bottom] = -value;
    above[bin] = top + Number(value > 0);
    below[bin] = bottom + Number(!(value < 0));
  }
}

/** Scaled median of |d| on the side where it is smaller; NaN: too few leaves to tell. Zeros are half of either side. */
function cleanSpread(samples: Float64Array, { from, to, above, below }: Bins, bin: number): number {
  const zeros = below[bin]! - above[bin]! - 1;
  const one = sideSpread(samples, from[bin]!, above[bin]!, zeros);
  const other = sideSpread(samples, below[bin]!, to[bin]!, zeros);
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
