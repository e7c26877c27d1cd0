/** Who was not there before an incident: instances of a new version, or more of the same. */
import type { Comparison, Span } from './comparison.ts';
import { compareNames } from './entity.ts';

/** Fewer calls before than so many windows bring now are those of its first moments. */
const FIRST_WINDOWS = 3;

/** Calls in all windows of the baseline, and in all of the incident's. */
export interface Called {
  readonly before: number;
  readonly now: number;
}

/**
 * Whether an instance was there before in its first moments only: with fewer calls than some windows bring now, in which
 * all instances of its service together may get many times as many as before.
 *
 * @param all  of its service
 */
export function isNewcomer(own: Called, all: Called, { baseline, current }: Spans): boolean {
  const grown = (all.now * baseline.windows) / (all.before * current.windows);
  const surge = grown > 1 && Number.isFinite(grown) ? grown : 1;
  return own.now > 0 && own.before * current.windows * surge < FIRST_WINDOWS * own.now;
}

/** How many windows each span has. */
export type Spans = Readonly<Record<'baseline' | 'current', Pick<Span, 'windows'>>>;

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
export function newcomersOf({ calls, baseline, current }: Comparison, service: string): Newcomers | undefined {
  const into = calls.filter(({ callee, calleeInstance }) => callee === service && calleeInstance !== undefined);
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
  const found = called.filter(([, sum]) => isNewcomer(sum, { before, now }, { baseline, current }));
  return {
    names: found.map(([name]) => name).sort(compareNames),
    of: called.length,
    share: found.reduce((all, [, sum]) => all + sum.now, 0) / now,
  };
}
