/** Which machines hold what a suspect stands for: its own time or errors, or its time on the way. */
import type { LedgerTerm, Suspect } from '../model/walk.ts';
import type { Measure, Unit, Units } from './instance-work.ts';
import { growthOf } from './instance-work.ts';

/** Of what a suspect stands for: so much of it on one machine, its ways counted, is that machine's and no suspect of its own. */
export const NEARLY_WHOLE = 0.75;

/** What of a unit a ledger's term speaks of; none of visits, calls and callers. */
export function measureOf(term: LedgerTerm): Measure | undefined {
  return term === 'self' || term === 'network' || term === 'originated' ? term : undefined;
}

/** A unit that grew, and its share of the growth of what a suspect stands for. */
export type Part = readonly [unit: Unit, share: number];

/** What grew of it, instance by instance, or way by way. */
export function grownParts(suspect: Suspect, units: Units): readonly Part[] {
  const measure = measureOf(suspect.term)!;
  const { entity, service } = suspect;
  const name = service ?? entity.name;
  const isOwn = ({ ends: [first, second] }: Unit): boolean => {
    if (first === undefined) return false;
    if (second === undefined)
      return first.service === name && (entity.kind !== 'instance' || first.instance === entity.name);
    return entity.kind === 'edge'
      ? first.service === entity.from && second.service === entity.to
      : second.service === name;
  };
  const grown = units[measure].flatMap((unit): Part[] => {
    const growth = isOwn(unit) ? growthOf(unit) : 0;
    return growth > 0 ? [[unit, growth]] : [];
  });
  const total = grown.reduce((sum, [, growth]) => sum + growth, 0);
  return grown.map(([unit, growth]) => [unit, growth / total]);
}

/** Machine -> share. Time on the way is held against both ends' machines. */
export function sharesOf(parts: readonly Part[]): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  for (const [{ ends }, share] of parts)
    for (const { machine } of ends) shares.set(machine, (shares.get(machine) ?? 0) + share);
  return shares;
}
