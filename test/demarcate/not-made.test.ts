import { describe, expect, it } from 'vitest';
import { demarcate } from '../../src/demarcate/index.ts';
import type { Walk } from '../../src/model/walk.ts';
import { draw, shareOf } from './draw.ts';

/** `api` calls `db` so often for a request, before and now, of which this share fails; it fails itself besides. */
function walked(made: readonly [number, number], failing: number, apiErrors: number): Walk {
  return demarcate(
    draw({
      graph: 'web -> api -> db; api -> cache',
      calls: { 'api -> db': made },
      errors: { db: [0, failing], api: [0, apiErrors] },
      symptom: 'error_rise',
    }),
  );
}

describe('calls that are not made because the others fail', () => {
  it('count like the ones that failed', () => {
    const walk = walked([1, 0.1], 1, 0.9);
    expect(shareOf(walk.ledgers[0], 'originated', 'db')).toBeCloseTo(1, 2);
    expect(shareOf(walk.ledgers[0], 'originated', 'api')).toBeCloseTo(0, 2);
    expect(walk.suspects[0]?.entity).toEqual({ kind: 'service', name: 'db' });
  });

  it('explain no more errors than calls are missing', () => {
    // For a half of the requests it has no need of db, and fails these too.
    const walk = walked([0.5, 0.1], 1, 1);
    expect(shareOf(walk.ledgers[0], 'originated', 'db')).toBeCloseTo(0.5, 2);
    expect(shareOf(walk.ledgers[0], 'originated', 'api')).toBeCloseTo(0.5, 2);
  });

  it('are of whoever makes fewer calls where those that are left do not fail', () => {
    const walk = walked([1, 0.1], 0.05, 0.9);
    expect(shareOf(walk.ledgers[0], 'originated', 'api')).toBeGreaterThan(0.98);
    expect(walk.suspects[0]?.entity).toEqual({ kind: 'service', name: 'api' });
  });
});
