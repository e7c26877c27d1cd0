/** What a report is built from. */
import type { Comparison } from '../model/comparison.ts';
import type { Incident } from '../model/incident.ts';
import type { AttributionSummary, Report } from '../model/report.ts';
import type { Verdict } from '../model/verdict.ts';
import type { Walk } from '../model/walk.ts';

export interface ReportInput {
  readonly incident: Incident;
  readonly comparison: Comparison;
  /** From here on windows are left out of the comparison, as something else began; absent: none are. */
  readonly leftOutFromMs?: number;
  /** The evidence of walks from what began later. */
  readonly steps?: readonly Comparison[];
  readonly walk: Walk;
  /** One per suspect of the walk, in its order. */
  readonly verdicts: readonly Verdict[];
  /** The same for each further walk. */
  readonly furtherVerdicts?: readonly (readonly Verdict[])[];
  readonly attribution?: readonly AttributionSummary[];
  /** The revision before, when this is an update. */
  readonly previous?: Report;
  /** Event time of this report: the end of the last window it has seen. */
  readonly reportedMs: number;
  /** True while evidence is still coming in. */
  readonly provisional?: boolean;
  readonly configHash: string;
  readonly rulesHash: string;
}
