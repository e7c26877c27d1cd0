/**
 * Guards the host from the collector: above its CPU or memory limit it stops looking at payload (layer 7) and goes on
 * with TCP counters and resources; it resumes when the load has stayed well below the limits for a while.
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

export class Breaker {
  state: BreakerState = 'closed';
  readonly #limits: BreakerLimits;
  #over = 0;
  #under = 0;

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
    if (this.state === 'closed' && this.#over >= OPEN_AFTER) {
      this.state = 'shedding_l7';
      return true;
    }
    if (this.state !== 'closed' && this.#under >= CLOSE_AFTER) {
      this.state = 'closed';
      return true;
    }
    return false;
  }
}
