/** Facts of a suspect: what the rules see. */
import type { Comparison } from '../model/comparison.ts';
import type { Suspect, Walk } from '../model/walk.ts';
import { FACTS } from './fact-catalogue.ts';
import type { FactSheet } from './fact-sheet.ts';
import { setFact } from './fact-sheet.ts';
import { changeFacts, telemetryFacts } from './facts-context.ts';
import { databaseFacts } from './facts-database.ts';
import { edgeFacts } from './facts-edge.ts';
import { networkTimeFacts } from './facts-network-time.ts';
import { outFacts } from './facts-out.ts';
import { resourceFacts } from './facts-resource.ts';
import { serviceFacts, suspectFacts } from './facts-service.ts';
import type { Scope } from './scope.ts';
import { scopeOf } from './scope.ts';

const RATES = [
  'edge.calls_ratio',
  'service.traffic_ratio',
  'service.asked_ratio',
  'service.traffic_rise_per_s',
  'service.calls_per_caller_request_ratio',
];

export interface SuspectFacts {
  readonly scope: Scope;
  readonly sheet: FactSheet;
}

/**
 * Every fact of the catalogue for one suspect; unknown ones are null. A function of its arguments.
 * Cost: O(rows of the comparison).
 */
export function factsOf(comparison: Comparison, walk: Walk, suspect: Suspect): SuspectFacts {
  const scope = scopeOf(comparison, walk, suspect);
  const sheet: FactSheet = new Map();
  for (const { name } of FACTS) sheet.set(name, { value: null, onsetMs: null, witness: null });
  suspectFacts(scope, sheet);
  edgeFacts(scope, sheet);
  networkTimeFacts(scope, sheet);
  serviceFacts(scope, sheet);
  outFacts(scope, sheet);
  resourceFacts(scope, sheet);
  databaseFacts(scope, sheet);
  changeFacts(scope, sheet);
  telemetryFacts(scope, sheet);
  // Held against as many requests as it gets now, how many more these are cannot be told.
  if (scope.isNew) for (const name of RATES) setFact(sheet, name, null);
  return { scope, sheet };
}
