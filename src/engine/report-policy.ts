/** When an incident is analysed again, and when what came out is worth a new revision. */
import { ENOUGH_WINDOWS } from '../demarcate/index.ts';
import type { Incident } from '../model/incident.ts';
import { lastBout } from '../model/incident.ts';
import type { RankedCause, Report } from '../model/report.ts';
import type { ClosedWindow } from '../model/window.ts';
import { causeKey, toldCauses } from '../report/index.ts';

/** Windows after opening in which every window is analysed: half a minute, when most late evidence arrives. */
const EAGER_WINDOWS = 6;
/** Later, one analysis in so many windows. */
const CALM_EVERY = 6;
/** Analyses in a row, window by window, that each find other news. */
const MOST_IN_A_ROW = 3;
/** A change of confidence that a reader would notice. */
const CONFIDENCE_STEP = 0.15;

/** True when an open incident should be analysed at the close of this window. */
export function isDue(incident: Incident, window: ClosedWindow): boolean {
  if (incident.state !== 'open' || incident.environment !== window.environment) return false;
  const age = Math.round((window.startMs - lastBout(incident).openedMs) / window.windowMs);
  return age >= 0 && (age <= EAGER_WINDOWS || age % CALM_EVERY === 0 || hasRipened(incident, window));
}

/** Resolved for so long that it cannot open again. */
export function isForgotten({ resolvedMs }: Incident, window: ClosedWindow, reopenWindows: number): boolean {
  return resolvedMs !== undefined && window.startMs - resolvedMs > reopenWindows * window.windowMs;
}

/** Something that began later has lasted long enough just now to be walked by itself. */
function hasRipened(incident: Incident, window: ClosedWindow): boolean {
  const { startMs } = lastBout(incident);
  const enoughMs = ENOUGH_WINDOWS * window.windowMs;
  return incident.anomalies.some(
    ({ onsetMs, symptom }) =>
      (symptom === 'latency_rise' || symptom === 'error_rise') &&
      onsetMs >= startMs + enoughMs &&
      window.startMs + window.windowMs - onsetMs === enoughMs,
  );
}

/**
 * Start of the last window that belongs to the incident: recovery must not dilute the evidence, and what only lingers
 * (drops, resets, round trips of a queue that empties) is no part of the trouble.
 */
export function lastAbnormalMs(incident: Incident, window: ClosedWindow): number {
  return Math.min(incident.lastSymptomMs, window.startMs);
}

/** A report within the first windows may still change as evidence arrives. */
export function isProvisional(incident: Incident, window: ClosedWindow): boolean {
  return incident.state === 'open' && window.startMs - lastBout(incident).openedMs < EAGER_WINDOWS * window.windowMs;
}

/**
 * What a later analysis finds and was not told of yet. One analysis may be led astray by a window that the fault, or its
 * end, covers in part: news is told when two in a row bring the same, the next of which comes with the next window.
 */
export interface Unconfirmed {
  /** Keys of causes (`causeKey`), as found by the last analysis. */
  readonly causes: ReadonlySet<string>;
  /** In a row that found news, another each time. */
  readonly analyses: number;
}

/** News is looked at again with the next window, but not for ever where each analysis finds another. */
export function isUrgent(waiting: Unconfirmed | undefined): boolean {
  return waiting !== undefined && waiting.analyses <= MOST_IN_A_ROW;
}

/**
 * The first report, the final one, a change of state, a cause that was not told before, or a confidence that moved visibly.
 * That a second cause is no longer there, or leads now, can wait: it may come back.
 * @param waiting  of the analysis before; absent: none waits
 * @returns whether to tell it, and what waits for the next analysis if not
 */
export function judgeNews(previous: Report | undefined, next: Report, waiting?: Unconfirmed): News {
  if (previous === undefined) return TELL;
  if (previous.state !== next.state || previous.provisional !== next.provisional) return TELL;
  const before = toldCauses(previous.causes, previous.ledgers);
  const after = toldCauses(next.causes, next.ledgers);
  const isIn = (told: Told, cause: RankedCause): boolean => told.some((one) => causeKey(one) === causeKey(cause));
  const fresh = after.filter((cause) => !isIn(before, cause)).map(causeKey);
  const [led, leads] = [before[0], after[0]];
  if (led === undefined || leads === undefined) {
    if (led !== leads) fresh.push('');
  } else if (causeKey(led) !== causeKey(leads)) {
    if (!isIn(after, led)) fresh.push(causeKey(leads));
  } else if (Math.abs(led.confidence - leads.confidence) >= CONFIDENCE_STEP) {
    return TELL;
  }
  if (fresh.length === 0) return SAME;
  if (fresh.some((key) => waiting?.causes.has(key) === true)) return TELL;
  return { isTold: false, waiting: { causes: new Set(fresh), analyses: (waiting?.analyses ?? 0) + 1 } };
}

export interface News {
  readonly isTold: boolean;
  readonly waiting?: Unconfirmed;
}

const TELL: News = { isTold: true };
const SAME: News = { isTold: false };

type Told = readonly RankedCause[];
