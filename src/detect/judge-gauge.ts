/**
 * Gauges: level against the median of healthy windows in robust spreads. Three uses: near a limit (saturation: high and
 * risen), risen by an absolute amount (throttled share, pressure), and moved by a share of its own level (anything else).
 */
import type { DetectConfig } from './config.ts';
import type { FamilySpec, Moment } from './family.ts';
import { Family } from './family.ts';
import { LevelPool } from './level-pool.ts';

export interface GaugeLimits {
  /** Smallest spread: absolute, and as a share of the level. */
  readonly floor: number;
  readonly floorRatio: number;
  /** Smallest rise that matters: absolute, and as a share of the level. */
  readonly minRise: number;
  readonly minRiseRatio: number;
  /** Value below which nothing is abnormal (0.9 of a limit); -Infinity: none. */
  readonly minValue: number;
  /** Whole numbers may be counts of events: their spread is at least the root of the larger one (Poisson). */
  readonly maybeCounts?: boolean;
}

export class GaugeFamily extends Family<LevelPool> {
  readonly #limits: GaugeLimits;

  constructor(spec: FamilySpec, config: DetectConfig, limits: GaugeLimits) {
    super(spec, config, new LevelPool());
    this.#limits = limits;
  }

  step(i: number, moment: Moment, value: number): void {
    if (!Number.isFinite(value)) {
      this.unknown(i);
      return;
    }
    this.open();
    const warm = this.pool.known(i) >= this.config.warmupWindows;
    if (warm) {
      this.#judge(i, value);
      this.settle(i, moment);
    }
    this.pool.push(i, value, this.tracks.isSuspect(i), warm, moment.turn);
  }

  #judge(i: number, value: number): void {
    const { floor, floorRatio, minRise, minRiseRatio, minValue } = this.#limits;
    const level = this.pool.median[i]!;
    const counts = this.#limits.maybeCounts === true && Number.isInteger(value);
    const poisson = counts ? Math.sqrt(Math.max(value, level, 1)) : 0;
    const spread = Math.max(this.pool.spread[i]!, floor, floorRatio * Math.abs(level), poisson);
    const both = this.spec.symptoms.length > 1;
    const fall = both && value < level;
    const judged = this.judged;
    const z = (fall ? level - value : value - level) / spread;
    const rise = fall ? level - value : value - level;
    const needed = Math.max(minRise, minRiseRatio * Math.abs(level));
    judged.direction = fall ? 1 : 0;
    judged.z = z;
    judged.score = Math.max(z, 0);
    judged.exceeds = z >= this.config.openScore && rise >= needed && value >= minValue;
    judged.calm = z < this.config.closeScore || rise < needed / 2 || value < 0.9 * minValue;
    judged.baseline = level;
    judged.current = value;
    judged.volume = 1;
  }
}
