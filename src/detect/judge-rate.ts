/**
 * Request counts: negative binomial around the median of healthy windows. A fall is abnormal when it is sudden and
 * well below everything seen in the last half hour; a rise is noted, never opens an incident and is learned as it comes.
 * That a sudden rise ends, within hours, is no fall: the level before it is remembered.
 */
import { logNegativeBinomialLower, logNegativeBinomialUpper, scoreOfLogP } from '../stats/tails.ts';
import type { ColumnsState } from './columns.ts';
import { Columns } from './columns.ts';
import type { DetectConfig } from './config.ts';
import type { FamilySpec, FamilyState, Moment } from './family.ts';
import { Family } from './family.ts';
import { LevelPool } from './level-pool.ts';
import { Rhythm } from './rhythm.ts';

/** Smallest spread of traffic from window to window: 10 % of its level. */
const SPREAD_RATIO = 0.1;
/** Requests per window a baseline needs before a fall can be told. */
const MIN_LEVEL = 20;
/** Low marks: median of each minute, kept for half an hour. */
const MARKS = 30;
const MARK_WINDOWS = 12;
/** With fewer marks little is known of how low traffic gets: what falls must fall to a third. */
const FEW_MARKS = 5;
const FEW_MARKS_DROP = 2 / 3;
/** A fall is sudden when the count is below this share of the largest of the windows 3 to 6 back: ramps are slower. */
const SUDDEN = 0.6;
const SUDDEN_FROM = 3;
const SUDDEN_TO = 6;
const MIN_RISE = 1.5;
/** The level before a sudden rise is remembered for four hours of windows of 5 s after the rise was last seen. */
const FORMER_WINDOWS = 2_880;

/** Blocks of this many windows, half a minute, tell of services with few requests. */
const BLOCK_WINDOWS = 6;

const BLOCK_SPECS = { sum: { type: Float64Array }, windows: { type: Uint8Array } } as const;
const SPECS = {
  marks: { type: Float32Array, width: MARKS },
  marked: { type: Uint16Array },
  /** Level before a sudden rise, and the windows for which it is still remembered; 0: there was none. */
  former: { type: Float32Array },
  remembered: { type: Uint16Array },
  /** Windows for which the level that a fall left is taken for no level to come back to. */
  fallen: { type: Uint16Array },
} as const;

export class RateFamily extends Family<LevelPool> {
  readonly #marks = new Columns(SPECS);
  readonly #block = new Columns(BLOCK_SPECS);
  readonly #windows: number;

  /** @param finer  judges window by window; this one then judges blocks of what is too little for it */
  constructor(spec: FamilySpec, config: DetectConfig, finer?: RateFamily) {
    // One window more than the others: silence is easily mistaken.
    const rule = { open: config.openWindows + 1, of: config.openOfWindows + 1 };
    const daily = spec.entity === 'service' && finer === undefined;
    super(spec, config, new LevelPool(), rule, daily ? new Rhythm(false) : undefined, finer && [finer]);
    this.#windows = finer === undefined ? 1 : BLOCK_WINDOWS;
    this.judged.windows = this.#windows;
  }

  protected override grow(size: number): void {
    super.grow(size);
    this.#marks.ensure(size);
    if (this.#windows > 1) this.#block.ensure(size);
  }

  /** A usual window has too few requests to tell a fall by itself. */
  isSparse(i: number): boolean {
    return this.pool.known(i) >= this.warmup && this.pool.median[i]! < MIN_LEVEL;
  }

  /** Adds a window to its block, which is judged when it is whole. Blocks begin at the same windows for everybody. */
  add(i: number, moment: Moment, count: number): void {
    if (this.isOverruled(i)) {
      this.unknown(i);
      return;
    }
    this.open();
    const { sum, windows } = this.#block.array;
    sum[i] = sum[i]! + count;
    windows[i] = windows[i]! + 1;
    if (moment.turn % BLOCK_WINDOWS !== 0) return;
    if (windows[i] === BLOCK_WINDOWS) this.step(i, { ...moment, turn: moment.turn / BLOCK_WINDOWS }, sum[i]!);
    this.#clear(i);
  }

  /** A window nobody knows: its block is not judged. */
  override unknown(i: number): void {
    this.#clear(i);
    super.unknown(i);
  }

  #clear(i: number): void {
    if (i >= this.#block.size) return;
    this.#block.array.sum[i] = 0;
    this.#block.array.windows[i] = 0;
  }

  /** Traffic now as a multiple of the baseline; NaN while warming up. */
  load(i: number, count: number): number {
    return this.pool.known(i) >= this.warmup ? count / Math.max(this.pool.median[i]!, 1) : Number.NaN;
  }

  step(i: number, moment: Moment, count: number): void {
    this.open();
    const warm = this.pool.known(i) >= this.warmup;
    if (warm) {
      this.#judge(i, count);
      const level = this.pool.median[i]!;
      this.settle(i, moment);
      this.#remember(i, level);
    }
    const falling = this.tracks.isSuspect(i) && this.judged.direction === 1;
    this.pool.push(i, count, falling, warm, moment.turn);
    if (!falling && moment.turn % MARK_WINDOWS === 0 && this.pool.known(i) > 0) this.#mark(i);
  }

  /** The collectors behind it changed: what was learned no longer compares. */
  override relearn(i: number): void {
    this.pool.reset(i);
    this.tracks.end(i);
    this.#marks.array.marked[i] = 0;
    this.#marks.array.remembered[i] = 0;
    this.#marks.array.fallen[i] = 0;
    this.rhythm?.forget(i);
    this.#clear(i);
  }

  override vacate(i: number): void {
    super.vacate(i);
    this.#marks.clear(i);
    this.#block.clear(i);
  }

  #mark(i: number): void {
    const { marks, marked } = this.#marks.array;
    marks[i * MARKS + (marked[i]! % MARKS)] = this.pool.median[i]!;
    marked[i] = marked[i]! + 1;
  }

  /** What a loss of traffic left is its level now; that traffic comes back is no surge that may end again. */
  protected override released(i: number): void {
    const { remembered, fallen } = this.#marks.array;
    if (this.judged.direction === 0) return;
    remembered[i] = 0;
    fallen[i] = FORMER_WINDOWS;
  }

  #remember(i: number, level: number): void {
    const { former, remembered, fallen } = this.#marks.array;
    if (fallen[i]! > 0) {
      fallen[i] = fallen[i]! - 1;
      return;
    }
    if (this.tracks.isActive(i) && this.judged.direction === 0 && this.judged.exceeds) {
      former[i] = remembered[i]! > 0 ? Math.min(former[i]!, level) : level;
      remembered[i] = FORMER_WINDOWS;
    } else if (remembered[i]! > 0) remembered[i] = remembered[i]! - 1;
  }

  /** So many requests a window are what there was before a sudden rise. */
  isFormer(i: number, count: number): boolean {
    const { former, remembered } = this.#marks.array;
    if (i >= this.#marks.size || remembered[i] === 0) return false;
    return count * this.#windows > (1 - this.config.minTrafficDrop) * former[i]!;
  }

  #lowMark(i: number): number {
    const { marks, marked, former, remembered } = this.#marks.array;
    let low = this.pool.median[i]!;
    if (remembered[i]! > 0) low = Math.min(low, former[i]!);
    for (let k = 0; k < Math.min(MARKS, marked[i]!); k++) low = Math.min(low, marks[i * MARKS + k]!);
    return low;
  }

  #judge(i: number, count: number): void {
    const level = this.pool.median[i]!;
    const spread = Math.max(this.pool.spread[i]!, SPREAD_RATIO * level, 1);
    const size = spread * spread > level ? (level * level) / (spread * spread - level) : Number.POSITIVE_INFINITY;
    const judged = this.judged;
    const fall = count < level;
    const z = (count - level) / Math.sqrt(Math.max(spread * spread, level));
    judged.direction = fall ? 1 : 0;
    judged.z = Math.abs(z);
    judged.baseline = level / this.#windows;
    judged.current = count / this.#windows;
    judged.volume = Math.max(level, count);
    judged.score = 0;
    judged.exceeds = false;
    const { minTrafficDrop } = this.config;
    const least = this.#marks.array.marked[i]! < FEW_MARKS ? Math.max(minTrafficDrop, FEW_MARKS_DROP) : minTrafficDrop;
    const material = fall
      ? level >= MIN_LEVEL && count <= (1 - least) * this.#lowMark(i)
      : count >= MIN_RISE * level && count >= MIN_LEVEL;
    judged.calm = fall ? count > (1 - minTrafficDrop / 2) * this.#lowMark(i) : count < 1.25 * level;
    if (!material) return;
    const logP = fall ? logNegativeBinomialLower(count, level, size) : logNegativeBinomialUpper(count, level, size);
    judged.score = scoreOfLogP(logP);
    judged.exceeds =
      judged.score >= this.config.openScore && (!fall || this.tracks.isActive(i) || this.#sudden(i, count));
  }

  #sudden(i: number, count: number): boolean {
    let before = 0;
    for (let back = SUDDEN_FROM - 1; back < SUDDEN_TO; back++) {
      const value = this.pool.recentValue(i, back);
      if (value > before) before = value;
    }
    return count < SUDDEN * before;
  }

  override save(): FamilyState {
    const block = this.#windows > 1 ? { block: this.#block.save() } : {};
    return { ...super.save(), more: this.#marks.save(), ...block };
  }

  override restore(state: FamilyState): void {
    super.restore(state);
    this.#marks.load(state.more as ColumnsState);
    if (state.block !== undefined) this.#block.load(state.block);
  }
}
