/** The evidence of an incident: its windows against healthy ones; and what began later in it against those before. */
import { demarcate, demarcateLater, ENOUGH_WINDOWS, laterStepMs, laterTroubleMs } from '../demarcate/index.ts';
import type { CompareOptions, Ingest } from '../ingest/index.ts';
import type { Comparison } from '../model/comparison.ts';
import type { Incident } from '../model/incident.ts';
import type { Walk } from '../model/walk.ts';

export interface Evidence {
  /** Of the incident's first trouble: all of its windows, or those before other services got into trouble. */
  readonly comparison: Comparison;
  /** From here on windows are left out of `comparison`; absent: none are. */
  readonly leftOutFromMs?: number;
  /** What came later, and lasts, against the windows of the first trouble; and that in the windows before it. */
  readonly later?: { readonly step: Comparison; readonly before: Comparison; readonly fromMs: number };
}

/**
 * @param nowMs    last window that belongs to the incident
 * @param exclude  spans of other incidents: not healthy
 * Cost: that of one comparison, O(retained rows); of three where something began later.
 */
export function evidenceOf(
  ingest: Ingest,
  { environment, startMs, anomalies }: Incident,
  nowMs: number,
  exclude: NonNullable<CompareOptions['exclude']>,
): Evidence {
  const whole = ingest.compare(environment, startMs, nowMs, { anomalies, exclude });
  const { windowMs } = whole;
  const troubleMs = laterTroubleMs(whole);
  const fromMs = troubleMs ?? laterStepMs(whole);
  if (fromMs === undefined || fromMs > nowMs) return { comparison: whole };
  const before = ingest.compare(environment, startMs, fromMs - windowMs, {
    anomalies: anomalies.filter(({ onsetMs }) => onsetMs < fromMs),
    exclude,
  });
  const first = troubleMs === undefined ? { comparison: whole } : { comparison: before, leftOutFromMs: fromMs };
  if (nowMs < fromMs + (ENOUGH_WINDOWS - 1) * windowMs) return first;
  const step = ingest.compare(environment, fromMs, nowMs, {
    anomalies: anomalies.filter(({ onsetMs }) => onsetMs >= fromMs),
    // The first window of the trouble holds some of the time before it.
    exclude: [...exclude, { fromMs: Number.NEGATIVE_INFINITY, toMs: startMs + windowMs }],
  });
  return { ...first, later: { step, before, fromMs } };
}

export interface Walked {
  readonly walk: Walk;
  /** What the walk is of, and from where on windows are left out of it. */
  readonly comparison: Comparison;
  readonly leftOutFromMs?: number;
  /** What walks from what began later are of. */
  readonly later?: Comparison;
}

/** The walk from the first trouble; where something of its own began later, from that as well, and the first by itself. */
export function walkThrough({ later, ...first }: Evidence): Walked {
  if (later === undefined) return { ...first, walk: demarcate(first.comparison) };
  const { step, before, fromMs } = later;
  const alone = demarcate(before);
  const both = demarcateLater(step, alone);
  if (both !== alone) return { comparison: before, leftOutFromMs: fromMs, walk: both, later: step };
  return { ...first, walk: before === first.comparison ? alone : demarcate(first.comparison) };
}
