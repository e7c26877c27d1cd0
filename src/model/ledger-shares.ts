/** Shares of the changes that a suspect accounts for, one for each ledger. */
import type { LedgerShares } from './walk.ts';
import { LEDGERS } from './walk.ts';

/** a + weight · b; a ledger that neither knows stays absent. */
export function addShares(a: LedgerShares, b: LedgerShares, weight = 1): LedgerShares {
  return Object.fromEntries(
    LEDGERS.flatMap((kind) => {
      const [one, other] = [a[kind], b[kind]];
      return one === undefined && other === undefined ? [] : [[kind, (one ?? 0) + weight * (other ?? 0)]];
    }),
  );
}
