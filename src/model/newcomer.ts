/** Who was not there before an incident: instances of a new version, or more of the same. */
import type { Comparison } from './comparison.ts';
import { compareNames } from './entity.ts';

/** Fewer calls before than so many windows bring now are those of its first moments. */
const FIRST_WINDOWS = 3;
/** Of a short baseline not even these: who was there for more of it was there. */
const FIRST_SHARE = 0.25;

/** Calls in all windows of the baseline, and in all of the incident's. */
export interface Counts {
  readonly before: number;
  readonly now: number;
}

/**
 * More requests for everybody make nobody new: the fewer calls of a time before a surge count for more.
 *
 * @param all  of its service, its own among them
 */
export function isNewcomer(own: Counts, all: Counts, { baseline, current }: Comparison): boolean {
  if (own.before <= 0 || own.now <= 0) return own.now > 0;
  const first = Math.min(FIRST_WINDOWS, FIRST_SHARE * baseline.windows);
  const surge = Math.max(1, (all.now * baseline.windows) / (all.before * current.windows));
  return own.before * surge * current.windows < first * own.now;
}

export interface Newcomers {
  /** Instances of the service that were not there before, by name. */
  readonly names: readonly string[];
  /** Of all instances that are called now. */
  readonly of: number;
  /** Share of the service's calls that they get now. */
  readonly share: number;
}

/**
 * As the service's own side saw it, or else its callers. Cost: O(calls).
 *
 * @returns undefined: its instances are not told apart, or nobody called it before, or calls it now
 */
export function newcomersOf(comparison: Comparison, service: string): Newcomers | undefined {
  const into = comparison.calls.filter(
    ({ callee, calleeInstance }) => callee === service && calleeInstance !== undefined,
  );
  const side = into.some((leaf) => leaf.side === 'server') ? 'server' : 'client';
  const sums = new Map<string, { before: number; now: number }>();
  let [before, now] = [0, 0];
  for (const leaf of into) {
    if (leaf.side !== side) continue;
    const sum = sums.get(leaf.calleeInstance!) ?? { before: 0, now: 0 };
    sums.set(leaf.calleeInstance!, sum);
    sum.before += leaf.baseline.count;
    sum.now += leaf.current.count;
    before += leaf.baseline.count;
    now += leaf.current.count;
  }
  if (before === 0 || now === 0) return undefined;
  const called = [...sums].filter(([, sum]) => sum.now > 0);
  const found = called.filter(([, sum]) => isNewcomer(sum, { before, now }, comparison));
  return {
    names: found.map(([name]) => name).sort(compareNames),
    of: called.length,
    share: found.reduce((all, [, sum]) => all + sum.now, 0) / now,
  };
}
