/** What each cause accounts for, in words: of the new errors, of the added latency, of the lost traffic. */
import type { Compared } from '../model/compared.ts';
import { entityKey } from '../model/entity.ts';
import { formatClock, sharePercent } from '../model/format.ts';
import type { RankedCause } from '../model/report.ts';
import type { Ledger, LedgerKind, Walk } from '../model/walk.ts';

/** Smaller shares are not worth a word beside a larger one. */
const WORTH_A_WORD = 0.05;
/** A first cause that accounts for less of a change leaves it to one that accounts for as much. */
const MOST_OF_IT = 0.5;

const RISE: Readonly<Record<LedgerKind, string>> = {
  latency: 'added latency',
  errors: 'new errors',
  traffic: 'added traffic',
};
const FALL: Readonly<Record<LedgerKind, string>> = {
  latency: 'saved latency',
  errors: 'errors that are gone',
  traffic: 'lost traffic',
};

/** A ledger, of a walk or of a report: whose it is, its kind and the sign of its change. */
export interface Changed {
  readonly entry: string;
  readonly kind: LedgerKind;
  readonly change: number | null;
  readonly compared?: Compared;
}

export type ComparedLedger = Ledger & Pick<Changed, 'compared'>;

/** The ledgers of a walk, each with what it compares where that is not what the report does. */
export function comparedLedgers({ ledgers, compared }: Walk): ComparedLedger[] {
  return ledgers.map((ledger) => ({ ...ledger, ...(compared === undefined ? {} : { compared }) }));
}

export function ledgerChange({ kind, change }: Changed): string {
  return (change !== null && change < 0 ? FALL : RISE)[kind];
}

/** Those that the shares of a cause are of: the report's first symptom's, or of the symptom that it names. */
function ledgersOf({ symptom, sinceMs }: RankedCause, ledgers: readonly Changed[]): readonly Changed[] {
  const entry = symptom === undefined ? ledgers[0]?.entry : symptom.name;
  return ledgers.filter((ledger) => ledger.entry === entry && ledger.compared?.current.fromMs === sinceMs);
}

/** `all of the new errors and 82 % of the added latency`, `all of the added latency of user`; empty: unknown. */
export function accountsFor(cause: RankedCause, ledgers: readonly Changed[]): string {
  const since = cause.sinceMs === undefined ? '' : ` since ${formatClock(cause.sinceMs)}`;
  const whose = cause.symptom === undefined ? '' : ` of ${cause.symptom.name}${since}`;
  const known = ledgersOf(cause, ledgers).flatMap((ledger) => {
    const share = cause.shares[ledger.kind];
    return share === undefined ? [] : [{ share, text: `${shareWords(share)} of the ${ledgerChange(ledger)}${whose}` }];
  });
  const told = known.filter(({ share }) => share >= WORTH_A_WORD);
  return (told.length > 0 ? told : known.slice(0, 1)).map(({ text }) => text).join(' and ');
}

/** The ledgers whose change a summary of these causes speaks of; of the report's first symptom alone. */
export function toldLedgers<T extends Changed>(causes: readonly RankedCause[], ledgers: readonly T[]): T[] {
  const told = toldCauses(causes, ledgers).filter(({ symptom }) => symptom === undefined);
  return ledgers.filter(({ kind }) => told.some(({ shares }) => (shares[kind] ?? 0) >= WORTH_A_WORD));
}

/** Changes that the first cause leaves unexplained and a further one explains: most incidents have none. */
export function otherCauses(
  causes: readonly RankedCause[],
  ledgers: readonly Changed[],
): { readonly ledger: Changed; readonly cause: RankedCause }[] {
  const [first, ...others] = causes;
  if (first === undefined) return [];
  return ledgersOf(first, ledgers).flatMap((ledger) => {
    const shareOf = (cause: RankedCause): number => cause.shares[ledger.kind] ?? 0;
    if (shareOf(first) >= MOST_OF_IT) return [];
    const own = others.filter(({ symptom }) => symptom === undefined);
    const named = own.filter((cause) => cause.faultClass !== 'unknown' && shareOf(cause) >= MOST_OF_IT);
    const best = named.reduce<RankedCause | undefined>(
      (most, cause) => (most === undefined || shareOf(cause) > shareOf(most) ? cause : most),
      undefined,
    );
    return best === undefined ? [] : [{ ledger, cause: best }];
  });
}

/** A cause is one entity and one class, however it was found. */
export function causeKey({ entity, faultClass }: Pick<RankedCause, 'entity' | 'faultClass'>): string {
  return `${entityKey(entity)}|${faultClass}`;
}

/** The first cause, those of what it leaves unexplained, and those that have nothing to do with it: what a reader acts on. */
export function toldCauses(causes: readonly RankedCause[], ledgers: readonly Changed[]): RankedCause[] {
  const apart = causes.slice(1).filter(({ symptom }) => symptom !== undefined);
  return [...new Set([...causes.slice(0, 1), ...otherCauses(causes, ledgers).map(({ cause }) => cause), ...apart])];
}

/** Shares of merged suspects may overlap: never say more than all of it. */
export function shareWords(share: number): string {
  return share >= 0.995 ? 'all' : share <= 0.0005 ? 'none' : sharePercent(share);
}
