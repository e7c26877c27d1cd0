/** Scores of two faults at once: how many of them are named, entity and class, among the first causes. */
import type { Fault, FaultKind } from './fault.ts';
import { FAULT_KINDS } from './fault.ts';
import type { Simulated } from './simulate.ts';
import { isRight, lastReports } from './simulate.ts';

/** Kinds of a second fault: what a change of all traffic does to another fault is a question of its own. */
export const SECOND_KINDS: readonly FaultKind[] = FAULT_KINDS.filter((kind) => kind !== 'surge' && kind !== 'drop');

interface Tally {
  cases: number;
  incidents: number;
  one: number;
  both: number;
  anywhere: number;
}

export class PairScores {
  readonly #tallies = new Map<FaultKind, Tally>();

  /** @returns the fault that is not named among the first two causes of an incident, if one is not */
  add({ faults, reports }: Simulated, beginsMs: number): Fault | undefined {
    const kind = faults[0]!.kind;
    const tally = this.#tallies.get(kind) ?? { cases: 0, incidents: 0, one: 0, both: 0, anywhere: 0 };
    this.#tallies.set(kind, tally);
    const { during } = lastReports(reports, beginsMs);
    const among = (count: number): Fault[] =>
      faults.filter((fault) =>
        during.some(({ causes }) => causes.slice(0, count).some((cause) => isRight(fault, cause))),
      );
    const named = among(faults.length);
    tally.cases++;
    if (during.length >= 1 && during.length <= faults.length) tally.incidents++;
    if (named.length >= 1) tally.one++;
    if (named.length === faults.length) tally.both++;
    if (among(Number.POSITIVE_INFINITY).length === faults.length) tally.anywhere++;
    return faults.find((fault) => !named.includes(fault));
  }

  print(): void {
    console.log('first fault      cases  one or two incidents  one named  both named  both at any rank');
    const all: Tally = { cases: 0, incidents: 0, one: 0, both: 0, anywhere: 0 };
    for (const kind of FAULT_KINDS) {
      const tally = this.#tallies.get(kind);
      if (tally === undefined) continue;
      line(kind, tally);
      for (const key of Object.keys(all) as (keyof Tally)[]) all[key] += tally[key];
    }
    line('all', all);
  }
}

function line(name: string, { cases, incidents, one, both, anywhere }: Tally): void {
  const share = (n: number): string => (n / cases).toFixed(3);
  console.log(
    `${name.padEnd(16)} ${String(cases).padStart(5)}  ${share(incidents).padEnd(20)}  ${share(one).padEnd(9)}  ${share(both).padEnd(10)}  ${share(anywhere)}`,
  );
}
