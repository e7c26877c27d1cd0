/**
 * Restarts and deploys: a warm-up for what just started (durations and CPU, never errors), and crashes as evidence.
 * A mute is not given again before MUTE_AGAIN_WINDOWS: forking servers and crash loops are no excuse for slowness.
 */
import { isCrash } from '../model/crash.ts';
import { compareNames, instance } from '../model/entity.ts';
import type { Anomaly } from '../model/incident.ts';
import type { ChangeRecord } from '../model/records.ts';
import type { DetectConfig } from './config.ts';
import type { Moment } from './family.ts';

const MUTING = new Set(['process_start', 'image', 'version', 'listener_opened']);
const MUTE_AGAIN_WINDOWS = 36;
/** A service with some instances just started: shorter, the others carry it. */
const SERVICE_MUTE_RATIO = 0.5;
/** Stopped instances are remembered for so long. */
const STOPPED_WINDOWS = 720;
/** Answers later than this are those of a process that goes on, not the last ones of the one that ended. */
const LAST_ANSWERS_WINDOWS = 2;
/** A crash is shown as evidence for this long. */
const CRASH_WINDOWS = 12;
/** Rare events have no distribution: certain when seen. */
const CRASH_SCORE = 10;

export interface RestartsState {
  readonly muted: readonly (readonly [string, number])[];
  readonly crashes: readonly (readonly [string, Anomaly])[];
  readonly stopped: readonly (readonly [string, number])[];
}

export class Restarts {
  readonly #config: DetectConfig;
  /** `kind:name` -> turn of the change. */
  readonly #since = new Map<string, number>();
  readonly #crashes = new Map<string, Anomaly>();
  /** Instance -> turn in which a process of it was last stopped on purpose. */
  readonly #stopped = new Map<string, number>();

  constructor(config: DetectConfig) {
    this.#config = config;
  }

  /** Entities (`kind:name`) whose durations and CPU are not judged in this window. */
  step(changes: readonly ChangeRecord[], moment: Moment): ReadonlySet<string> {
    for (const change of changes) {
      if (MUTING.has(change.change) && change.entityKind !== 'machine') {
        this.#mute(`${change.entityKind}:${change.entity}`, moment.turn);
        if (change.service !== undefined) this.#mute(`service:${change.service}`, moment.turn);
      }
      if (isCrash(change)) this.#crash(change, moment);
      else if (change.change === 'process_exit' && change.entityKind === 'instance') {
        this.#stopped.delete(change.entity);
        this.#stopped.set(change.entity, moment.turn);
      }
      if (change.change === 'process_start') this.#stopped.delete(change.entity);
    }
    for (const [name, turn] of this.#stopped) {
      if (moment.turn - turn <= STOPPED_WINDOWS) break;
      this.#stopped.delete(name);
    }
    const muted = new Set<string>();
    for (const [key, turn] of this.#since) {
      const windows = this.#config.restartWarmupWindows * (key.startsWith('service:') ? SERVICE_MUTE_RATIO : 1);
      if (moment.turn - turn < windows) muted.add(key);
      else if (moment.turn - turn > MUTE_AGAIN_WINDOWS) this.#since.delete(key);
    }
    return muted;
  }

  /** Instances that were stopped on purpose and have not started again: that nobody calls them is no news. */
  get stopped(): { has(instance: string): boolean; readonly size: number } {
    return this.#stopped;
  }

  /** An instance answers: what stopped was not all of it (a process that handed over to the next, one of several). */
  answered(instance: string, turn: number): void {
    if (turn - (this.#stopped.get(instance) ?? turn) > LAST_ANSWERS_WINDOWS) this.#stopped.delete(instance);
  }

  #mute(key: string, turn: number): void {
    if (!this.#since.has(key)) this.#since.set(key, turn);
  }

  #crash(change: ChangeRecord, { atMs }: Moment): void {
    const oom = change.change === 'oom_kill';
    const key = `${change.entity}\0${oom}`;
    const before = this.#crashes.get(key);
    const count = (before?.volume ?? 0) + 1;
    this.#crashes.set(key, {
      entity: instance(change.entity),
      metric: oom ? 'oom_kills' : 'process_exits',
      symptom: oom ? 'oom_kill' : 'restart',
      onsetMs: before?.onsetMs ?? atMs,
      detectedMs: before?.detectedMs ?? atMs,
      lastMs: atMs,
      baseline: 0,
      // All of them since the first: a mean of windows says nothing of rare events.
      current: count,
      score: CRASH_SCORE,
      volume: count,
    });
  }

  /** Crashes of the last minute. */
  active({ atMs, windowMs }: Moment): Anomaly[] {
    for (const [key, crash] of this.#crashes) {
      if (atMs - crash.lastMs > CRASH_WINDOWS * windowMs) this.#crashes.delete(key);
    }
    return [...this.#crashes].sort(([a], [b]) => compareNames(a, b)).map(([, crash]) => crash);
  }

  save(): RestartsState {
    return { muted: [...this.#since], crashes: [...this.#crashes], stopped: [...this.#stopped] };
  }

  restore(state: RestartsState): void {
    for (const [key, turn] of state.muted) this.#since.set(key, turn);
    for (const [key, crash] of state.crashes) this.#crashes.set(key, crash);
    for (const [name, turn] of state.stopped) this.#stopped.set(name, turn);
  }
}
