/**
 * The life of an anomaly, for many series at once: K of the last N judged windows open it (more, of a series that is
 * abnormal now and then while nothing is wrong: `flicker.ts`), a run of calm ones closes it.
 * It began with the first of the windows that show it without a break, at a quarter of its strength or more: a spike some
 * windows before is another matter (a CUSUM would still remember it), and so is mild trouble that a fault came on top of. Windows without a judgement (unknown) change nothing, but an anomaly nobody can see any
 * more ends after FORGET_WINDOWS.
 */
import type { ColumnsState } from './columns.ts';
import { Columns, fromBase64, toBase64 } from './columns.ts';
import { shareAfter, windowsNeeded } from './flicker.ts';

/** A change is visible from this score on (two-sided 1 % of a normal). */
const VISIBLE_SCORE = 2.5;
/** An onset lies at most this many windows before the alarm. */
const MAX_ONSET_WINDOWS = 24;
/** Windows of a change that may look healthy by chance, one after the other. */
const ONSET_GAP = 1;
/** Unknown windows after which an anomaly is given up. */
const FORGET_WINDOWS = 24;
/** A window shows the change when its score is this share of the largest of those that raised the alarm. */
const ONSET_SHARE = 0.25;
/** Scores are remembered as eighths of a doubling of VISIBLE_SCORE, plus one; 0: not visible. */
const STEPS = 8;
/** So many windows later an abnormal one that raised no alarm was a flicker. */
const FLICKER_LAG = 12;

const SPECS = {
  bits: { type: Uint32Array },
  /** Share of windows that flicker, and windows it was learned from. */
  flicker: { type: Float32Array },
  seen: { type: Uint16Array },
  active: { type: Uint8Array },
  quiet: { type: Uint8Array },
  unknown: { type: Uint8Array },
  abnormal: { type: Uint16Array },
  shown: { type: Uint8Array, width: MAX_ONSET_WINDOWS },
  turn: { type: Uint8Array },
  direction: { type: Uint8Array },
} as const;

/** What is known of an anomaly while it lasts; times in ms. Few series have one. */
interface Episode {
  onset: number;
  /** It began within this time from the onset on: pooled windows do not say in which of them. */
  blur: number;
  detected: number;
  last: number;
  baseline: number;
  /** Mean of the abnormal windows: one window of five seconds is a matter of luck. */
  current: number;
  score: number;
  volume: number;
  /** Abnormal windows since it was raised. */
  windows: number;
}

/** In the order of a snapshot, after the series' number. */
const FIELDS = [
  'onset',
  'blur',
  'detected',
  'last',
  'baseline',
  'current',
  'score',
  'volume',
  'windows',
] as const satisfies readonly (keyof Episode)[];
const EPISODE_WIDTH = 1 + FIELDS.length;

export interface TracksState extends ColumnsState {
  /** Per series active now its number and the fields of its Episode, base64 of doubles. */
  readonly episodes: string;
}

export interface TrackRule {
  readonly open: number;
  readonly of: number;
  readonly close: number;
}

/** One judged window of one series. */
export interface Judgement {
  /** Signed towards the symptom; says when it began. */
  z: number;
  score: number;
  /** Abnormal beyond threshold and effect. */
  exceeds: boolean;
  /** Normal again by the lower threshold. */
  calm: boolean;
  baseline: number;
  current: number;
  volume: number;
  /** 0: the family's first symptom, 1: its second (the other direction). */
  direction: number;
  /** Windows this judgement stands for: more than one where sparse windows were pooled. */
  windows: number;
}

/** Calm windows in a row after which only one beyond the threshold shows that it goes on. */
const CALMED_WINDOWS = 2;

export class Tracks {
  readonly #columns = new Columns(SPECS);
  readonly #rule: TrackRule;
  readonly #episodes = new Map<number, Episode>();

  constructor(rule: TrackRule) {
    this.#rule = rule;
  }

  /** Series active now, in no particular order. */
  get live(): Iterable<number> {
    return this.#episodes.keys();
  }

  ensure(size: number): void {
    this.#columns.ensure(size);
  }

  isActive(i: number): boolean {
    return this.#columns.array.active[i] === 1;
  }

  /** Abnormal in one of the last three windows, or active: keep out of the baseline. */
  isSuspect(i: number): boolean {
    const { active, bits } = this.#columns.array;
    return active[i] === 1 || (bits[i]! & 7) !== 0;
  }

  /** A window that nothing is decided by, of a process that just started: what shows in it may have begun there. */
  witness(i: number, z: number): void {
    this.#show(i, z);
  }

  abnormalWindows(i: number): number {
    return this.#columns.array.abnormal[i]!;
  }

  unknown(i: number): void {
    if (this.#episodes.size === 0) return;
    const { active, unknown } = this.#columns.array;
    if (active[i] !== 1) return;
    unknown[i] = Math.min(255, unknown[i]! + 1);
    if (unknown[i]! >= FORGET_WINDOWS) this.end(i);
  }

  update(i: number, atMs: number, windowMs: number, judged: Judgement): void {
    const { bits, active, quiet, unknown, abnormal, direction } = this.#columns.array;
    unknown[i] = 0;
    for (let k = 0; k < judged.windows; k++) this.#show(i, judged.z);
    if (judged.exceeds && bits[i] !== 0 && direction[i] !== judged.direction) this.#turnRound(i);
    if (judged.exceeds) direction[i] = judged.direction;
    bits[i] = (bits[i]! << 1) | (judged.exceeds ? 1 : 0);
    if (active[i] === 1) {
      abnormal[i] = Math.min(65535, abnormal[i]! + judged.windows);
      if (judged.calm) {
        quiet[i] = quiet[i]! + 1;
        if (quiet[i]! >= this.#rule.close) this.end(i);
        return;
      }
      // Between the thresholds: what had calmed down has not come back by that.
      if (quiet[i]! >= CALMED_WINDOWS && !judged.exceeds) return;
      quiet[i] = 0;
      this.#note(i, atMs, judged);
      return;
    }
    this.#learnFlicker(i);
    if (!judged.exceeds || !this.#isBeyondChance(i)) return;
    active[i] = 1;
    quiet[i] = 0;
    abnormal[i] = judged.windows;
    const onset = atMs - this.#shownFor(i) * windowMs;
    const { baseline, current, score, volume, windows } = judged;
    // Never less than 0: a score is the largest since the anomaly began.
    const largest = Math.max(0, score);
    const blur = (windows - 1) * windowMs;
    const at = { onset, blur, detected: atMs, last: atMs };
    this.#episodes.set(i, { ...at, baseline, current, score: largest, volume, windows });
  }

  #learnFlicker(i: number): void {
    const { bits, flicker, seen } = this.#columns.array;
    flicker[i] = shareAfter(flicker[i]!, seen[i]!, ((bits[i]! >>> FLICKER_LAG) & 1) === 1);
    seen[i] = Math.min(65535, seen[i]! + 1);
  }

  /** Whether so many of the last windows were abnormal as never are while nothing is wrong. */
  #isBeyondChance(i: number): boolean {
    const { bits, flicker } = this.#columns.array;
    const { open, of } = windowsNeeded(flicker[i]!, this.#rule.open, this.#rule.of);
    return bitCount(bits[i]! & ((1 << of) - 1)) >= open;
  }

  #show(i: number, z: number): void {
    const { shown, turn } = this.#columns.array;
    const next = (turn[i]! + 1) % MAX_ONSET_WINDOWS;
    turn[i] = next;
    shown[i * MAX_ONSET_WINDOWS + next] =
      z >= VISIBLE_SCORE ? Math.min(255, 1 + Math.floor(STEPS * Math.log2(z / VISIBLE_SCORE))) : 0;
  }

  /** Windows back to the first that shows the change, from this one on. */
  #shownFor(i: number): number {
    const { shown, turn } = this.#columns.array;
    const at = (back: number): number =>
      shown[i * MAX_ONSET_WINDOWS + ((turn[i]! - back + MAX_ONSET_WINDOWS) % MAX_ONSET_WINDOWS)]!;
    let peak = 0;
    for (let back = 0; back < this.#rule.of; back++) peak = Math.max(peak, at(back));
    const enough = Math.max(1, peak + STEPS * Math.log2(ONSET_SHARE));
    let first = 0;
    let gap = 0;
    for (let back = 1; back < MAX_ONSET_WINDOWS && gap <= ONSET_GAP; back++) {
      if (at(back) >= enough) {
        first = back;
        gap = 0;
      } else gap++;
    }
    return first;
  }

  /** A rise that becomes a fall is another anomaly: start counting again. */
  #turnRound(i: number): void {
    if (this.isActive(i)) this.end(i);
    this.#columns.array.bits[i] = 0;
  }

  #note(i: number, atMs: number, judged: Judgement): void {
    const episode = this.#episodes.get(i)!;
    episode.last = atMs;
    episode.baseline = judged.baseline;
    episode.windows += judged.windows;
    episode.current += ((judged.current - episode.current) * judged.windows) / episode.windows;
    episode.score = Math.max(episode.score, judged.score);
    episode.volume += judged.volume;
  }

  end(i: number): void {
    const { bits, active, quiet, unknown, abnormal, shown } = this.#columns.array;
    for (const column of [bits, active, quiet, unknown, abnormal]) column[i] = 0;
    shown.fill(0, i * MAX_ONSET_WINDOWS, (i + 1) * MAX_ONSET_WINDOWS);
    this.#episodes.delete(i);
  }

  /** The series is another one's now. */
  clear(i: number): void {
    this.#columns.clear(i);
    this.#episodes.delete(i);
  }

  /** Of a series that is active. */
  read(i: number) {
    const { onset, blur, detected, last, baseline, current, score, volume } = this.#episodes.get(i)!;
    const direction = this.#columns.array.direction[i]!;
    const blurred = blur > 0 ? { onsetBlurMs: blur } : {};
    return {
      onsetMs: onset,
      ...blurred,
      detectedMs: detected,
      lastMs: last,
      baseline,
      current,
      score,
      volume,
      direction,
    };
  }

  save(): TracksState {
    const rows = [...this.#episodes]
      .sort(([a], [b]) => a - b)
      .flatMap(([i, episode]) => [i, ...FIELDS.map((field) => episode[field])]);
    return { ...this.#columns.save(), episodes: toBase64(Float64Array.from(rows)) };
  }

  load(state: TracksState): void {
    this.#columns.load(state);
    this.#episodes.clear();
    const rows = new Float64Array(fromBase64(state.episodes));
    for (let at = 0; at < rows.length; at += EPISODE_WIDTH) {
      const [i = 0, ...numbers] = rows.subarray(at, at + EPISODE_WIDTH);
      this.#episodes.set(
        i,
        Object.fromEntries(FIELDS.map((field, k) => [field, numbers[k]!])) as Record<keyof Episode, number>,
      );
    }
  }
}

function bitCount(bits: number): number {
  let n = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) n++;
  return n;
}
