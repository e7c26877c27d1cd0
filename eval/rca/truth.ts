/** What is true of the cases of a pack. Only what scores or explains reads it, never what ranks. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Truth {
  readonly root: string;
  readonly faultType: string;
}

/** Case -> its root; throws when the pack has no truth.csv. */
export function readTruth(pack: string): Map<string, Truth> {
  const lines = readFileSync(join(pack, 'truth.csv'), 'utf8').trim().split('\n').slice(1);
  return new Map(
    lines
      .map((line) => line.trim().split(','))
      .map(([id = '', root = '', , faultType = '']) => [id, { root, faultType }] as const),
  );
}
