/** Who was not there before an incident: an instance of a new version, or of more that were started. */

/** Fewer calls before than so many windows bring now are those of its first moments. */
const FIRST_WINDOWS = 3;

/**
 * @param before   calls in all windows of the baseline
 * @param now      calls in all of the incident's
 * @param windows  of the incident
 */
export function isNewcomer(before: number, now: number, windows: number): boolean {
  return now > 0 && before * windows < FIRST_WINDOWS * now;
}
