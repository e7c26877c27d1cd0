/**
 * Guards the host from the collector: above its CPU or memory limit it stops looking at payload (layer 7) and goes on
 * with TCP counters and resources; it resumes when the load has stayed well below the limits for a while. Shedding takes
 * its own cause away, so each time it opens again soon it waits twice as long before it tries anew.
 */
import type { HealthRecord } from '../src/model/records.ts';

export type BreakerState = NonNullable<HealthRecord['breaker']>;

export interface BreakerLimits {
  /** CPUs that collector and loader together may use, averaged over one check. */
  readonly cpuLimitRatio: number;
  readonly memoryLimitBytes: number;
}

/** Checks over a limit that open it, and checks below the lower mark that close it. */
const OPEN_AFTER = 2;
const CLOSE_AFTER = 6;
const LOWER_MARK = 0.7;
/** Longest wait; and closed for so many checks it has recovered, the next wait is the first again. */
const CLOSE_AFTER_MOST = 384;
const RECOVERED_AFTER = 60;

export class Breaker {
  state: BreakerState = 'closed';
  readonly #limits: BreakerLimits;
  #over = 0;
  #under = 0;
  #closeAfter = CLOSE_AFTER;
  #checksClosed = Infinity;

  constructor(limits: BreakerLimits) {
    this.#limits = limits;
  }

  /**
   * @param cpuRatio      CPUs used since the last check, 1 = one whole core
   * @param memoryBytes   resident memory
   * @returns true when the state changed
   */
  check(cpuRatio: number, memoryBytes: number): boolean {
    const { cpuLimitRatio, memoryLimitBytes } = this.#limits;
    const over = cpuRatio > cpuLimitRatio || memoryBytes > memoryLimitBytes;
    const under = cpuRatio < cpuLimitRatio * LOWER_MARK && memoryBytes < memoryLimitBytes;
    this.#over = over ? this.#over + 1 : 0;
    this.#under = under ? this.#under + 1 : 0;
    this.#checksClosed++;
    if (this.state === 'closed' && this.#over >= OPEN_AFTER) {
      this.state = 'shedding_l7';
      const isAgain = this.#checksClosed < RECOVERED_AFTER;
      this.#closeAfter = isAgain ? Math.min(this.#closeAfter * 2, CLOSE_AFTER_MOST) : CLOSE_AFTER;
      return true;
    }
    if (this.state !== 'closed' && this.#under >= this.#closeAfter) {
      this.state = 'closed';
      this.#checksClosed = 0;
      return true;
    }
    return false;
  }
}
