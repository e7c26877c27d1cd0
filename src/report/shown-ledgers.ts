/** Which ledgers of a walk a report shows: where the whole change is within its noise, shares of it say nothing. */
import type { Ledger, Walk } from '../model/walk.ts';

/** Standard errors within which a change is as good as none. */
const WITHIN = 2;

/** The walk without further ledgers of changes that are noise; what was walked from first stays. */
export function withoutNoise<T extends Walk>(walk: T): T {
  return { ...walk, ledgers: walk.ledgers.filter((ledger, i) => i === 0 || !isNoise(ledger)) };
}

/** An unknown standard error leaves it open, and the ledger in. */
function isNoise({ change, entries }: Ledger): boolean {
  const variance = entries.reduce((sum, { standardError }) => sum + standardError ** 2, 0);
  return Math.abs(change) < WITHIN * Math.sqrt(variance);
}
