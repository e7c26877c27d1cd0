/** The cases of a pack that have series, with their roots. */
import { basename } from 'node:path';
import type { NodeEvidence } from '../../src/demarcate/fallback.ts';
import { readPack } from '../loaders/rca-pack.ts';
import { readTruth } from './truth.ts';

export interface System {
  readonly name: string;
  readonly cases: readonly { readonly evidence: NodeEvidence; readonly root: string }[];
}

export function readSystem(pack: string): System {
  const truth = readTruth(pack);
  const cases = [...readPack(pack)].flatMap((one) =>
    'evidence' in one ? [{ evidence: one.evidence, root: truth.get(one.id)?.root ?? '' }] : [],
  );
  return { name: basename(pack), cases };
}
