/** Gauges of machines that rise little by little: what services that share one suffer from is one incident, not one each. */
import type { DetectConfig } from './config.ts';
import type { Family, FamilySpec } from './family.ts';
import { DriftFamily } from './judge-drift.ts';
import type { GaugeLimits } from './judge-gauge.ts';

export class GaugeDrift extends DriftFamily {
  readonly #limits: GaugeLimits;

  /** @param limits  those of `finer`, which judges the same gauge window by window */
  constructor(spec: FamilySpec, config: DetectConfig, limits: GaugeLimits, finer: Family) {
    super(spec, config, [finer]);
    this.#limits = limits;
  }

  protected judge(): void {
    const { floor, floorRatio, minRise, minRiseRatio, minValue } = this.#limits;
    const { numerator, denominator } = this.pool.latest;
    const { median, spread } = this.pool.reference;
    const value = numerator / denominator;
    const rise = value - median;
    const needed = Math.max(minRise, minRiseRatio * Math.abs(median));
    const judged = this.judged;
    judged.z = rise / Math.max(spread, floor, floorRatio * Math.abs(median));
    judged.score = Math.max(0, judged.z);
    judged.exceeds = judged.z >= this.config.openScore && rise >= needed && value >= minValue;
    judged.calm = rise < needed / 2 || value < 0.9 * minValue;
    judged.baseline = median;
    judged.current = value;
    judged.volume = denominator;
  }
}
