/** Facts of a suspect: what the rules see. */
import type { Comparison, MetricPair } from '../model/comparison.ts';
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
  'service.asked_rise_per_s',
  'service.traffic_rise_per_s',
  'service.calls_per_caller_request_ratio',
];

/** An instance that was not there in more than this share of the baseline came in it. */
const LATE_SHARE = 0.2;

/** By what is known of its resources: an instance that gets no requests has them all the same. */
function wasLate({ entity, instances, comparison }: Scope): boolean {
  if (entity.kind !== 'instance' || instances.length === 0) return false;
  const windows = (metrics: readonly MetricPair[]): number =>
    metrics.reduce((most, { baselineWindows }) => Math.max(most, baselineWindows), 0);
  const own = instances.reduce((most, { metrics }) => Math.max(most, windows(metrics)), 0);
  const longest = comparison.resources.reduce((most, { metrics }) => Math.max(most, windows(metrics)), 0);
  return own > 0 && own < (1 - LATE_SHARE) * longest;
}

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
  // Held against as many requests as it gets now, or against a time when it was not there, how many more these are cannot be told.
  if (scope.isNew || wasLate(scope)) for (const name of RATES) setFact(sheet, name, null);
  return { scope, sheet };
}
