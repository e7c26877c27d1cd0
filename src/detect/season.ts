/**
 * One gauge with level and daily season, point by point, in one pass: for series that come alone, without counts behind
 * them. A point is abnormal when it is far both from what this time of day was like on the last days (shifted to the
 * current level) and from the last minutes; "far" is measured against how far the series itself goes, so that a
 * series with a heavy tail asks for more.
 *
 * Memory: DAYS values per time of day. Nothing is said in the first two days: without a season a peak is not an anomaly.
 */

/** Days remembered per time of day; three neighbouring times are looked at. */
const DAYS = 7;
const NEIGHBOURS = 1;
const DAY_S = 86_400;
const QUIET_DAYS = 2;
/** Points whose median difference to the season is the current level, and points that are "the last minutes". */
const LEVEL_POINTS = 30;
const LOCAL_POINTS = 12;
const MIN_LEVEL_POINTS = 10;
const MIN_LOCAL_POINTS = 5;
/** One point moves a variance by at most this many standard deviations. */
const CLIP = 8;
/** The series' own extremes: this quantile of past scores, with a memory of a week. */
const EXTREME = 0.99;
/**
 * An alarm is a single point this many times beyond its extreme, or two points in a row. Chosen on development halves
 * of two public sets together, the same for every curve; docs/detection.md has the figures.
 */
const SINGLE = 1.7;
const DOUBLE = 1.36;
const SMALLEST = 1e-9;

export interface CurveVerdict {
  /** 1 is the alarm threshold; comparable between curves. */
  readonly score: number;
  readonly alarm: boolean;
}

export class SeasonalGauge {
  readonly #points: number;
  readonly #stepS: number;
  readonly #history: Float64Array;
  readonly #day: Int32Array;
  readonly #level = new Float64Array(LEVEL_POINTS);
  readonly #local = new Float64Array(LOCAL_POINTS);
  readonly #single: Extreme;
  readonly #double: Extreme;
  readonly #scratch = new Float64Array(DAYS * (2 * NEIGHBOURS + 1) + LEVEL_POINTS);
  #levels = 0;
  #locals = 0;
  #seen = 0;
  #seasonVariance = Number.NaN;
  #localVariance = Number.NaN;
  #previous = 0;

  /** @param stepS seconds between points */
  constructor(stepS: number) {
    this.#stepS = stepS;
    this.#points = Math.max(1, Math.round(DAY_S / stepS));
    this.#history = new Float64Array(this.#points * DAYS).fill(Number.NaN);
    this.#day = new Int32Array(this.#points);
    this.#single = new Extreme(7 * this.#points);
    this.#double = new Extreme(7 * this.#points);
  }

  /** The next point; NaN is unknown and leaves everything as it was. Cost: O(1), about 1 µs. */
  push(timeS: number, value: number): CurveVerdict {
    if (!Number.isFinite(value)) return NOTHING;
    const phase = Math.round((timeS % DAY_S) / this.#stepS) % this.#points;
    const near = this.#fromLocal(value);
    const far = this.#fromSeason(phase, value);
    this.#history[phase * DAYS + (this.#day[phase]! % DAYS)] = value;
    this.#day[phase] = this.#day[phase]! + 1;
    this.#seen++;
    if (Number.isNaN(far)) return NOTHING;
    const one = Math.sign(far) === Math.sign(near) ? Math.min(Math.abs(far), Math.abs(near)) : 0;
    const two = Math.sign(far) === Math.sign(this.#previous) ? Math.min(Math.abs(far), Math.abs(this.#previous)) : 0;
    this.#previous = far;
    const score = Math.max(one / (1 + this.#single.value) / SINGLE, two / (1 + this.#double.value) / DOUBLE);
    this.#single.add(one);
    this.#double.add(two);
    if (this.#seen <= QUIET_DAYS * this.#points) return NOTHING;
    return { score, alarm: score >= 1 };
  }

  /** Distance from the same time on the last days, in standard deviations; NaN without a season. */
  #fromSeason(phase: number, value: number): number {
    let n = 0;
    for (let day = 0; day < DAYS; day++) {
      for (let k = -NEIGHBOURS; k <= NEIGHBOURS; k++) {
        const at = ((phase + k + this.#points) % this.#points) * DAYS + day;
        const past = this.#history[at]!;
        if (!Number.isNaN(past)) this.#scratch[n++] = past;
      }
    }
    if (n < 2 * NEIGHBOURS + 1) return Number.NaN;
    const difference = value - sortedMedian(this.#scratch, n);
    const known = Math.min(this.#levels, LEVEL_POINTS);
    let shift = 0;
    if (known >= MIN_LEVEL_POINTS) {
      for (let i = 0; i < known; i++) this.#scratch[i] = this.#level[i]!;
      shift = sortedMedian(this.#scratch, known);
    }
    this.#level[this.#levels++ % LEVEL_POINTS] = difference;
    const rest = difference - shift;
    if (Number.isNaN(this.#seasonVariance)) this.#seasonVariance = rest * rest;
    const deviation = Math.sqrt(this.#seasonVariance);
    this.#seasonVariance = this.#follow(this.#seasonVariance, rest, deviation);
    return rest / Math.max(deviation, SMALLEST);
  }

  /** Distance from the median of the last points, in standard deviations. */
  #fromLocal(value: number): number {
    const known = Math.min(this.#locals, LOCAL_POINTS);
    let z = 0;
    if (known >= MIN_LOCAL_POINTS) {
      for (let i = 0; i < known; i++) this.#scratch[i] = this.#local[i]!;
      const rest = value - sortedMedian(this.#scratch, known);
      if (Number.isNaN(this.#localVariance)) this.#localVariance = rest * rest;
      const deviation = Math.sqrt(this.#localVariance);
      z = rest / Math.max(deviation, SMALLEST);
      this.#localVariance = this.#follow(this.#localVariance, rest, deviation);
    }
    this.#local[this.#locals++ % LOCAL_POINTS] = value;
    return z;
  }

  #follow(variance: number, rest: number, deviation: number): number {
    const square = Math.min(rest * rest, (CLIP * deviation) ** 2 + SMALLEST);
    return variance + (square - variance) / (7 * this.#points);
  }
}

const NOTHING: CurveVerdict = { score: 0, alarm: false };

/** Insertion sort: at most 30 numbers, mostly in order. */
function sortedMedian(values: Float64Array, n: number): number {
  for (let i = 1; i < n; i++) {
    const value = values[i]!;
    let j = i - 1;
    while (j >= 0 && values[j]! > value) {
      values[j + 1] = values[j]!;
      j--;
    }
    values[j + 1] = value;
  }
  return n % 2 === 1 ? values[n >> 1]! : (values[n / 2 - 1]! + values[n / 2]!) / 2;
}

/** A high quantile of a stream with forgetting: weights of log-spaced buckets, eight to a doubling. */
class Extreme {
  value = 0;
  readonly #buckets = new Float64Array(80);
  readonly #growth: number;
  #total = 0;
  #weight = 1;
  #count = 0;

  /** @param halfLife points after which a value counts half */
  constructor(halfLife: number) {
    this.#growth = 2 ** (1 / halfLife);
  }

  add(score: number): void {
    const bucket = Math.max(0, Math.min(79, Math.floor(8 * Math.log2(score + SMALLEST) + 16)));
    this.#weight *= this.#growth;
    this.#buckets[bucket] = this.#buckets[bucket]! + this.#weight;
    this.#total += this.#weight;
    if (this.#weight > 1e12) this.#rescale();
    if (this.#count++ % 20 === 0) this.#find();
  }

  #rescale(): void {
    for (let i = 0; i < this.#buckets.length; i++) this.#buckets[i] = this.#buckets[i]! / this.#weight;
    this.#total /= this.#weight;
    this.#weight = 1;
  }

  #find(): void {
    let rest = this.#total * (1 - EXTREME);
    let i = this.#buckets.length - 1;
    while (i > 0 && rest > this.#buckets[i]!) rest -= this.#buckets[i--]!;
    this.value = 2 ** ((i + 1 - 16) / 8);
  }
}
