/**
 * An alarm budget for a single curve. Whoever looks after a curve believes a few alarms a week, and no fixed threshold
 * gives every curve so few: each alarm raises the curve's own threshold a little, and time brings it back at the rate at
 * which alarms are affordable. A curve within its budget keeps its threshold; one that alarms more often has to show
 * more, up to a limit, so that no curve alarms itself deaf.
 */

/** Alarms a day that cost nothing in the long run, what one alarm raises the threshold by, and the limit: docs/detection.md. */
const ALARMS_PER_DAY = 0.6;
const RAISE = Math.log(1.02);
const MOST = Math.log(3);
/** Points without an alarm that an alarm may have inside: what comes after is another. */
const GAP_POINTS = 5;

export class AlarmBudget {
  readonly #return: number;
  /** Logarithm of the threshold: now, and as it was when the alarm began. */
  #raised = 0;
  #threshold = 0;
  #sinceAlarm = Number.POSITIVE_INFINITY;

  /** @param pointsPerDay of the curve */
  constructor(pointsPerDay: number) {
    this.#return = (RAISE * ALARMS_PER_DAY) / pointsPerDay;
  }

  /**
   * The next point's score, in units of the threshold the curve had without a budget, in units of the one it has; an
   * alarm is 1 or more. Cost: O(1).
   */
  weigh(score: number): number {
    this.#raised = Math.max(0, this.#raised - this.#return);
    const isNew = this.#sinceAlarm++ > GAP_POINTS;
    if (isNew) this.#threshold = this.#raised;
    const own = score / Math.exp(this.#threshold);
    if (own < 1) return own;
    this.#sinceAlarm = 0;
    if (isNew) this.#raised = Math.min(MOST, this.#raised + RAISE);
    return own;
  }
}
