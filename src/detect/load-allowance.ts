/** What more traffic excuses of durations: the same for sudden and for slow changes. */

/**
 * Queueing: when traffic is r times its baseline, durations may be r^0.75 times theirs before anything is called
 * abnormal. That covers an M/M/1 server that is busy for a fifth of its time, up to four times the traffic; one that was
 * half busy is too small for twice of it, and its users feel it.
 */
export const LOAD_EXPONENT = 0.75;
const LOAD_FROM = 1.1;
const LOAD_TO = 4;

/** @param load  traffic as a multiple of its baseline; NaN: unknown @returns factor that durations may have grown by, 1 or more */
export function loadAllowance(load: number, exponent: number = LOAD_EXPONENT): number {
  return load > LOAD_FROM ? Math.min(load, LOAD_TO) ** exponent : 1;
}
