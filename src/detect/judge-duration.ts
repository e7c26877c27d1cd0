/**
 * Durations: the log of the window's mean against the median of healthy windows. Its variance has two parts: how much
 * windows differ anyway (MAD, with a floor), and how well n requests of this spread know their mean (cv² / n), so that
 * one slow request of twenty is not a change.
 */
import type { DetectConfig } from './config.ts';
import type { Block } from './duration-carry.ts';
import { DurationCarry } from './duration-carry.ts';
import type { FamilySpec, FamilyState, Moment } from './family.ts';
import { Family } from './family.ts';
import { LevelPool } from './level-pool.ts';
import { Rhythm } from './rhythm.ts';
import type { TrackRule } from './tracks.ts';

/** Smallest spread of a log mean: 10 %. Quiet systems have MADs near 0, and a 10 % wobble matters to nobody. */
const SPREAD_FLOOR = 0.1;
/**
 * Queueing: when traffic is r times its baseline, durations may be r^0.75 times theirs before anything is called
 * abnormal. That covers an M/M/1 server that is busy for a fifth of its time, up to four times the traffic; one that was
 * half busy is too small for twice of it, and its users feel it.
 */
const LOAD_EXPONENT = 0.75;
/** A rise below this factor must have been there in the window before, too: a modest change asks for one more window. */
const PLAIN_RATIO = 2;
/** A block holds so many requests that a rise by this factor scores openScore, were windows otherwise alike. */
const TELLING_RATIO = 2.2;
const LOAD_FROM = 1.1;
const LOAD_TO = 4;

export interface DurationLimits {
  readonly minRatio: number;
  readonly minUs: number;
  readonly minVolume: number;
  readonly spreadFloor: number;
  /** Exponent of traffic in what is allowed for. */
  readonly loadExponent: number;
  /** Judge blocks of windows in which each alone tells too little, and leave the others to who judges window by window. */
  readonly blocks: boolean;
  /** Healthy judgements before the first that counts. */
  readonly warmup: number;
}

export class DurationFamily extends Family<LevelPool> {
  readonly #limits: DurationLimits;
  readonly #carry = new DurationCarry();

  constructor(
    spec: FamilySpec,
    config: DetectConfig,
    limits: Partial<DurationLimits> = {},
    rule: Partial<TrackRule> = {},
    finer?: Family,
  ) {
    const daily = spec.entity === 'service' && limits.blocks !== true;
    super(spec, config, new LevelPool(), rule, daily ? new Rhythm(true) : undefined, finer);
    this.#limits = {
      minRatio: config.minLatencyRatio,
      minUs: config.minLatencyUs,
      minVolume: config.minVolume,
      spreadFloor: SPREAD_FLOOR,
      loadExponent: LOAD_EXPONENT,
      blocks: false,
      warmup: config.warmupWindows,
      ...limits,
    };
  }

  /**
   * @param value mean or quantile of the window, µs; n requests behind it; cv2 squared coefficient of variation
   * @param load  traffic as a multiple of its baseline; NaN: unknown
   * @param muted the entity just started: learn nothing, judge nothing
   */
  step(i: number, moment: Moment, value: number, n: number, cv2: number, load: number, muted: boolean): void {
    const { minVolume, blocks } = this.#limits;
    if (muted || this.isOverruled(i)) {
      this.#carry.clear(i);
      this.unknown(i);
    } else if (blocks) this.#block(i, moment, { meanUs: value, count: n, cv2, load });
    else if (n >= minVolume && value > 0) this.#take(i, moment, { meanUs: value, count: n, cv2, load, windows: 1 });
    else this.unknown(i);
  }

  #block(i: number, moment: Moment, window: Omit<Block, 'windows'>): void {
    const { minVolume: minimum, spreadFloor } = this.#limits;
    // With a score so high that no number of requests would do, a block is what maxWindows bring.
    const room = (Math.log(TELLING_RATIO) / this.config.openScore) ** 2 - spreadFloor ** 2;
    const target = room > 0 ? 1 / room : Number.POSITIVE_INFINITY;
    const alone = window.count >= target * window.cv2 && window.count >= minimum;
    if (alone) {
      this.#carry.clear(i);
      this.unknown(i);
    } else if (this.#carry.add(i, window, { target, minimum, maxWindows: this.config.poolWindows }))
      this.#take(i, moment, this.#carry.taken);
    else this.unknown(i);
  }

  #take(i: number, moment: Moment, { meanUs: value, count: n, cv2, load, windows }: Block): void {
    this.open();
    this.judged.windows = windows;
    const x = Math.log(value);
    const warm = this.pool.known(i) >= this.#limits.warmup;
    if (warm) {
      this.#judge(i, x, value, n, cv2, load);
      this.settle(i, moment);
    }
    this.pool.push(i, x, this.tracks.isSuspect(i), warm, moment.turn);
  }

  #judge(i: number, x: number, value: number, n: number, cv2: number, load: number): void {
    const { minRatio, minUs, spreadFloor, loadExponent, blocks } = this.#limits;
    const center = this.pool.median[i]!;
    const spread = Math.max(this.pool.spread[i]!, spreadFloor);
    // Blocks hold about as many requests as those they are compared with: what so few do not know is in the spread.
    const known = blocks ? Math.max(spread * spread, spreadFloor * spreadFloor + cv2 / n) : spread * spread + cv2 / n;
    const z = (x - center) / Math.sqrt(known);
    const baseline = Math.exp(center);
    const allowance = load > LOAD_FROM ? Math.min(load, LOAD_TO) ** loadExponent : 1;
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
    const more = this.#carry.save();
    return { ...super.save(), ...(more === undefined ? {} : { more }) };
  }

  override restore(state: FamilyState): void {
    super.restore(state);
    if (state.more !== undefined) this.#carry.load(state.more);
  }
}
