/** When to try again. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/**
 * Wait before each attempt: at once, then 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
 * Source: the schedule Standard Webhooks recommends (spec 1.0, "Deliverability and reliability").
 */
export const SCHEDULE_MS: readonly number[] = [
  0,
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
];

/** Jitter only adds, so that a receiver's own wish to wait is never cut short. */
const JITTER = 0.2;
const MAX_RETRY_AFTER_MS = 24 * HOUR;

/**
 * Time of the next attempt, or null when `attemptsMade` was the last.
 * @param random        uniform in [0, 1)
 * @param retryAfterMs  what the receiver asked for; obeyed up to a day
 */
export function nextAttemptMs(
  attemptsMade: number,
  nowMs: number,
  random: () => number,
  retryAfterMs: number | null,
): number | null {
  const wait = SCHEDULE_MS[attemptsMade];
  if (wait === undefined) return null;
  const asked = Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS);
  return nowMs + Math.round(Math.max(wait, asked) * (1 + JITTER * random()));
}

/** Reads Retry-After: seconds or an HTTP date. null: absent or not understood. */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | null {
  if (value === undefined) return null;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * SECOND;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - nowMs);
}
