/** Since when a condition is met: a cause, and what speaks against one, does not come later than the symptom. */
import { childPath } from './compile.ts';
import type { ExplainContext } from './explain.ts';
import { childrenOf } from './explain.ts';
import type { Condition } from './types.ts';

/** Facts that count events: they are there since the first of them. Of others an onset is when their metric left its band. */
const EVENTS = /^change\.|connect_failures|\.drops_|oom_kills/;

interface Since {
  readonly ms: number;
  readonly isEvent: boolean;
}

/** Of a part that is met, but nobody knows since when. */
const EVER: Since = { ms: Number.NEGATIVE_INFINITY, isEvent: false };

/**
 * When a condition whose evidence is present was first met, ms: where all parts are asked for and some are events, with the last
 * of these; else with the first part. null: not known. Facts whose onset is not known, and what is met by something's absence,
 * are met ever since.
 * Cost: O(leaves of the condition).
 */
export function metSinceMs(condition: Condition, path: string, context: ExplainContext): number | null {
  const { ms } = since(condition, path, context);
  return Number.isFinite(ms) ? ms : null;
}

function since(condition: Condition, path: string, context: ExplainContext): Since {
  if ('fact' in condition) {
    const ms = context.sheet.get(condition.fact)?.onsetMs;
    return ms === undefined || ms === null ? EVER : { ms, isEvent: EVENTS.test(condition.fact) };
  }
  if ('not' in condition) return EVER;
  const met = childrenOf(condition, context.tree).flatMap((part, i) => {
    const at = childPath(path, i);
    return context.results.evidence(at) === 'present' ? [since(part, at, context)] : [];
  });
  met.sort((a, b) => a.ms - b.ms);
  if ('any' in condition) return met[0] ?? EVER;
  if ('atLeast' in condition) return met[condition.atLeast.k - 1] ?? EVER;
  return met.findLast(({ isEvent }) => isEvent) ?? met.find(({ ms }) => Number.isFinite(ms)) ?? EVER;
}
