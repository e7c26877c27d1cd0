/** The leaves of a directory that a comparison is about, numbered. */
import { KEY_CALLEE, KEY_CALLER } from '../model/window.ts';
import type { Selection } from './compare-parts.ts';
import type { Scope } from './compare-scope.ts';
import type { Directory } from './directory.ts';

export interface Slots {
  /** Slot -> leaf. */
  readonly leaves: readonly number[];
  /** Leaf -> slot; -1: not in the comparison. */
  readonly of: Int32Array;
}

/** None but those that were seen since the first window of the comparison. Cost: O(leaves). */
export function slotsOf(directory: Directory, scope: Scope, { fromMs }: Selection): Slots {
  const leaves: number[] = [];
  const of = new Int32Array(directory.size).fill(-1);
  for (const leaf of directory.seenSince(fromMs)) {
    const at = leaf * directory.width;
    if (!scope.holdsCall(directory.keys[at + KEY_CALLER]!, directory.keys[at + KEY_CALLEE]!)) continue;
    of[leaf] = leaves.length;
    leaves.push(leaf);
  }
  return { leaves, of };
}
