/**
 * The standard error of every entry of a ledger: the same ledger is made for each stretch of the baseline, where nothing
 * happened, and how its entries differ there is their noise, whatever the entry is made of.
 *
 *   s² = Σ k (x − x̄)² / (G − 1)          k windows in each of G stretches; x: the entry there; s²: of a single window
 *   standard error² = s² (1/n₀ + 1/n₁)    n₀, n₁: windows before and during
 *
 * Counts that never moved before are not without noise: errors and requests have at least that of their number (Poisson).
 */
import { entityKey } from '../model/entity.ts';
import type { Ledger, LedgerEntry } from '../model/walk.ts';
import type { System } from './system.ts';
import { inbound } from './system.ts';

/** A ledger as it is made: its noise is another matter. */
export type BareEntry = Omit<LedgerEntry, 'standardError'>;
export type BareLedger = Omit<Ledger, 'entries'> & { readonly entries: readonly BareEntry[] };
export type LedgerOf = (system: System, entry: string) => BareLedger | undefined;

/** The ledger with its noise; NaN: unknown. Cost: that of the ledger for each stretch. */
export function withNoise(system: System, entry: string, ledgerOf: LedgerOf): Ledger | undefined {
  const ledger = ledgerOf(system, entry);
  if (ledger === undefined) return undefined;
  const calm = system.stretches.flatMap(({ windows, system: stretch }) => {
    const found = ledgerOf(stretch, entry);
    if (found === undefined) return [];
    return [{ windows, of: new Map(found.entries.map((item) => [keyOf(item), item.contribution])) }];
  });
  const { baseline, current } = system.spans;
  const spans = 1 / baseline.windows + 1 / current.windows;
  const least = leastVariance(system, ledger);
  const entries = ledger.entries.map((item): LedgerEntry => {
    const key = keyOf(item);
    const floor = least(item);
    // An entry that no stretch had (a new way, more calls) would show no noise there, which is not to have none.
    const isKnown = floor > 0 || calm.some(({ of }) => of.has(key));
    const variance = varianceOf(calm.map(({ windows, of }) => ({ windows, x: of.get(key) ?? 0 })));
    return { ...item, standardError: isKnown ? Math.sqrt(Math.max(variance * spans, floor)) : Number.NaN };
  });
  return { ...ledger, entries };
}

function keyOf({ entity, term }: BareEntry): string {
  return `${term} ${entity === undefined ? '' : entityKey(entity)}`;
}

/** Of a single window; NaN with less than two stretches. */
function varianceOf(seen: readonly { readonly windows: number; readonly x: number }[]): number {
  const windows = seen.reduce((sum, one) => sum + one.windows, 0);
  const mean = seen.reduce((sum, one) => sum + one.windows * one.x, 0) / windows;
  const square = seen.reduce((sum, one) => sum + one.windows * (one.x - mean) ** 2, 0);
  return seen.length < 2 ? Number.NaN : square / (seen.length - 1);
}

/** What counting alone leaves uncertain. */
function leastVariance(system: System, { kind, entry, baseline }: BareLedger): (entry: BareEntry) => number {
  const { spans } = system;
  if (kind === 'latency') return () => 0;
  if (kind === 'traffic')
    return ({ baseline: rate }) =>
      Number.isNaN(rate) ? 0 : rate * (1 / spans.baseline.seconds + 1 / spans.current.seconds);
  const flows = inbound(system.service(entry));
  const before = (flows?.baseline.count ?? 0) * spans.baseline.seconds;
  const during = (flows?.current.count ?? 0) * spans.current.seconds;
  const ratio = (baseline * before + HALF) / (before + 2 * HALF);
  return () => ratio * (1 / before + 1 / during);
}

/** Jeffreys' prior: no error of n requests is half an error of n + 1. */
const HALF = 0.5;
