/**
 * The scan, what of it is accepted, and whether it began with the wrong element. It is greedy: a common ancestor of two
 * causes, or an element across them, can score more than either and less than both.
 */
import type { Accepted } from './accept.ts';
import { accept } from './accept.ts';
import type { Found, Scan } from './scan.ts';
import { rivals, scan } from './scan.ts';
import type { ScanInput } from './sums.ts';

/** Other beginnings that are tried: each costs a scan. One: X .929, two: .936, four and more: .940. */
const MOST_RIVALS = 4;

export interface Causes {
  readonly scan: Scan;
  readonly accepted: Accepted;
}

/**
 * Where healthy leaves break the noise model, the scan is begun anew with each rival of its first element. What then is
 * accepted counts when it explains enough, when several of the causes are of the rival's cuboid (one fault is a set of
 * elements of one cuboid: the root cause of Squeeze, ISSRE 2019), and when its causes score more in all.
 * @returns the first scan, and what is accepted of it or of the better one. Cost: one scan, up to six under heavy tails.
 */
export function findCauses(input: ScanInput, codes: readonly Uint32Array[]): Causes {
  const greedy = scan(input, codes);
  let accepted = accept(input, greedy.found);
  const [best] = greedy.found;
  if (best === undefined || !accepted.heavyTails || !accepted.explained || accepted.causes.length === 0)
    return { scan: greedy, accepted };
  let score = together(accepted.causes);
  for (const rival of rivals(input, best, MOST_RIVALS)) {
    const { found } = scan(input, codes, rival);
    const other = accept(input, found);
    const own = other.causes.filter(({ cuboid }) => cuboid === found[0]?.cuboid);
    if (!other.explained || own.length < 2 || together(other.causes) <= score) continue;
    accepted = other;
    score = together(other.causes);
  }
  return { scan: greedy, accepted };
}

function together(causes: readonly Found[]): number {
  return causes.reduce((sum, { score }) => sum + score, 0);
}
