import { describe, expect, it } from 'vitest';
import { asked as askedFor } from '../../src/classify/repeats.ts';
import type { CallLeaf, Comparison } from '../../src/model/comparison.ts';
import { call } from './fixtures.ts';

const SECONDS = { baseline: 300, current: 30 };

/** Calls and failed calls per window before and now, the same on both sides. */
function way(caller: string, callee: string, before: number, now: number, failed: number): CallLeaf[] {
  return (['client', 'server'] as const).map((side) =>
    call({ caller, callee, side, before: [before, 0, 1_000], now: [now, failed, 1_000] }),
  );
}

function asked(service: string, calls: readonly CallLeaf[]): number | null {
  const made = calls.filter(({ callee, side }) => callee === service && side === 'server');
  const rates = askedFor({ calls } as Comparison, made, SECONDS);
  return rates === null ? null : rates.now / rates.before;
}

describe('calls without those that repeat failed ones', () => {
  it('two more tries of each that fails: as many as before are asked for', () => {
    const calls = [...way('users', 'web', 100, 100, 100), ...way('web', 'db', 100, 300, 300)];
    expect(asked('db', calls)).toBeCloseTo(1, 9);
  });

  it('repeats of repeats, all the way down', () => {
    const calls = [
      ...way('users', 'web', 100, 100, 100),
      ...way('web', 'api', 100, 300, 300),
      ...way('api', 'db', 100, 900, 900),
    ];
    expect(asked('api', calls)).toBeCloseTo(1, 9);
    expect(asked('db', calls)).toBeCloseTo(1, 9);
  });

  it('three times the users, each trying twice: three times', () => {
    const calls = [...way('users', 'web', 100, 300, 300), ...way('web', 'db', 100, 600, 600)];
    expect(asked('db', calls)).toBeCloseTo(3, 9);
  });

  it('more calls for each request that do not fail are asked for', () => {
    const calls = [...way('users', 'web', 100, 100, 0), ...way('web', 'db', 100, 500, 0)];
    expect(asked('db', calls)).toBeCloseTo(5, 9);
  });

  it('three times the users, of whose calls most are not made as the others fail: three times', () => {
    const calls = [...way('users', 'web', 100, 300, 200), ...way('web', 'db', 100, 40, 30)];
    expect(asked('db', calls)).toBeCloseTo(3, 9);
  });

  it('fewer calls that do not fail are fewer', () => {
    const calls = [...way('users', 'web', 100, 100, 50), ...way('web', 'db', 100, 50, 0)];
    expect(asked('db', calls)).toBeCloseTo(0.5, 9);
  });

  it("a new caller's are asked for, those that the others repeat are not", () => {
    const calls = [
      ...way('users', 'web', 100, 100, 100),
      ...way('web', 'db', 100, 200, 200),
      ...way('job', 'db', 0, 400, 0),
    ];
    expect(asked('db', calls)).toBeCloseTo(5, 9);
  });

  it('a cycle of calls ends', () => {
    const calls = [...way('a', 'b', 100, 200, 150), ...way('b', 'a', 100, 200, 150)];
    expect(asked('b', calls)).toBeGreaterThan(0);
  });

  it('is unknown of a service that was not called before', () => {
    expect(asked('db', way('web', 'db', 0, 100, 0))).toBeNull();
    expect(asked('other', way('web', 'db', 100, 100, 0))).toBeNull();
  });
});
