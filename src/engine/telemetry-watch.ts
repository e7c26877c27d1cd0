/**
 * Says when a collector falls silent or its records get lost on the way, and when that is over: lines for the operator.
 * Both are told once they have lasted CONFIRM_WINDOWS.
 */
import { compareNames } from '../model/entity.ts';
import { listOf } from '../model/format.ts';
import { splitIncomplete } from '../model/window.ts';

/** A restart of a collector or a rebalance of partitions takes less. */
const CONFIRM_WINDOWS = 3;
/** Who has been silent for so long is gone: nobody waits for it, and it is as new when it reports again. */
const GONE_MS = 86_400_000;
/** Collectors named in a line. */
const SHOWN = 6;

export interface WindowTelemetry {
  readonly environment: string;
  readonly windowStartMs: number;
  /** Collectors of which anything arrived. */
  readonly collectors: readonly string[];
  /** `collector/type` of records known to be lost. */
  readonly incomplete: readonly string[];
}

interface Condition {
  isBad: boolean;
  /** Windows in a row that say otherwise, and the first of them. */
  against: number;
  sinceMs: number;
}

/** Conditions by subject that change when CONFIRM_WINDOWS in a row say so. */
class Conditions {
  readonly #of = new Map<string, Condition>();

  /**
   * @param bad       subjects in a bad state in this window
   * @param isJudged  whether the window says anything about a subject
   */
  step(bad: ReadonlySet<string>, atMs: number, isJudged: (subject: string) => boolean): readonly [string, Condition][] {
    for (const subject of bad)
      if (!this.#of.has(subject)) this.#of.set(subject, { isBad: false, against: 0, sinceMs: atMs });
    const changed: [string, Condition][] = [];
    for (const [subject, condition] of this.#of) {
      if (!isJudged(subject)) continue;
      if (bad.has(subject) === condition.isBad) condition.against = 0;
      else if (condition.against++ === 0) condition.sinceMs = atMs;
      if (condition.against === CONFIRM_WINDOWS) {
        condition.isBad = !condition.isBad;
        condition.against = 0;
        changed.push([subject, condition]);
      }
      if (!condition.isBad && condition.against === 0) this.#of.delete(subject);
    }
    return changed.sort(([a], [b]) => compareNames(a, b));
  }

  forget(isGone: (subject: string) => boolean): void {
    for (const subject of this.#of.keys()) if (isGone(subject)) this.#of.delete(subject);
  }
}

export class TelemetryWatch {
  readonly #environments = new Map<
    string,
    /** `known`: collector -> window in which it last reported. */
    { readonly known: Map<string, number>; readonly silence: Conditions; readonly loss: Conditions }
  >();

  /** Collectors that are known of an environment. */
  known(environment: string): readonly string[] {
    return [...(this.#environments.get(environment)?.known.keys() ?? [])];
  }

  /** @returns the lines that are due with this window; none in most windows. Cost: O(collectors). */
  step({ environment, windowStartMs, collectors, incomplete }: WindowTelemetry): string[] {
    let state = this.#environments.get(environment);
    if (state === undefined) {
      state = { known: new Map(), silence: new Conditions(), loss: new Conditions() };
      this.#environments.set(environment, state);
    }
    const present = new Set(collectors);
    for (const collector of present) state.known.set(collector, windowStartMs);
    const { known, silence, loss } = state;
    const gone = new Set<string>();
    for (const [collector, lastMs] of known) if (windowStartMs - lastMs >= GONE_MS) gone.add(collector);
    if (gone.size > 0) {
      for (const collector of gone) known.delete(collector);
      silence.forget((collector) => gone.has(collector));
      loss.forget((subject) => gone.has(splitIncomplete(subject).collector));
    }
    const silent = new Set([...known.keys()].filter((collector) => !present.has(collector)));
    const ofPresent = (subject: string): boolean => present.has(splitIncomplete(subject).collector);
    return [
      ...grouped(
        silence.step(silent, windowStartMs, () => true),
        (collector) => ({ collector, type: '' }),
      ),
      ...grouped(loss.step(new Set(incomplete), windowStartMs, ofPresent), splitIncomplete),
    ].map((line) => `${environment}: ${line}`);
  }
}

/** One line for all collectors that changed alike. */
function grouped(
  changed: readonly [string, Condition][],
  split: (subject: string) => { readonly collector: string; readonly type: string },
): string[] {
  const groups = new Map<string, { type: string; isBad: boolean; sinceMs: number; collectors: string[] }>();
  for (const [subject, { isBad, sinceMs }] of changed) {
    const { collector, type } = split(subject);
    const key = `${type}/${isBad}/${sinceMs}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { type, isBad, sinceMs, collectors: [collector] });
    else group.collectors.push(collector);
  }
  return [...groups.values()].map(({ type, isBad, sinceMs, collectors }) => {
    const who = `${collectors.length === 1 ? 'collector' : `${collectors.length} collectors:`} ${listOf(collectors, SHOWN)}`;
    const since = `since ${new Date(sinceMs).toISOString()}`;
    if (type === '')
      return isBad
        ? `nothing arrives ${since} of ${who}; what happens there is unknown`
        : `heard again ${since}: ${who}`;
    return isBad
      ? `${type} records get lost on the way ${since} (a partition, or the bus refuses them) of ${who}; what they would say is unknown`
      : `${type} records arrive whole again ${since}: ${who}`;
  });
}
