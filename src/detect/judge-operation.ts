/**
 * Durations of one operation among several of a service: what gets slower for those who ask for it and hardly moves the
 * service's mean. The logarithm of a window's mean against the median of healthy windows, whose spread holds what so few
 * requests do not know of their mean; fewer than usual know less. Where the service's own mean tells, it goes first.
 */
import type { DetectConfig } from './config.ts';
import type { Moment } from './family.ts';
import { Family } from './family.ts';
import { SPREAD_FLOOR } from './judge-duration.ts';
import { LevelPool } from './level-pool.ts';
import { loadAllowance } from './load-allowance.ts';
import type { OperationMix } from './operation-mix.ts';

/** A service has many operations: one must take twice as long, and one window more must say so. */
const MIN_RATIO = 2;
/** Squared coefficient of variation of an operation's requests. */
const CV2 = 1;

export class OperationFamily extends Family<LevelPool> {
  readonly #mix: OperationMix;
  readonly #whole: Family;

  /** @param whole judges the service's mean */
  constructor(config: DetectConfig, mix: OperationMix, whole: Family) {
    const rule = { open: config.openWindows + 1, of: config.openOfWindows + 1 };
    super(
      {
        entity: 'service',
        side: 'server',
        metric: 'operation_duration_mean_us',
        symptoms: ['latency_rise'],
        opens: [0],
      },
      config,
      new LevelPool(),
      rule,
    );
    this.#mix = mix;
    this.#whole = whole;
  }

  /**
   * @param i     number of the operation
   * @param load  traffic of its service as a multiple of its baseline; NaN: unknown
   * @param muted the service just started: learn nothing, raise nothing; what shows and stays began here all the same
   */
  step(i: number, moment: Moment, load: number, muted: boolean): void {
    const n = this.#mix.count[i]!;
    const us = this.#mix.durationUs[i]! / n;
    if (n < this.config.minVolume || !(us > 0)) {
      this.unknown(i);
      return;
    }
    this.open();
    const warm = this.pool.known(i) >= this.warmup;
    if (muted) {
      this.unknown(i);
      if (!warm) return;
      this.#judge(i, us, n, load);
      this.tracks.witness(i, this.judged.z);
      return;
    }
    if (warm) {
      this.#judge(i, us, n, load);
      this.settle(i, moment);
    }
    this.pool.push(i, Math.log(us), this.tracks.isSuspect(i), warm, moment.turn);
  }

  #judge(i: number, us: number, n: number, load: number): void {
    const { openScore, closeScore, minLatencyUs } = this.config;
    const center = this.pool.median[i]!;
    const spread = Math.max(this.pool.spread[i]!, SPREAD_FLOOR);
    const lacking = Math.max(0, 1 / n - 1 / Math.max(n, this.#mix.usualCount(i)));
    const allowance = loadAllowance(load);
    const baseline = Math.exp(center);
    const z = (Math.log(us) - center - Math.log(allowance)) / Math.sqrt(spread * spread + CV2 * lacking);
    const needed = MIN_RATIO * allowance;
    const judged = this.judged;
    judged.z = z;
    judged.score = Math.max(z, 0);
    judged.exceeds = z >= openScore && us >= needed * baseline && us - baseline >= minLatencyUs;
    judged.calm = z < closeScore || us < (1 + (MIN_RATIO - 1) / 2) * baseline || us - baseline < minLatencyUs / 2;
    judged.baseline = baseline;
    judged.current = us;
    judged.volume = n;
  }

  override ownerOf(i: number): number {
    return this.#mix.serviceOf(i);
  }

  override operationOf(i: number): string {
    return this.#mix.nameOf(i);
  }

  override isToldByCoarser(i: number): boolean {
    return this.#whole.tracks.isActive(this.ownerOf(i)) || super.isToldByCoarser(i);
  }
}
