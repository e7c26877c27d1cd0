/**
 * Demarcation: from the symptom to the entity where the change arises, by accounting. The ledgers split the observed
 * change of the symptom's service exactly; their largest entries, narrowed to instances and edge ends, are the suspects.
 * What these do not explain elsewhere in the incident is walked from once more.
 */
import { comparedOf } from '../model/compared.ts';
import type { Comparison } from '../model/comparison.ts';
import type { Entity } from '../model/entity.ts';
import { service } from '../model/entity.ts';
import type { Walk } from '../model/walk.ts';
import { furtherWalks, laterWalks } from './further.ts';
import { withSteps } from './steps.ts';
import { chooseSymptom } from './symptom.ts';
import { buildSystem } from './system.ts';
import { walkFrom } from './walk-from.ts';

export { ENOUGH_WINDOWS, laterStepsMs, laterTroubleMs } from './later.ts';

/**
 * @param comparison  the incident's evidence
 * @param symptom     walk from here; by default the service nearest the users that changed
 * Cost: O(leaves + sweeps · edges). Deterministic; ties by entity key.
 */
export function demarcate(comparison: Comparison, symptom?: Entity): Walk {
  const system = buildSystem(comparison);
  const chosen = chooseSymptom(system, comparison, symptom);
  if (chosen === undefined) {
    return {
      symptom: symptom ?? service('unknown'),
      ledgers: [],
      suspects: [],
      abstained: true,
      notes: ['no service shows a symptom that a ledger could explain'],
    };
  }
  const walk = walkFrom(system, comparison, chosen);
  const further = furtherWalks(system, comparison, walk);
  return further.length === 0 ? walk : { ...walk, further };
}

/**
 * @param step  what came later (`laterStepsMs`) against the windows before it
 * @param walk  of the first trouble
 * @returns the walk with further ones from what the step changed and the first trouble's suspects do not account for; the
 *          same walk when there are none
 */
export function demarcateLater(step: Comparison, walk: Walk): Walk {
  const system = buildSystem(step);
  const found = laterWalks(system, withSteps(system, step), [walk, ...(walk.further ?? [])]);
  if (found.length === 0) return walk;
  const compared = comparedOf(step);
  return { ...walk, further: [...(walk.further ?? []), ...found.map((one) => ({ ...one, compared }))] };
}
