/** Callers that ask one service for different things: what slows one's calls alone stays where it is spent. */
import { describe, expect, it } from 'vitest';
import { demarcate } from '../../src/demarcate/index.ts';
import type { Comparison } from '../../src/model/comparison.ts';
import { service } from '../../src/model/entity.ts';
import type { Ledger } from '../../src/model/walk.ts';
import { draw } from './draw.ts';

/** Calls named `caller callee` take this much longer now, on both sides. */
function longer(comparison: Comparison, us: Readonly<Record<string, number>>): Comparison {
  const calls = comparison.calls.map((leaf) => {
    const added = us[`${leaf.caller} ${leaf.callee}`];
    if (added === undefined) return leaf;
    const { count, durationSumUs } = leaf.current;
    const mean = durationSumUs / count + added;
    return {
      ...leaf,
      current: { ...leaf.current, durationSumUs: count * mean, durationSquareUs2: count * mean * mean },
    };
  });
  return { ...comparison, calls };
}

function shareOf(ledger: Ledger | undefined, term: string, name?: string): number {
  return ledger?.entries.find((entry) => entry.term === term && entry.entity?.name === name)?.share ?? 0;
}

describe('callers beside the mean', () => {
  const slow = { 'external web': 80_000, 'web user': 80_000, 'user db': 80_000 };

  it('one caller’s statements got slow: from that caller all of it is the database’s, not unexplained', () => {
    const drawn = longer(draw({ graph: 'web -> user -> db; web -> product -> db' }), slow);
    for (const entry of ['user', 'web']) {
      const [ledger] = demarcate(drawn, service(entry)).ledgers;
      expect(ledger?.change).toBeCloseTo(80_000, 6);
      expect(shareOf(ledger, 'self', 'db'), entry).toBeCloseTo(1, 9);
      expect(Math.abs(shareOf(ledger, 'unexplained')), entry).toBeLessThan(1e-9);
    }
  });

  it('and it is followed through a service in between, to the way or the callee that grew', () => {
    const graph = 'web -> user -> store -> db; web -> product -> store';
    const deep = { ...slow, 'user store': 80_000, 'store db': 40_000 };
    const drawn = longer(draw({ graph }), { ...deep, 'user db': 0 });
    const [ledger] = demarcate(drawn, service('user')).ledgers;
    // store is called twice a request: its mean grew by 40 ms, all of it below.
    expect(shareOf(ledger, 'self', 'db')).toBeCloseTo(1, 9);
    expect(shareOf(ledger, 'self', 'store')).toBeCloseTo(0, 9);
    expect(Math.abs(shareOf(ledger, 'unexplained'))).toBeLessThan(1e-9);
  });
});
