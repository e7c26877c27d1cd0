/** Callers that ask one service for different things: what slows one's calls alone stays where it is spent. */
import { describe, expect, it } from 'vitest';
import { demarcate } from '../../src/demarcate/index.ts';
import { service } from '../../src/model/entity.ts';
import { draw, longer, shareOf } from './draw.ts';

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
