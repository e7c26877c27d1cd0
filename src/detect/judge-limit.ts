/**
 * Gauges that run full little by little (memory, file descriptors, tracked connections of a limit): a trend that an hour
 * and its last half agree on, and when it meets the limit. What fills ever more slowly is a cache that warms up; what was
 * full all along is no news.
 */
import type { ColumnsState } from './columns.ts';
import { Columns } from './columns.ts';
import type { DetectConfig } from './config.ts';
import { MINUTE_WINDOWS, NOW_MINUTES } from './drift-pool.ts';
import type { Family, FamilySpec, FamilyState, Moment } from './family.ts';
import { DriftFamily } from './judge-drift.ts';

/** Five-minute blocks of the two horizons: an hour and half of it. */
const LONG = 12;
const SHORT = 6;
/** Share of the limit below which nothing is said, and that an hour must add. */
const MIN_USED = 0.5;
const MIN_RISE = 0.1;
/** Later than in an hour is not yet news. */
const HORIZON_MINUTES = 60;
/** The last half hour fills at this share of the hour's pace, or it slows down. */
const STEADY_SHARE = 0.7;
/** Least noise of a block: 1 % of the limit. */
const NOISE_FLOOR = 0.01;

export class LimitDrift extends DriftFamily {
  protected override readonly learnsAlways = true;
  readonly #limitAt = new Columns({ ms: { type: Float64Array, fill: Number.NaN } });

  /** @param finer  judges the same gauge window by window */
  constructor(spec: FamilySpec, config: DetectConfig, finer: Family) {
    super(spec, config, [finer]);
  }

  protected override grow(size: number): void {
    super.grow(size);
    this.#limitAt.ensure(size);
  }

  protected judge(i: number, minute: number, { atMs, windowMs }: Moment): void {
    const { numerator, denominator } = this.pool.whole;
    const value = numerator / denominator;
    const judged = this.judged;
    judged.baseline = this.pool.reference.median;
    judged.current = value;
    judged.volume = denominator;
    judged.exceeds = false;
    judged.calm = true;
    judged.score = 0;
    judged.z = 0;
    this.#limitAt.array.ms[i] = Number.NaN;
    if (value < MIN_USED) return;
    const long = this.pool.trend(i, minute, LONG, this.minVolume);
    const { perMinute } = this.pool.trend(i, minute, SHORT, this.minVolume);
    if (!(long.perMinute > 0 && perMinute > 0)) return;
    const rise = long.perMinute * long.minutes;
    judged.z = rise / Math.max(NOISE_FLOOR, long.noise);
    judged.score = judged.z;
    // The mean of five minutes is what it was in their middle.
    const minutesLeft = Math.max(0, (1 - value) / perMinute - NOW_MINUTES / 2);
    const fills = perMinute >= STEADY_SHARE * long.perMinute && long.perMinute * HORIZON_MINUTES >= MIN_RISE;
    judged.exceeds = fills && minutesLeft <= HORIZON_MINUTES && judged.score >= this.config.openScore;
    judged.calm = !fills || minutesLeft > 2 * HORIZON_MINUTES;
    if (!judged.calm) this.#limitAt.array.ms[i] = atMs + windowMs + minutesLeft * MINUTE_WINDOWS * windowMs;
  }

  override vacate(i: number): void {
    super.vacate(i);
    this.#limitAt.clear(i);
  }

  override limitAtMs(i: number): number {
    return this.#limitAt.array.ms[i]!;
  }

  override save(): FamilyState {
    return { ...super.save(), block: this.#limitAt.save() };
  }

  override restore(state: FamilyState): void {
    super.restore(state);
    this.#limitAt.load(state.block as ColumnsState);
  }
}
