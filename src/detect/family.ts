/** A family: one metric of many entities, with its baselines and its alarms. One interface, a judge per kind of data. */
import type { EntityKind } from '../model/entity.ts';
import type { Symptom } from '../model/incident.ts';
import type { Side } from '../model/records.ts';
import type { ColumnsState } from './columns.ts';
import type { DetectConfig } from './config.ts';
import type { CycleState } from './cycle.ts';
import type { Rhythm } from './rhythm.ts';
import type { Judgement, TrackRule, TracksState } from './tracks.ts';
import { Tracks } from './tracks.ts';

/** Of blocks of windows fewer are learned from, and one calm one is as good as several calm windows. */
const BLOCK_WARMUP = 6;
const BLOCK_CLOSE = 1;

export interface FamilySpec {
  readonly metric: string;
  readonly entity: EntityKind;
  /** Symptom of a rise; second: of a fall. */
  readonly symptoms: readonly [Symptom, Symptom?];
  readonly side?: Side;
  /** Its rise (0) or fall (1) is felt by users: it may open an incident. */
  readonly opens?: readonly (0 | 1)[];
  /** Windows after which an abnormal level is the new normal; missing: as configured. */
  readonly releaseWindows?: number;
  /** Healthy windows before the first that is judged; missing: as configured. */
  readonly warmupWindows?: number;
}

export interface FamilyState {
  readonly tracks: TracksState;
  readonly pool: ColumnsState;
  readonly more?: ColumnsState;
  readonly block?: ColumnsState;
  readonly rhythm?: readonly CycleState[];
  /** Blocks that a restart brought along, by name of an entity that was not seen yet. */
  readonly waiting?: Readonly<Record<string, string>>;
}

/** The window being judged. */
export interface Moment {
  readonly atMs: number;
  readonly windowMs: number;
  /** Running number of the window: spreads work over windows. */
  readonly turn: number;
}

export interface Baseline {
  ensure(size: number): void;
  rebase(i: number): void;
  /** Row i is as if it had never been written. */
  clear(i: number): void;
  save(): ColumnsState;
  load(state: ColumnsState): void;
}

export abstract class Family<P extends Baseline = Baseline> {
  readonly spec: FamilySpec;
  readonly tracks: Tracks;
  protected readonly config: DetectConfig;
  protected readonly pool: P;
  /** What recurs daily or weekly; only for kinds of which there are few. */
  readonly rhythm: Rhythm | undefined;
  /** Judge the same in shorter stretches: this one then judges longer ones, of what is too little or too slow for them. */
  protected readonly finer: readonly Family[];
  /** Who judges the same in longer stretches. */
  readonly #coarser: Family[] = [];
  /** Healthy judgements before the first that counts. */
  protected readonly warmup: number;
  /** Windows after which an abnormal level is the new normal. */
  protected readonly releaseWindows: number;
  #size = 0;
  #opened = 0;
  protected readonly judged: Judgement = {
    z: 0,
    score: 0,
    exceeds: false,
    calm: true,
    baseline: 0,
    current: 0,
    volume: 0,
    direction: 0,
    windows: 1,
  };

  constructor(
    spec: FamilySpec,
    config: DetectConfig,
    pool: P,
    rule: Partial<TrackRule> = {},
    rhythm?: Rhythm,
    finer: readonly Family[] = [],
  ) {
    this.spec = spec;
    this.config = config;
    this.pool = pool;
    this.rhythm = rhythm;
    this.finer = finer;
    this.releaseWindows = spec.releaseWindows ?? config.releaseWindows;
    for (const family of finer) family.#coarser.push(this);
    this.warmup = finer.length === 0 ? (spec.warmupWindows ?? config.warmupWindows) : BLOCK_WARMUP;
    this.tracks = new Tracks({
      open: config.openWindows,
      of: config.openOfWindows,
      close: finer.length === 0 ? config.closeWindows : BLOCK_CLOSE,
      ...rule,
    });
  }

  /** So many entities there are. Nothing is made before a value comes: most systems lack most metrics. */
  ensure(size: number): void {
    if (size > this.#size) this.#size = size;
  }

  /** Call before a value is taken: makes room for every entity, once. */
  protected open(): void {
    if (this.#opened === this.#size) return;
    this.#opened = this.#size;
    this.grow(this.#size);
  }

  protected grow(size: number): void {
    this.tracks.ensure(size);
    this.pool.ensure(size);
    this.rhythm?.ensure(size);
  }

  /** While the finer one speaks this one is silent, and begins anew when that has seen the end. */
  protected isOverruled(i: number): boolean {
    if (!this.finer.some(({ tracks }) => tracks.isActive(i))) return false;
    this.tracks.end(i);
    return true;
  }

  /** One that judges longer stretches says it as well, and from what: it has seen the beginning. */
  isToldByCoarser(i: number): boolean {
    return this.#coarser.some(({ tracks }) => tracks.isActive(i));
  }

  unknown(i: number): void {
    if (!this.isOverruled(i)) this.tracks.unknown(i);
  }

  /** Hands the judgement to the track; a level that stayed abnormal for releaseWindows becomes the new normal. */
  protected settle(i: number, moment: Moment): void {
    const judged = this.judged;
    if (this.rhythm !== undefined) {
      const towards = this.rhythm.rises ? 0 : 1;
      if (judged.exceeds && judged.direction === towards && this.rhythm.recurs(i, moment.atMs, judged.current)) {
        this.pardon();
      }
      this.rhythm.add(i, moment.atMs, judged.current);
    }
    this.tracks.update(i, moment.atMs, moment.windowMs, this.judged);
    if (this.tracks.isActive(i) && this.tracks.abnormalWindows(i) >= this.releaseWindows) {
      this.pool.rebase(i);
      this.tracks.end(i);
      this.released(i);
      for (const family of this.#coarser) if (!family.tracks.isActive(i)) family.relearn(i);
    }
  }

  /** The abnormal level that was judged last is the new normal. */
  protected released(_i: number): void {}

  /** What is judged is usual at this time. */
  protected pardon(): void {
    this.judged.exceeds = false;
    this.judged.calm = true;
    this.judged.score = 0;
  }

  /** What was learned no longer compares. */
  relearn(_i: number): void {}

  /** The entity is gone for good: its row is as new for who gets it next. */
  vacate(i: number): void {
    this.tracks.clear(i);
    this.pool.clear(i);
  }

  /** Number of the entity that series i belongs to. */
  ownerOf(i: number): number {
    return i;
  }

  /** Which of its owner's operations series i is of; undefined: all of them. */
  operationOf(_i: number): string | undefined {
    return undefined;
  }

  /** Of an active series that changed little by little: when that began to show; NaN: it changed at once, or nobody knows. */
  grownSinceMs(_i: number): number {
    return Number.NaN;
  }

  /** Of an active gauge that runs full: when it meets its limit at this pace; NaN: never, or nobody knows. */
  limitAtMs(_i: number): number {
    return Number.NaN;
  }

  save(): FamilyState {
    return {
      tracks: this.tracks.save(),
      pool: this.pool.save(),
      ...(this.rhythm === undefined ? {} : { rhythm: this.rhythm.save() }),
    };
  }

  restore(state: FamilyState): void {
    this.ensure(state.pool.size);
    this.open();
    this.tracks.load(state.tracks);
    this.pool.load(state.pool);
    if (state.rhythm !== undefined) this.rhythm?.load(state.rhythm);
  }
}
