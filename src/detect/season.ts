/**
 * One gauge with level and daily season, point by point, in one pass: for series that come alone, without counts behind
 * them. A point is far when it differs from what is to be expected after the last minutes (`expectation.ts`) and from what
 * this time of day was like on the last days, moved to the level of the last hour, whichever is nearer: the first lets slow
 * drift pass, the second the way back from an anomaly. One far point, two, or three in a row are abnormal when the least of
 * them is beyond what such runs of this series usually reach: a series with a heavy tail asks for more, and one that
 * alarms often, too (`alarm-budget.ts`). What is small beside a day's swing (`daily-range.ts`) or comes in a restless
 * half hour (`unrest.ts`) counts less. Unusual silence (`silence.ts`) is an alarm whatever else is true, and neither
 * season nor quantiles learn from it.
 *
 * Memory: DAYS values per time of day. On the first day a peak is not an anomaly, without a season; what dwarfs all the
 * curve has shown is (`first-day.ts`).
 */

import { medianOfSorted, sortInPlace } from '../stats/robust.ts';
import { AlarmBudget } from './alarm-budget.ts';
import { DailyRange } from './daily-range.ts';
import { Expectation } from './expectation.ts';
import { FirstDay } from './first-day.ts';
import { Silence } from './silence.ts';
import { Unrest } from './unrest.ts';

/** Days remembered per time of day, and neighbouring times looked at on either side. */
const DAYS = 7;
const NEIGHBOURS = 2;
/** With fewer days, no value inside the range of its neighbours is abnormal: a median of few has the edges wrong. */
const FEW_DAYS = 3;
const DAY_S = 86_400;
/** The first day, and what the variances need after it. */
const QUIET_DAYS = 1.1;
/** The slow level follows over this many points, each pulling at most this many standard deviations. */
const SLOW_POINTS = 60;
const SLOW_PULL = 2;
/** One point moves a variance by at most this many standard deviations. */
const CLIP = 6;
/** Share of the plain, unclipped variance below which the clipped one is not believed: a series of zeros has spikes. */
const PLAIN_SHARE = 0.1;
/** What runs of this series usually reach: this quantile of the past, with a memory of a week. */
const EXTREME = 0.98;
/**
 * An alarm is a run of one, two or three points this many times beyond its quantile. Chosen on development halves of two
 * public sets together, the same for every curve; docs/detection.md has the figures.
 */
const BEYOND = [2.6, 2, 1.6] as const;
/** That holds for a departure of this share of the daily range in a calm hour; others by these powers of size and unrest. */
const USUAL_SIZE = 0.2;
const SIZE_POWER = 0.3;
const UNREST_POWER = 0.2;
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
  readonly #scratch = new Float64Array(DAYS * (2 * NEIGHBOURS + 1));
  readonly #extremes: readonly Extreme[];
  /** Distances of the last points, the newest first. */
  readonly #run = new Float64Array(BEYOND.length);
  readonly #fast: Spread;
  readonly #slow: Spread;
  readonly #budget: AlarmBudget;
  readonly #silence: Silence;
  readonly #expectation = new Expectation();
  readonly #range: DailyRange;
  readonly #unrest: Unrest;
  readonly #firstDay: FirstDay;
  /** What the last point differs by from the nearer of what it is measured against, in the gauge's unit. */
  #departure = 0;
  #slowLevel = Number.NaN;
  #seenBefore = false;
  #seen = 0;

  /** @param stepS seconds between points */
  constructor(stepS: number) {
    this.#stepS = stepS;
    this.#points = Math.max(1, Math.round(DAY_S / stepS));
    this.#history = new Float64Array(this.#points * DAYS).fill(Number.NaN);
    this.#day = new Int32Array(this.#points);
    this.#extremes = BEYOND.map(() => new Extreme(DAYS * this.#points));
    this.#fast = new Spread(DAYS * this.#points);
    this.#slow = new Spread(DAYS * this.#points);
    this.#budget = new AlarmBudget(this.#points);
    this.#silence = new Silence(this.#points);
    this.#range = new DailyRange(this.#points, DAYS);
    this.#unrest = new Unrest(DAYS * this.#points);
    this.#firstDay = new FirstDay(stepS);
  }

  /** The next point; NaN is unknown and leaves everything as it was. Cost: O(1), about 1 µs. */
  push(timeS: number, value: number): CurveVerdict {
    if (!Number.isFinite(value)) return NOTHING;
    const phase = Math.round((timeS % DAY_S) / this.#stepS) % this.#points;
    const season = this.#seasonAt(phase, value);
    const silence = this.#silence.push(value, season);
    const unrest = this.#unrest.push(value);
    this.#range.push(value);
    this.#seen++;
    const isEarly = this.#seen <= QUIET_DAYS * this.#points;
    if (silence > 0 && !isEarly) return { score: silence, alarm: true };
    this.#history[phase * DAYS + (this.#day[phase]! % DAYS)] = value;
    this.#day[phase] = this.#day[phase]! + 1;
    const run = Number.isNaN(season) ? 0 : this.#runScore(value, season);
    if (isEarly) return this.#verdict(this.#firstDay.push(value));
    if (Number.isNaN(season) || this.#seenBefore) return NOTHING;
    return this.#verdict(run * this.#weight(unrest));
  }

  /** How far the runs that end with this point are beyond what is usual, 1 at the threshold; learns from it. */
  #runScore(value: number, season: number): number {
    this.#run.copyWithin(1, 0);
    this.#run[0] = this.#distance(value, season);
    const sign = Math.sign(this.#run[0]!);
    let score = 0;
    let least = Number.POSITIVE_INFINITY;
    for (let k = 0; k < BEYOND.length; k++) {
      least = Math.max(0, Math.min(least, sign * this.#run[k]!));
      const extreme = this.#extremes[k]!;
      score = Math.max(score, least / (1 + extreme.value) / BEYOND[k]!);
      extreme.add(least);
    }
    return score;
  }

  #verdict(score: number): CurveVerdict {
    const own = this.#budget.weigh(score);
    return { score: own, alarm: own >= 1 };
  }

  /** Median of this time of day and its neighbours on the last days; NaN without a whole neighbourhood. Sets #seenBefore. */
  #seasonAt(phase: number, value: number): number {
    let n = 0;
    for (let day = 0; day < DAYS; day++) {
      for (let k = -NEIGHBOURS; k <= NEIGHBOURS; k++) {
        const past = this.#history[((phase + k + this.#points) % this.#points) * DAYS + day]!;
        if (!Number.isNaN(past)) this.#scratch[n++] = past;
      }
    }
    if (n < 2 * NEIGHBOURS + 1) return Number.NaN;
    sortInPlace(this.#scratch, n);
    const median = medianOfSorted(this.#scratch, n);
    this.#seenBefore =
      n < FEW_DAYS * (2 * NEIGHBOURS + 1) && value >= this.#scratch[0]! && value <= this.#scratch[n - 1]!;
    return median;
  }

  /** Signed distance in standard deviations from the expectation and the slow level, the nearer; 0 when they disagree. */
  #distance(value: number, season: number): number {
    const difference = value - season;
    const unexpected = value - this.#expectation.at(season);
    this.#expectation.push(value, season);
    if (Number.isNaN(this.#slowLevel)) this.#slowLevel = difference;
    const rest = difference - this.#slowLevel;
    const fast = this.#fast.standardise(unexpected);
    const slow = this.#slow.standardise(rest);
    const pull = SLOW_PULL * this.#slow.deviation;
    this.#slowLevel += Math.max(-pull, Math.min(pull, rest)) / SLOW_POINTS;
    this.#departure = Math.abs(unexpected) < Math.abs(rest) ? unexpected : rest;
    if (Math.sign(fast) !== Math.sign(slow)) return 0;
    return Math.abs(fast) < Math.abs(slow) ? fast : slow;
  }

  /** What a score counts by the size of the departure and the unrest around it; 1 for a usual one in a calm hour. */
  #weight(unrest: number): number {
    const size = this.#range.shareOf(this.#departure) / USUAL_SIZE;
    return (Number.isNaN(size) ? 1 : size ** SIZE_POWER) / unrest ** UNREST_POWER;
  }
}

const NOTHING: CurveVerdict = { score: 0, alarm: false };

/** Standard deviation of what is around 0, with forgetting, that single outliers hardly move. */
class Spread {
  deviation = Number.NaN;
  readonly #memory: number;
  #clipped = Number.NaN;
  #plain = Number.NaN;

  /** @param memory points after which a value counts 1/e */
  constructor(memory: number) {
    this.#memory = memory;
  }

  /** A value in standard deviations of those before it. */
  standardise(value: number): number {
    const square = value * value;
    if (Number.isNaN(this.#clipped)) {
      this.#clipped = square;
      this.#plain = square;
    }
    const variance = Math.max(this.#clipped, PLAIN_SHARE * this.#plain);
    const before = Math.sqrt(variance);
    this.#plain += (square - this.#plain) / this.#memory;
    this.#clipped += (Math.min(square, CLIP * CLIP * variance + SMALLEST) - this.#clipped) / this.#memory;
    this.deviation = Math.sqrt(Math.max(this.#clipped, PLAIN_SHARE * this.#plain));
    return value / Math.max(before, SMALLEST);
  }
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
