/** The dimensional drill-downs a report shows: of the symptom's service, and of the suspect's when it is another. */
import type { Comparison } from '../model/comparison.ts';
import type { AttributionSummary } from '../model/report.ts';
import type { Walk } from '../model/walk.ts';

export function drillDown(_comparison: Comparison, _walk: Walk): readonly AttributionSummary[] {
  return [];
}
