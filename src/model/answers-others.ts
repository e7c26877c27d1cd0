/** Whether who seems to hang answers everybody else: then the one that waits does not read what it is told. */
import type { CallLeaf, Comparison } from './comparison.ts';
import type { Side } from './records.ts';
import { ACTIVE } from './records.ts';

/** Fewer answers to others than this tell nothing. */
const MIN_ANSWERS = 10;
/** Others get this much of what they got before. */
const AS_EVER = 0.5;
/** So many of the calls in flight are in the callee's hands. */
const HELD = 0.2;

/**
 * True when the very instances that the calls in flight of an edge wait for answer calls of others, as many as before. What
 * hangs for one caller alone, while that caller gives up none of it, is that caller's: a process that was stopped has not read
 * its answers.
 * Cost: O(calls).
 */
export function answersOthers(comparison: Comparison, from: string, to: string): boolean {
  const seen = comparison.calls.filter(({ callee }) => callee === to);
  const leaves = seen.filter(({ side }) => side === 'client');
  const waiting = (side: Side): readonly CallLeaf[] =>
    seen.filter(
      (leaf) => leaf.caller === from && leaf.side === side && leaf.status === ACTIVE && leaf.current.count > 0,
    );
  const sum = (all: readonly CallLeaf[]): number => all.reduce((count, { current }) => count + current.count, 0);
  const waits = waiting('client');
  const inFlight = sum(waits);
  // What it has read and not answered it holds itself, whatever others ask for.
  if (sum(waiting('server')) >= HELD * inFlight) return false;
  // Who goes on asks again, and gives up again.
  const failed = leaves.filter(({ caller, status }) => caller === from && status !== ACTIVE);
  if (failed.reduce((sum, { current }) => sum + current.errors, 0) >= inFlight) return false;
  const instances = new Set(waits.map(({ calleeInstance }) => calleeInstance));
  return instances.size > 0 && [...instances].every((one) => isAnsweredBy(leaves, from, one, comparison));
}

function isAnsweredBy(
  leaves: readonly CallLeaf[],
  from: string,
  instance: string | undefined,
  comparison: Comparison,
): boolean {
  const others = leaves.filter(({ caller, calleeInstance }) => caller !== from && calleeInstance === instance);
  if (others.some(({ status, current }) => status === ACTIVE && current.count > 0)) return false;
  const now = others.reduce((sum, { current }) => sum + current.count - current.errors, 0);
  return now >= MIN_ANSWERS && answersRatio(others, comparison) >= AS_EVER;
}

/** Good answers a window, now against before; NaN: there were none. */
function answersRatio(leaves: readonly CallLeaf[], { baseline, current }: Comparison): number {
  const answers = (when: 'baseline' | 'current'): number =>
    leaves.reduce((sum, leaf) => (leaf.status === ACTIVE ? sum : sum + leaf[when].count - leaf[when].errors), 0);
  return answers('current') / current.windows / (answers('baseline') / baseline.windows);
}
