/** The leaves of a directory that a comparison is about, numbered. */
import { ACTIVE } from '../model/records.ts';
import { KEY_CALLEE, KEY_CALLER, KEY_STATUS } from '../model/window.ts';
import type { Scope } from './compare-scope.ts';
import type { Directory } from './directory.ts';
import type { Identities } from './identities.ts';

export interface Slots {
  /** Slot -> leaf. */
  readonly leaves: readonly number[];
  /** Leaf -> slot; -1: not in the comparison. */
  readonly of: Int32Array;
}

/** Of slots of calls, 1: these have not ended. Cost: O(slots). */
export function activeOnes({ calls, names }: Identities, { leaves }: Slots): Uint8Array {
  return Uint8Array.from(leaves, (leaf) => Number(names.name(calls.keys[leaf * calls.width + KEY_STATUS]!) === ACTIVE));
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
