/**
 * What grows or fades so slowly that baselines of minutes learn it: a leak, a table that fills, a cache that gets worse.
 * The last five minutes are judged, minute by minute, against blocks of the last two hours; what the judges of windows
 * or blocks say of the same series goes first, as it says it sooner.
 */
import { logBinomialUpper, logNegativeBinomialLower, scoreOfLogP } from '../stats/tails.ts';
import type { ColumnsState } from './columns.ts';
import { Columns } from './columns.ts';
import type { DetectConfig } from './config.ts';
import { DriftPool, MIN_WINDOWS, MINUTE_WINDOWS } from './drift-pool.ts';
import type { FamilySpec, FamilyState, Moment } from './family.ts';
import { Family } from './family.ts';
import { SPREAD_FLOOR } from './judge-duration.ts';
import type { RateFamily } from './judge-rate.ts';
import { loadAllowance } from './load-allowance.ts';

/** Slow changes are many (mixes, times of day): a factor of two, where 1.5 does for sudden ones. */
const MIN_FACTOR = 2;
/** Spread of request durations, relative; no sketch is kept so long. */
const CV2 = 4;
const ERROR_FLOOR = 0.001;
/** (1 / spread)² of traffic from block to block: 10 %. */
const TRAFFIC_SIZE = 100;

/** Traffic: of the lowest block, this times (1 - minTrafficDrop). Evenings and ends of events are slow falls, too. */
const FALL_SHARE = 2 / 3;
const RELEASE_FACTOR = 4;
/** Unknown windows that a minute of which too little is known counts for: given up after eight of them. */
const UNKNOWN_WINDOWS = 3;

/** Judged once a minute by the three least of the last five: two of three judgements open, one calm one closes. */
const RULE = { open: 2, of: 3, close: 1 };

export abstract class DriftFamily extends Family<DriftPool> {
  protected readonly isLogarithmic: boolean = false;
  /** Abnormal minutes are learned like others. */
  protected readonly learnsAlways: boolean = false;
  /** What is looked for is a fall. */
  protected readonly falls: boolean = false;
  /** When the change of those that are active began to show. */
  readonly #since = new Columns({ since: { type: Float64Array, fill: Number.NaN } });

  /** What grew for an hour is not normal after half of one. */
  protected override readonly releaseWindows: number = RELEASE_FACTOR * this.config.releaseWindows;
  #waiting = new Map<string, string>();
  #minute = 0;

  /** @param finer  what judges the same sooner: while one of them speaks this one is silent, and it excuses what recurs */
  constructor(spec: FamilySpec, config: DetectConfig, finer: readonly Family[]) {
    super(spec, config, new DriftPool(), RULE, undefined, finer);
    this.judged.windows = MINUTE_WINDOWS;
  }

  protected override grow(size: number): void {
    super.grow(size);
    this.#since.ensure(size);
  }

  /** Denominator that a judgement needs: windows of a minute, where others do not say requests. */
  protected get minVolume(): number {
    return MIN_WINDOWS;
  }

  /** A window's sums; NaN: unknown. Minutes begin at the same windows for everybody. */
  step(i: number, moment: Moment, numerator: number, denominator: number): void {
    // Most entities lack most gauges: nothing is made for them.
    if (Number.isNaN(denominator) && i >= this.pool.size) return;
    this.open();
    const window = moment.atMs / moment.windowMs;
    const minute = Math.floor(window / MINUTE_WINDOWS);
    this.#minute = Math.max(this.#minute, minute);
    if (!this.tracks.isActive(i) && this.isOverruled(i)) this.pool.interrupt(i);
    else if (!Number.isNaN(denominator)) this.pool.add(i, minute, numerator, denominator);
    if ((window + 1) % MINUTE_WINDOWS !== 0) return;
    const { minVolume } = this;
    const isKnown = this.pool.endMinute(i, minute, this.falls);
    if (
      isKnown &&
      this.pool.latest.denominator >= minVolume &&
      this.pool.refer(i, minute, minVolume, this.isLogarithmic)
    ) {
      this.judge(i, minute, moment);
      this.#excuse(i, moment.atMs);
      const was = this.tracks.isActive(i);
      this.settle(i, moment);
      if (!was && this.tracks.isActive(i)) {
        const minutes = this.pool.minutesSince(i, minute, minVolume, this.judged.current);
        this.#since.array.since[i] = moment.atMs + (1 - minutes * MINUTE_WINDOWS) * moment.windowMs;
      }
    } else for (let k = 0; k < UNKNOWN_WINDOWS; k++) this.tracks.unknown(i);
    if (isKnown && (this.learnsAlways || !this.tracks.isSuspect(i))) this.pool.endBlock(i, minute);
  }

  /** Judges `pool.latest` by `pool.reference` into `judged`. */
  protected abstract judge(i: number, minute: number, moment: Moment): void;

  /** What is judged is what there was before something that is over now. */
  protected isFormer(_i: number): boolean {
    return false;
  }

  /** What both of the last two days, or weeks, showed at this time. */
  #excuse(i: number, atMs: number): void {
    const { exceeds, current } = this.judged;
    if (exceeds && (this.isFormer(i) || this.finer.some(({ rhythm }) => rhythm?.recurs(i, atMs, current))))
      this.pardon();
  }

  override grownSinceMs(i: number): number {
    return this.#since.array.since[i]!;
  }

  override relearn(i: number): void {
    this.pool.rebase(i);
    this.tracks.end(i);
  }

  override vacate(i: number): void {
    super.vacate(i);
    this.#since.clear(i);
  }

  /** Blocks of every series by name: what a restart needs beyond the log that is read again. */
  exportBlocks(names: readonly string[]): Record<string, string> {
    const waiting = [...this.#waiting].filter(([, rows]) => !DriftPool.isStale(rows, this.#minute));
    return Object.fromEntries(
      [...waiting, ...names.map((name, i) => [name, this.pool.exportBlocks(i)] as const)].filter(
        ([, rows]) => rows !== '',
      ),
    );
  }

  /** Rows wait for their entities to be seen. */
  importBlocks(rows: Readonly<Record<string, string>>): void {
    this.#waiting = new Map(Object.entries(rows));
  }

  adopt(i: number, name: string): void {
    const rows = this.#waiting.get(name);
    if (rows === undefined) return;
    this.open();
    this.pool.importBlocks(i, rows);
    this.#waiting.delete(name);
  }

  /** What was exported is of windows of another length. */
  forsake(): void {
    this.#waiting.clear();
  }

  override save(): FamilyState {
    return { ...super.save(), more: this.#since.save(), waiting: Object.fromEntries(this.#waiting) };
  }

  override restore(state: FamilyState): void {
    super.restore(state);
    this.#since.load(state.more as ColumnsState);
    this.#waiting = new Map(Object.entries(state.waiting ?? {}));
  }
}

/** Durations per request. */
export class DurationDrift extends DriftFamily {
  protected override readonly isLogarithmic = true;

  protected override get minVolume(): number {
    return this.config.minVolume;
  }

  protected judge(): void {
    const { numerator, denominator } = this.pool.latest;
    const { median, spread, volume } = this.pool.reference;
    const value = numerator / denominator;
    const allowance = loadAllowance(this.pool.whole.denominator / volume);
    const rise = value / median;
    const { minLatencyRatio, minLatencyUs, openScore } = this.config;
    const least = Math.max(MIN_FACTOR, minLatencyRatio * allowance);
    const z = Math.log(rise / allowance) / Math.sqrt(Math.max(spread, SPREAD_FLOOR) ** 2 + CV2 / denominator);
    const judged = this.judged;
    judged.z = z;
    judged.score = Math.max(0, z);
    judged.exceeds = z >= openScore && rise >= least && value - median >= minLatencyUs;
    judged.calm = rise < (1 + least) / 2 || value - median < minLatencyUs / 2;
    judged.baseline = median;
    judged.current = value;
    judged.volume = denominator;
  }
}

/** Errors per request. */
export class ErrorDrift extends DriftFamily {
  protected override get minVolume(): number {
    return this.config.minVolume;
  }

  protected judge(): void {
    const { numerator, denominator } = this.pool.latest;
    const { median, spread } = this.pool.reference;
    const { minErrorRatio, minErrors, openScore } = this.config;
    const usual = Math.max(ERROR_FLOOR, median);
    const ratio = numerator / denominator;
    const judged = this.judged;
    judged.z = spread > 0 ? (ratio - usual) / spread : openScore;
    judged.calm = ratio - usual < minErrorRatio / 2 || ratio < ((1 + MIN_FACTOR) / 2) * usual;
    judged.baseline = median;
    judged.current = ratio;
    judged.volume = denominator;
    const matters = numerator >= minErrors && ratio - usual >= minErrorRatio && ratio >= MIN_FACTOR * usual;
    const binomial = matters ? scoreOfLogP(logBinomialUpper(numerator, denominator, usual)) : 0;
    judged.score = spread > 0 ? Math.min(binomial, judged.z) : binomial;
    judged.exceeds = judged.score >= openScore;
  }
}

/** Requests per window: a fall to a third of what all of the last two hours had, in little more than ten minutes. */
export class RateDrift extends DriftFamily {
  protected override readonly falls = true;
  /** Fewer people are a usual level, sooner than slowness is. */
  protected override readonly releaseWindows = this.config.releaseWindows;
  readonly #rates: readonly RateFamily[];

  /** @param rates  judge the same in shorter stretches */
  constructor(spec: FamilySpec, config: DetectConfig, rates: readonly RateFamily[]) {
    super(spec, config, rates);
    this.#rates = rates;
  }

  protected override isFormer(i: number): boolean {
    return this.#rates.some((rate) => rate.isFormer(i, this.judged.current));
  }

  protected judge(): void {
    const { numerator, denominator } = this.pool.latest;
    const { median, lowest } = this.pool.reference;
    const { minTrafficDrop, openScore } = this.config;
    const expected = lowest * denominator;
    const judged = this.judged;
    judged.direction = 1;
    judged.baseline = median;
    judged.current = numerator / denominator;
    judged.volume = expected;
    judged.calm = numerator > (1 - minTrafficDrop / 2) * expected;
    const falls = numerator <= FALL_SHARE * (1 - minTrafficDrop) * expected;
    judged.score = falls ? scoreOfLogP(logNegativeBinomialLower(numerator, expected, TRAFFIC_SIZE)) : 0;
    judged.z = judged.score;
    judged.exceeds = judged.score >= openScore;
  }
}
