/** Keys of a directory of edges: caller, callee, side. */
import type { LeafDirectory } from '../model/window.ts';
import { KEY_CALLEE, KEY_CALLER, KEY_SIDE } from '../model/window.ts';

export const EDGE_KEY_WIDTH = 3;
const key = new Uint32Array(EDGE_KEY_WIDTH);

/** The key of the edge that a leaf of calls is part of; valid until the next one is asked for. */
export function edgeKey({ keys, width }: LeafDirectory, leaf: number): Uint32Array {
  const at = leaf * width;
  key[0] = keys[at + KEY_CALLER]!;
  key[1] = keys[at + KEY_CALLEE]!;
  key[2] = keys[at + KEY_SIDE]!;
  return key;
}
