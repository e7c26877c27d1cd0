/**
 * Durations: the log of the window's mean against the median of healthy windows. Its variance has two parts: how much
 * windows differ anyway (MAD, with a floor), and how well n requests of this spread know their mean (cv² / n), so that
 * one slow request of twenty is not a change.
 */
import type { DetectConfig } from './config.ts';
import type { BlockRule } from './duration-carry.ts';
import { DurationCarry } from './duration-carry.ts';
import type { FamilySpec, FamilyState, Moment } from './family.ts';
import { Family } from './family.ts';
import { LevelPool } from './level-pool.ts';
import { LOAD_EXPONENT, loadAllowance } from './load-allowance.ts';
import { Rhythm } from './rhythm.ts';
import type { TrackRule } from './tracks.ts';

/** Smallest spread of a log mean: 10 %. Quiet systems have MADs near 0, and a 10 % wobble matters to nobody. */
export const SPREAD_FLOOR = 0.1;
/** A rise below this factor must have been there in the window before, too: a modest change asks for one more window. */
const PLAIN_RATIO = 2;
/** A block holds so many requests that a rise by this factor scores openScore, were windows otherwise alike. */
const TELLING_RATIO = 2.2;

export interface DurationLimits {
  readonly minRatio: number;
  readonly minUs: number;
  readonly minVolume: number;
  readonly spreadFloor: number;
  /** Exponent of traffic in what is allowed for. */
  readonly loadExponent: number;
}

export class DurationFamily extends Family<LevelPool> {
  readonly #limits: DurationLimits;
  /** Only with a finer family: sparse windows on their way to a block. */
  readonly #carry: DurationCarry | undefined;

  constructor(
    spec: FamilySpec,
    config: DetectConfig,
    limits: Partial<DurationLimits> = {},
    rule: Partial<TrackRule> = {},
    finer?: Family,
  ) {
    const daily = spec.entity === 'service' && finer === undefined;
    super(spec, config, new LevelPool(), rule, daily ? new Rhythm(true) : undefined, finer && [finer]);
    this.#limits = {
      minRatio: config.minLatencyRatio,
      minUs: config.minLatencyUs,
      minVolume: config.minVolume,
      spreadFloor: SPREAD_FLOOR,
      loadExponent: LOAD_EXPONENT,
      ...limits,
    };
    this.#carry = finer === undefined ? undefined : new DurationCarry(this.#blockRule());
  }

  #blockRule(): BlockRule {
    const { minVolume: minimum, spreadFloor } = this.#limits;
    const { openScore, poolWindows: maxWindows } = this.config;
    // With a score so high that no number of requests would do, a block is what maxWindows bring.
    const room = (Math.log(TELLING_RATIO) / openScore) ** 2 - spreadFloor ** 2;
    return { target: room > 0 ? 1 / room : Number.POSITIVE_INFINITY, minimum, maxWindows };
  }

  /**
   * @param raw   mean or quantile of the window, µs; n requests behind it; cv2 squared coefficient of variation
   * @param load  traffic as a multiple of its baseline; NaN: unknown
   * @param muted the entity just started: learn nothing, raise nothing; what shows and stays began here all the same
   * @param mix   how many times as long as usual this mix of operations takes; values are judged at the usual mix
   * @param failing its requests fail more than usual: who fails at once is fast, which is no level to learn
   */
  step(
    i: number,
    moment: Moment,
    raw: number,
    n: number,
    cv2: number,
    load: number,
    muted: boolean,
    mix: number = 1,
    failing = false,
  ): void {
    const value = raw / mix;
    if (muted || this.isOverruled(i)) {
      this.#carry?.clear(i);
      this.unknown(i);
      if (muted && this.#carry === undefined && n >= this.#limits.minVolume && value > 0)
        this.#witness(i, value, n, cv2, load);
    } else if (this.#carry !== undefined) this.#addTo(this.#carry, i, moment, value, n, cv2, load, failing);
    else if (n >= this.#limits.minVolume && value > 0) this.#take(i, moment, value, n, cv2, load, 1, failing);
    else this.unknown(i);
  }

  /** A value that says nothing of whether all is well; who judges later needs to know it all the same. */
  learn(i: number, moment: Moment, value: number, isSuspect: boolean): void {
    this.unknown(i);
    if (isSuspect || this.tracks.isSuspect(i) || !(value > 0)) return;
    this.open();
    this.pool.push(i, Math.log(value), false, this.pool.known(i) >= this.warmup, moment.turn);
  }

  /** A window that is a block by itself is left to the finer family. */
  #addTo(
    carry: DurationCarry,
    i: number,
    moment: Moment,
    mean: number,
    n: number,
    cv2: number,
    load: number,
    failing: boolean,
  ): void {
    if (carry.isBlock(n, cv2 * n)) {
      carry.clear(i);
      this.unknown(i);
    } else if (carry.add(i, mean, n, cv2, load)) {
      const { meanUs, count, cv2: spread, load: traffic, windows } = carry.taken;
      this.#take(i, moment, meanUs, count, spread, traffic, windows, failing);
    } else this.unknown(i);
  }

  #take(
    i: number,
    moment: Moment,
    value: number,
    n: number,
    cv2: number,
    load: number,
    windows: number,
    failing: boolean,
  ): void {
    this.open();
    this.judged.windows = windows;
    const x = Math.log(value);
    const warm = this.pool.known(i) >= this.warmup;
    if (warm) {
      this.#judge(i, x, value, n, cv2, load);
      this.settle(i, moment);
    }
    this.pool.push(i, x, failing || this.tracks.isSuspect(i), warm, moment.turn);
  }

  #witness(i: number, value: number, n: number, cv2: number, load: number): void {
    this.open();
    if (this.pool.known(i) < this.warmup) return;
    this.#judge(i, Math.log(value), value, n, cv2, load);
    this.tracks.witness(i, this.judged.z);
  }

  #judge(i: number, x: number, value: number, n: number, cv2: number, load: number): void {
    const { minRatio, minUs, spreadFloor, loadExponent } = this.#limits;
    const center = this.pool.median[i]!;
    const spread = Math.max(this.pool.spread[i]!, spreadFloor);
    // Blocks hold about as many requests as those they are compared with: what so few do not know is in the spread.
    const known =
      this.#carry === undefined
        ? spread * spread + cv2 / n
        : Math.max(spread * spread, spreadFloor * spreadFloor + cv2 / n);
    const z = (x - center) / Math.sqrt(known);
    const baseline = Math.exp(center);
    const allowance = loadAllowance(load, loadExponent);
    const rise = value / baseline;
    const judged = this.judged;
    judged.z = allowance > 1 ? z - Math.log(allowance) / spread : z;
    judged.score = Math.max(z, 0);
    const lasting = rise >= PLAIN_RATIO * allowance || this.pool.recentValue(i, 0) - center >= Math.log(minRatio);
    judged.exceeds = z >= this.config.openScore && rise >= minRatio * allowance && value - baseline >= minUs && lasting;
    judged.calm = z < this.config.closeScore || rise < 1 + (minRatio - 1) / 2 || value - baseline < minUs / 2;
    judged.baseline = baseline;
    judged.current = value;
    judged.volume = n;
  }

  override save(): FamilyState {
    const more = this.#carry?.save();
    return { ...super.save(), ...(more === undefined ? {} : { more }) };
  }

  override restore(state: FamilyState): void {
    super.restore(state);
    if (state.more !== undefined) this.#carry?.load(state.more);
  }
}
