/**
 * The slow past of many ratios (durations per request, errors per request, requests per window): sums of minutes, the last
 * five of which are "now", and of five-minute blocks of two hours. What grows so slowly that a baseline of minutes learns
 * it is seen against them. A block is not referred to before it is ten minutes old. All goes by the time of windows, so
 * that a log that is read again gives the same blocks. A minute is twelve windows, whatever their length.
 *
 * Memory: 700 bytes a series. Cost: O(1) a window, O(blocks log blocks) for each reference asked for.
 */
import { medianAndMadInPlace, medianInPlace, sortInPlace } from '../stats/robust.ts';
import type { ColumnsState } from './columns.ts';
import { Columns, fromBase64, toBase64 } from './columns.ts';

/** Windows of a minute; those of which nothing is known do not count, and half of them must be known. */
export const MINUTE_WINDOWS = 12;
export const MIN_WINDOWS = MINUTE_WINDOWS / 2;
export const NOW_MINUTES = 5;
export const BLOCK_WINDOWS = NOW_MINUTES * MINUTE_WINDOWS;
/** Blocks that are kept, and the most of them that are referred to: a log that is read again is behind what was kept. */
const BLOCKS = 36;
const REFERRED = 24;
/** Blocks' lengths that must have gone by since a block before it is referred to: ten minutes. */
const LAG_BLOCKS = 2;
const MIN_BLOCKS = 3;
/** Blocks this old speak of another time: five hours, more than a lasting alarm (two hours) keeps new ones from being made. */
const STALE_BLOCKS = 60;
/** Of the last five minutes the most extreme are left out: one slow request, or one frozen window, is no slow change. */
const LEFT_OUT = 2;
/** Of a quarter or four times the requests it is another mix of requests. */
const VOLUME_FACTOR = 4;
/** Of what was added since the low level, the share that shows the growth. */
const VISIBLE_SHARE = 0.25;

const SPECS = {
  /** Numerator, denominator, and known windows of the minute that is open. */
  open: { type: Float64Array, width: 3 },
  /** Numerators, then denominators; a ring. */
  minutes: { type: Float32Array, width: 2 * NOW_MINUTES },
  /** Minutes known without a break, up to NOW_MINUTES. */
  known: { type: Uint8Array },
  /** Number since 1970 of the minute that is open. */
  minute: { type: Uint32Array },
  turn: { type: Uint8Array },
  blocks: { type: Float32Array, width: 2 * BLOCKS },
  /** Number of the block since 1970. */
  number: { type: Uint32Array, width: BLOCKS },
  /** Blocks so far; the ring holds the last BLOCKS of them. */
  made: { type: Uint32Array },
} as const;

/** What a series usually is: of its blocks that are old enough and have a volume. */
export interface Reference {
  median: number;
  /** Scaled MAD of the blocks, of their logarithms if asked for. */
  spread: number;
  lowest: number;
  /** Median denominator of a block. */
  volume: number;
}

/** Of a gauge, over so many minutes. */
export interface Trend {
  readonly perMinute: number;
  readonly minutes: number;
  readonly noise: number;
}

const NO_TREND: Trend = { perMinute: Number.NaN, minutes: 0, noise: Number.NaN };
const MIN_KNOWN_SHARE = 0.9;

const values = new Float64Array(BLOCKS);
const times = new Float64Array(BLOCKS);
const slopes = new Float64Array((BLOCKS * (BLOCKS - 1)) / 2);
const volumes = new Float64Array(BLOCKS);
const level = { median: 0, spread: 0 };

export class DriftPool {
  readonly #columns = new Columns(SPECS);
  /** Valid after `endMinute` was true. */
  readonly latest = { numerator: 0, denominator: 0 };
  readonly whole = { numerator: 0, denominator: 0 };
  /** Valid after `refer` was true. */
  readonly reference: Reference = { median: 0, spread: 0, lowest: 0, volume: 0 };

  ensure(size: number): void {
    this.#columns.ensure(size);
  }

  get size(): number {
    return this.#columns.size;
  }

  /** @param minute  number since 1970 of the minute that the window lies in */
  add(i: number, minute: number, numerator: number, denominator: number): void {
    const { open } = this.#columns.array;
    if (this.#columns.array.minute[i] !== minute) this.#begin(i, minute);
    open[i * 3] = open[i * 3]! + numerator;
    open[i * 3 + 1] = open[i * 3 + 1]! + denominator;
    open[i * 3 + 2] = open[i * 3 + 2]! + 1;
  }

  /** What was begun in an earlier minute and not ended is over; a minute in between that nobody knows breaks the row. */
  #begin(i: number, minute: number): void {
    const { open, known, minute: last } = this.#columns.array;
    open.fill(0, i * 3, i * 3 + 3);
    if (last[i] !== minute - 1) known[i] = 0;
    last[i] = minute;
  }

  /**
   * Ends the minute. False: too little is known of it or of the four before; else `whole` has the sums of all five, and
   * `latest` those of the three that are nearest to usual.
   * @param falls  the change looked for is a fall: the lowest are left out, else the highest
   */
  endMinute(i: number, minute: number, falls: boolean): boolean {
    const { open, minutes, known, turn } = this.#columns.array;
    if (this.#columns.array.minute[i] !== minute) this.#begin(i, minute);
    const [numerator = 0, denominator = 0, windows = 0] = open.subarray(i * 3, i * 3 + 3);
    open.fill(0, i * 3, i * 3 + 3);
    if (windows < MIN_WINDOWS) {
      known[i] = 0;
      return false;
    }
    const at = i * 2 * NOW_MINUTES;
    minutes[at + turn[i]!] = numerator;
    minutes[at + NOW_MINUTES + turn[i]!] = denominator;
    turn[i] = (turn[i]! + 1) % NOW_MINUTES;
    known[i] = Math.min(NOW_MINUTES, known[i]! + 1);
    if (known[i] !== NOW_MINUTES) return false;
    const { latest, whole } = this;
    whole.numerator = 0;
    whole.denominator = 0;
    for (let k = 0; k < NOW_MINUTES; k++) {
      whole.numerator += minutes[at + k]!;
      whole.denominator += minutes[at + NOW_MINUTES + k]!;
      values[k] = minutes[at + NOW_MINUTES + k]! > 0 ? minutes[at + k]! / minutes[at + NOW_MINUTES + k]! : Number.NaN;
    }
    latest.numerator = whole.numerator;
    latest.denominator = whole.denominator;
    for (let left = 0; left < LEFT_OUT; left++) {
      let most = -1;
      for (let k = 0; k < NOW_MINUTES; k++) {
        if (Number.isNaN(values[k]!)) continue;
        if (most < 0 || (falls ? values[k]! < values[most]! : values[k]! > values[most]!)) most = k;
      }
      if (most < 0) break;
      values[most] = Number.NaN;
      latest.numerator -= minutes[at + most]!;
      latest.denominator -= minutes[at + NOW_MINUTES + most]!;
    }
    return true;
  }

  /** Takes `whole` for a block, where a block of five minutes ends. @param minute that has ended */
  endBlock(i: number, minute: number): void {
    const { blocks, number, made } = this.#columns.array;
    const block = Math.floor(minute / NOW_MINUTES);
    if ((minute + 1) % NOW_MINUTES !== 0) return;
    const ahead = made[i]! > 0 ? this.#number(i, 0) - block : -1;
    // A clock that was ahead and is set right; or it is read again.
    if (ahead >= BLOCKS) made[i] = 0;
    else if (ahead >= 0) return;
    const k = made[i]! % BLOCKS;
    blocks[i * 2 * BLOCKS + k] = this.whole.numerator;
    blocks[i * 2 * BLOCKS + BLOCKS + k] = this.whole.denominator;
    number[i * BLOCKS + k] = block;
    made[i] = made[i]! + 1;
  }

  /** @returns false when too few blocks are old enough; else what they are is in `reference` */
  refer(i: number, minute: number, minVolume: number, isLogarithmic: boolean): boolean {
    let n = 0;
    let lowest = Number.POSITIVE_INFINITY;
    const last = Math.floor((minute + 1) / NOW_MINUTES) - 1;
    const newest = this.#newest(i, last - LAG_BLOCKS);
    const least = Math.max(minVolume, this.whole.denominator / VOLUME_FACTOR);
    const most = this.whole.denominator * VOLUME_FACTOR;
    for (let back = newest; back < Math.min(newest + REFERRED, this.#held(i)); back++) {
      if (this.#number(i, back) <= last - STALE_BLOCKS) break;
      const denominator = this.#denominator(i, back);
      if (denominator < least || denominator > most) continue;
      const value = this.#numerator(i, back) / denominator;
      values[n] = isLogarithmic ? Math.log(value) : value;
      volumes[n++] = denominator;
      if (value < lowest) lowest = value;
    }
    if (n < MIN_BLOCKS) return false;
    medianAndMadInPlace(values, n, level);
    sortInPlace(volumes, n);
    this.reference.median = isLogarithmic ? Math.exp(level.median) : level.median;
    this.reference.spread = level.spread;
    this.reference.lowest = lowest;
    this.reference.volume = volumes[n >> 1]!;
    return true;
  }

  /**
   * How many minutes ago the newest block ended that does not show the change from the usual (a quarter of all blocks lie
   * beyond it) to `value` yet.
   */
  minutesSince(i: number, minute: number, minVolume: number, value: number): number {
    let n = 0;
    const last = Math.floor(minute / NOW_MINUTES);
    const newest = this.#newest(i, last);
    for (let back = newest; back < this.#held(i) && this.#number(i, back) > last - STALE_BLOCKS; back++) {
      const denominator = this.#denominator(i, back);
      if (denominator >= minVolume) values[n++] = this.#numerator(i, back) / denominator;
    }
    sortInPlace(values, n);
    const rises = value > values[n >> 1]!;
    const usual = values[rises ? n >> 2 : n - 1 - (n >> 2)]!;
    const limit = usual + VISIBLE_SHARE * (value - usual);
    for (let back = newest; back < this.#held(i); back++) {
      const denominator = this.#denominator(i, back);
      if (denominator < minVolume) continue;
      const before = this.#numerator(i, back) / denominator;
      if (rises ? before <= limit : before >= limit) return minute + 1 - (this.#number(i, back) + 1) * NOW_MINUTES;
    }
    return 0;
  }

  /**
   * The median slope between the blocks of the last `span` (Theil and Sen), and how far they scatter around it (scaled
   * MAD); NaN: fewer than nine tenths of them are known.
   */
  trend(i: number, minute: number, span: number, minVolume: number): Trend {
    // A block that ends with this minute is made after it was judged.
    const last = Math.floor(minute / NOW_MINUTES) - 1;
    let n = 0;
    for (let back = this.#newest(i, last); back < this.#held(i); back++) {
      const number = this.#number(i, back);
      if (number <= last - span) break;
      if (this.#denominator(i, back) < minVolume) continue;
      values[n] = this.#numerator(i, back) / this.#denominator(i, back);
      times[n++] = number * NOW_MINUTES;
    }
    if (n < MIN_KNOWN_SHARE * span) return NO_TREND;
    let pairs = 0;
    for (let a = 0; a < n; a++)
      for (let b = a + 1; b < n; b++) slopes[pairs++] = (values[a]! - values[b]!) / (times[a]! - times[b]!);
    const perMinute = medianInPlace(slopes, pairs);
    const minutes = times[0]! - times[n - 1]!;
    for (let a = 0; a < n; a++) values[a] = values[a]! - perMinute * times[a]!;
    medianAndMadInPlace(values, n, level);
    return { perMinute, minutes, noise: level.spread };
  }

  #held(i: number): number {
    return Math.min(BLOCKS, this.#columns.array.made[i]!);
  }

  /** How many back the newest block is that is none after `block`. */
  #newest(i: number, block: number): number {
    let back = 0;
    while (back < this.#held(i) && this.#number(i, back) > block) back++;
    return back;
  }

  #number(i: number, back: number): number {
    const { number, made } = this.#columns.array;
    return number[i * BLOCKS + ((made[i]! - 1 - back) % BLOCKS)]!;
  }

  #numerator(i: number, back: number): number {
    const { blocks, made } = this.#columns.array;
    return blocks[i * 2 * BLOCKS + ((made[i]! - 1 - back) % BLOCKS)]!;
  }

  #denominator(i: number, back: number): number {
    const { blocks, made } = this.#columns.array;
    return blocks[i * 2 * BLOCKS + BLOCKS + ((made[i]! - 1 - back) % BLOCKS)]!;
  }

  /** Forgets the minutes: what comes next does not go on from them. */
  interrupt(i: number): void {
    if (i >= this.size) return;
    const { open, known } = this.#columns.array;
    open.fill(0, i * 3, i * 3 + 3);
    known[i] = 0;
  }

  /** The level changed for good, or its meaning: learn again from nothing. */
  rebase(i: number): void {
    if (i >= this.size) return;
    this.interrupt(i);
    this.#columns.array.made[i] = 0;
  }

  clear(i: number): void {
    this.#columns.clear(i);
  }

  /** The blocks of one series, for an engine that starts again: numbers, numerators, denominators; '' when there are none. */
  exportBlocks(i: number): string {
    const held = i < this.size ? this.#held(i) : 0;
    const rows = Array.from({ length: held }, (_, k) => held - 1 - k);
    const numbers = rows.map((back) => this.#number(i, back));
    const numerators = rows.map((back) => this.#numerator(i, back));
    const denominators = rows.map((back) => this.#denominator(i, back));
    return held === 0 ? '' : toBase64(Float64Array.from([...numbers, ...numerators, ...denominators]));
  }

  /** Whether all of the exported blocks are too old to be referred to. */
  static isStale(text: string, minute: number): boolean {
    const rows = new Float64Array(fromBase64(text));
    return (rows[rows.length / 3 - 1] ?? 0) <= Math.floor(minute / NOW_MINUTES) - STALE_BLOCKS;
  }

  importBlocks(i: number, text: string): void {
    const rows = new Float64Array(fromBase64(text));
    const held = Math.min(BLOCKS, rows.length / 3);
    const { blocks, number, made } = this.#columns.array;
    for (let k = 0; k < held; k++) {
      number[i * BLOCKS + k] = rows[k]!;
      blocks[i * 2 * BLOCKS + k] = rows[held + k]!;
      blocks[i * 2 * BLOCKS + BLOCKS + k] = rows[2 * held + k]!;
    }
    made[i] = held;
  }

  save(): ColumnsState {
    return this.#columns.save();
  }

  load(state: ColumnsState): void {
    this.#columns.load(state);
  }
}
