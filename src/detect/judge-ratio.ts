/**
 * Ratios with their denominators and counts of rare events. Ratios: binomial, over-dispersed by dividing both numbers by
 * the dispersion; 1 error of 3 requests is nothing, 30 of 90 is. Counts: Poisson, over-dispersed the same way.
 */
import { logBinomialUpper, logPoissonUpper, scoreOfLogP } from '../stats/tails.ts';
import type { DetectConfig } from './config.ts';
import type { FamilySpec, Moment } from './family.ts';
import { Family } from './family.ts';
import { RatioPool } from './ratio-pool.ts';
import type { TrackRule } from './tracks.ts';

export interface RatioLimits {
  /** Baseline ratio (or count per window) is never taken to be less than this. */
  readonly floor: number;
  /** Smallest rise of the ratio, and smallest numerator, that matter. */
  readonly minRise: number;
  readonly minNumerator: number;
  readonly minFactor: number;
  readonly minVolume: number;
  /** Judge blocks of windows with so many together, and leave windows that have as many alone to others. */
  readonly blockVolume?: number;
}

/** One event alone says nothing of how many there might have been. */
const FEW = 2;

export class RatioFamily extends Family<RatioPool> {
  readonly #limits: RatioLimits;

  constructor(
    spec: FamilySpec,
    config: DetectConfig,
    limits: RatioLimits,
    rule: Partial<TrackRule> = {},
    finer?: Family,
  ) {
    super(spec, config, new RatioPool(), rule, undefined, finer && [finer]);
    this.#limits = limits;
  }

  step(i: number, moment: Moment, numerator: number, denominator: number): void {
    const { floor, minVolume, blockVolume } = this.#limits;
    if (blockVolume !== undefined && (denominator >= blockVolume || this.isOverruled(i))) {
      this.pool.drop(i);
      this.unknown(i);
      return;
    }
    this.open();
    if (!this.pool.pool(i, numerator, denominator, minVolume, this.config.poolWindows, blockVolume)) {
      this.unknown(i);
      return;
    }
    const { numerator: k, denominator: n, windows } = this.pool.pooled;
    this.judged.windows = windows;
    const warm = this.pool.known(i) >= this.warmup;
    if (warm) {
      this.#judge(i, k, n);
      this.settle(i, moment);
    }
    this.pool.push(i, k, n, this.tracks.isSuspect(i), floor, warm);
  }

  #judge(i: number, k: number, n: number): void {
    const { floor, minRise, minNumerator, minFactor } = this.#limits;
    const p = this.pool.ratio(i, floor);
    const dispersion = this.pool.dispersion(i);
    const ratio = k / n;
    const judged = this.judged;
    const spread = Math.sqrt(dispersion * p * n);
    const z = (k - p * n) / spread;
    // So few vary: as many as they may have been by chance say when it began.
    judged.z = k >= FEW ? z + Math.sqrt(k) / spread : z;
    judged.baseline = this.pool.ratio(i, 0);
    judged.current = ratio;
    judged.volume = n;
    judged.calm = ratio - p < minRise / 2 || k < minNumerator / 2 || z < this.config.closeScore;
    judged.score = 0;
    judged.exceeds = false;
    if (k < minNumerator || ratio - p < minRise || ratio < minFactor * p) return;
    judged.score = scoreOfLogP(logBinomialUpper(k / dispersion, n / dispersion, p));
    judged.exceeds = judged.score >= this.config.openScore;
  }
}

export class CountFamily extends Family<RatioPool> {
  readonly #limits: Omit<RatioLimits, 'minRise' | 'minVolume'>;

  constructor(
    spec: FamilySpec,
    config: DetectConfig,
    limits: Omit<RatioLimits, 'minRise' | 'minVolume'>,
    rule: Partial<TrackRule> = {},
  ) {
    super(spec, config, new RatioPool(), rule);
    this.#limits = limits;
  }

  step(i: number, moment: Moment, k: number): void {
    if (Number.isNaN(k)) {
      this.unknown(i);
      return;
    }
    this.open();
    const warm = this.pool.known(i) >= this.warmup;
    if (warm) {
      this.#judge(i, k);
      this.settle(i, moment);
    }
    this.pool.push(i, k, 1, this.tracks.isSuspect(i), this.#limits.floor, warm);
  }

  #judge(i: number, k: number): void {
    const { floor, minNumerator, minFactor } = this.#limits;
    const mean = this.pool.ratio(i, floor);
    const dispersion = this.pool.dispersion(i);
    const judged = this.judged;
    judged.z = (k - mean) / Math.sqrt(dispersion * mean);
    judged.baseline = this.pool.ratio(i, 0);
    judged.current = k;
    judged.volume = k;
    judged.calm = k < minNumerator / 2 || k < (minFactor * mean) / 2;
    judged.score = 0;
    judged.exceeds = false;
    if (k < minNumerator || k < minFactor * mean) return;
    judged.score = scoreOfLogP(logPoissonUpper(k / dispersion, mean / dispersion));
    judged.exceeds = judged.score >= this.config.openScore;
  }
}
