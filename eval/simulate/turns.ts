/** Scores of two faults of which the second begins when the first is over: is each told as what it is, by its own time's reports. */
import type { RankedCause, Report } from '../../src/model/report.ts';
import type { Fault, FaultKind } from './fault.ts';
import { FAULT_KINDS } from './fault.ts';
import type { Simulated } from './simulate.ts';
import { isRight } from './simulate.ts';

/** Collectors' lateness, and a window: so much later a report may still be of what was before. */
const LATE_MS = 20_000;

interface Tally {
  cases: number;
  incidents: number;
  first: number;
  second: number;
  /** The second is told as what the first was. */
  confused: number;
}

export class TurnScores {
  readonly #tallies = new Map<FaultKind, Tally>();

  /**
   * @param begins  of each fault, epoch milliseconds
   * @param endsMs  of the second
   * @returns the fault that the last report of its time has not as first cause, the second one first
   */
  add({ faults, reports }: Simulated, begins: readonly number[], endsMs: number): Fault | undefined {
    const [first, second] = faults as readonly [Fault, Fault];
    const { kind } = second;
    const tally = this.#tallies.get(kind) ?? { cases: 0, incidents: 0, first: 0, second: 0, confused: 0 };
    this.#tallies.set(kind, tally);
    const lead = (fromMs: number, toMs: number): RankedCause | undefined =>
      lastReport(reports, fromMs, toMs)?.causes[0];
    const leads = [lead(begins[0]!, begins[1]!), lead(begins[1]!, endsMs + LATE_MS)];
    const isTold = (fault: Fault, cause: RankedCause | undefined): boolean =>
      cause !== undefined && isRight(fault, cause);
    tally.cases++;
    tally.incidents += new Set(reports.map(({ incidentId }) => incidentId)).size;
    if (isTold(first, leads[0])) tally.first++;
    if (isTold(second, leads[1])) tally.second++;
    if (isTold(first, leads[1])) tally.confused++;
    if (!isTold(second, leads[1])) return second;
    return isTold(first, leads[0]) ? undefined : first;
  }

  print(): void {
    console.log('second fault     cases  first told  second told  as the first  incidents');
    const all: Tally = { cases: 0, incidents: 0, first: 0, second: 0, confused: 0 };
    for (const kind of FAULT_KINDS) {
      const tally = this.#tallies.get(kind);
      if (tally === undefined) continue;
      line(kind, tally);
      for (const key of Object.keys(all) as (keyof Tally)[]) all[key] += tally[key];
    }
    line('all', all);
  }
}

/** Made in this time, of a trouble that goes on or was found to be over in it. */
function lastReport(reports: readonly Report[], fromMs: number, toMs: number): Report | undefined {
  return reports.findLast(({ reportedMs }) => reportedMs > fromMs + LATE_MS / 2 && reportedMs <= toMs);
}

function line(name: string, { cases, first, second, confused, incidents }: Tally): void {
  const share = (n: number): string => (n / cases).toFixed(3);
  console.log(
    `${name.padEnd(16)} ${String(cases).padStart(5)}  ${share(first).padEnd(10)}  ${share(second).padEnd(11)}  ${share(confused).padEnd(12)}  ${incidents}`,
  );
}
