/** The evidence of an incident: its windows against healthy ones; and what began later in it against those before. */
import { demarcate, demarcateLater, ENOUGH_WINDOWS, laterStepsMs, laterTroubleMs } from '../demarcate/index.ts';
import type { CompareOptions, Ingest } from '../ingest/index.ts';
import type { Comparison } from '../model/comparison.ts';
import type { Incident } from '../model/incident.ts';
import { FELT_SYMPTOMS, lastBout } from '../model/incident.ts';
import { allThereMs } from '../model/onset.ts';
import type { Walk } from '../model/walk.ts';

/** A mean of less is a matter of luck. */
const ENOUGH_MS = 60_000;

export interface Evidence {
  /** Of the incident's first trouble: all of its windows, or those before other services got into trouble. */
  readonly comparison: Comparison;
  /** From here on windows are left out of `comparison`; absent: none are. */
  readonly leftOutFromMs?: number;
  /** What came later, in order. */
  readonly later: readonly Later[];
  /** The incident's first windows are folded into minutes, or of its growth: what began when cannot be told apart. */
  readonly isFolded: boolean;
}

/** Something that began later and lasts. */
export interface Later {
  readonly fromMs: number;
  /** It, up to what began after it, against the windows before it. */
  readonly step: Comparison;
  /** The first trouble, in the windows before it. */
  readonly before: Comparison;
}

/**
 * @param nowMs    last window that belongs to the incident
 * @param exclude  spans of other incidents, and of this one before it came back: not healthy
 * Cost: that of one comparison, O(retained rows), and of two more for each later beginning.
 */
export function evidenceOf(
  ingest: Ingest,
  incident: Incident,
  nowMs: number,
  exclude: NonNullable<CompareOptions['exclude']>,
): Evidence {
  const { environment, anomalies } = incident;
  const { startMs } = lastBout(incident);
  const currentFromMs = allThereMs(anomalies, nowMs - ENOUGH_MS);
  const troubledMs = firstTroubleMs(anomalies, startMs);
  const whole = ingest.compare(environment, startMs, nowMs, {
    anomalies,
    exclude,
    currentFromMs: currentFromMs ?? troubledMs,
  });
  const { windowMs } = whole;
  if (whole.current.fromMs >= troubledMs + windowMs) return { comparison: whole, later: [], isFolded: true };
  const within = (fromMs: number, toMs: number) =>
    anomalies.filter(({ onsetMs }) => onsetMs >= fromMs && onsetMs < toMs);
  const firstUntil = (untilMs: number): Comparison =>
    ingest.compare(environment, startMs, untilMs - windowMs, {
      anomalies: within(Number.NEGATIVE_INFINITY, untilMs),
      exclude,
      currentFromMs: troubledMs,
    });
  const troubleMs = laterTroubleMs(whole);
  const starts = laterStepsMs(whole, troubleMs).filter((fromMs) => fromMs <= nowMs);
  const later = starts.flatMap((fromMs, i): Later[] => {
    const untilMs = starts[i + 1] ?? nowMs + windowMs;
    if (untilMs - fromMs < ENOUGH_WINDOWS * windowMs) return [];
    // It need not be healthy before, but the same: the first window of a trouble holds some of the time before it.
    const beforeMs = (starts[i - 1] ?? troubledMs) + windowMs;
    const step = ingest.compare(environment, fromMs, untilMs - windowMs, {
      anomalies: within(fromMs, untilMs),
      exclude: [{ fromMs: Number.NEGATIVE_INFINITY, toMs: beforeMs }],
    });
    return [{ fromMs, step, before: firstUntil(fromMs) }];
  });
  if (troubleMs === undefined || troubleMs > nowMs) return { comparison: whole, later, isFolded: false };
  const before = later.find(({ fromMs }) => fromMs === troubleMs)?.before ?? firstUntil(troubleMs);
  return { comparison: before, leftOutFromMs: troubleMs, later, isFolded: false };
}

/**
 * When the first calls were slow or failed. What came before it (traffic whose change is dated by a chance, a busy processor) may
 * have led to it and goes on; windows that have it alone would only dilute what the trouble is.
 */
function firstTroubleMs(anomalies: Incident['anomalies'], startMs: number): number {
  const felt = anomalies.filter(({ symptom }) => FELT_SYMPTOMS.includes(symptom) && symptom !== 'traffic_drop');
  return felt.length === 0 ? startMs : Math.max(startMs, Math.min(...felt.map(({ onsetMs }) => onsetMs)));
}

export interface Walked {
  readonly walk: Walk;
  /** What the walk is of, and from where on windows are left out of it. */
  readonly comparison: Comparison;
  readonly leftOutFromMs?: number;
  /** What walks from what began later are of. */
  readonly steps: readonly Comparison[];
}

/**
 * The walk from the first trouble; where something of its own began later, from that as well, and the first by itself.
 * @param kept  what was found while the first windows could be told apart: it stays when they no longer can
 */
export function walkThrough({ comparison, leftOutFromMs, later, isFolded }: Evidence, kept?: Walked): Walked {
  if (isFolded && kept?.leftOutFromMs !== undefined) return kept;
  const steps = later.map(({ step }) => step);
  for (const [i, { step, before, fromMs }] of later.entries()) {
    const alone = demarcate(before);
    const told = demarcateLater(step, alone);
    if (told === alone) continue;
    const walk = steps.slice(i + 1).reduce((found, next) => demarcateLater(next, found), told);
    return { walk, comparison: before, leftOutFromMs: fromMs, steps };
  }
  const leftOut = leftOutFromMs === undefined ? {} : { leftOutFromMs };
  return { walk: demarcate(comparison), comparison, ...leftOut, steps };
}
