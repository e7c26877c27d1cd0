/** The leaves of a directory that a comparison is about, numbered. */
import { KEY_CALLEE, KEY_CALLER } from '../model/window.ts';
import type { Scope } from './compare-scope.ts';
import type { Directory } from './directory.ts';

export interface Slots {
  /** Slot -> leaf. */
  readonly leaves: readonly number[];
  /** Leaf -> slot; -1: not in the comparison. */
  readonly of: Int32Array;
}

/** @param seen  leaves that were seen since the first window of the comparison: none but these count. Cost: O(leaves). */
export function slotsOf(directory: Directory, scope: Scope, seen: Uint32Array): Slots {
  const leaves: number[] = [];
  const of = new Int32Array(directory.size).fill(-1);
  for (const leaf of seen) {
    const at = leaf * directory.width;
    if (!scope.holdsCall(directory.keys[at + KEY_CALLER]!, directory.keys[at + KEY_CALLEE]!)) continue;
    of[leaf] = leaves.length;
    leaves.push(leaf);
  }
  return { leaves, of };
}
