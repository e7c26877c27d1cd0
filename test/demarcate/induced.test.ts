/** To whom waiting is moved: never to who waits. */
import { describe, expect, it } from 'vitest';
import { moveInducedWaiting } from '../../src/demarcate/induced.ts';
import { buildSystem } from '../../src/demarcate/system.ts';
import type { Entity } from '../../src/model/entity.ts';
import { instance, service } from '../../src/model/entity.ts';
import type { LedgerTerm, Suspect } from '../../src/model/walk.ts';
import { draw } from './draw.ts';

function suspect(entity: Entity, of: string, term: LedgerTerm, score: number): Suspect {
  const shares = term === 'originated' ? { errors: score } : { latency: score };
  const path = [service(of), service('web')];
  return { entity, service: of, contribution: score, shares, score, symptoms: [], term, path, observations: [] };
}

describe('a service that waits', () => {
  const comparison = draw({ graph: 'web -> api -> db', self: { api: [1_000, 40_000] }, errors: { api: [0, 0.2] } });
  const system = buildSystem(comparison);

  it('does not wait for itself, nor for an instance of its own', () => {
    const errors = suspect(service('api'), 'api', 'originated', 0.6);
    const slow = suspect(instance('api-2'), 'api', 'self', 0.9);
    expect(moveInducedWaiting(system, comparison, [slow, errors])).toEqual([slow, errors]);
    expect(moveInducedWaiting(system, comparison, [errors, slow])).toEqual([errors, slow]);
  });

  it('waits for the instance of a callee, however far below, that is slow', () => {
    const slower = draw({ graph: 'web -> api -> db', self: { db: [1_000, 40_000] } });
    const [web, db] = [suspect(service('web'), 'web', 'self', 0.5), suspect(instance('db-1'), 'db', 'self', 0.4)];
    const [waits, blamed] = moveInducedWaiting(buildSystem(slower), slower, [web, db]);
    expect(waits?.score).toBeCloseTo(0.05, 9);
    expect(blamed?.score).toBeCloseTo(0.85, 9);
  });
});
