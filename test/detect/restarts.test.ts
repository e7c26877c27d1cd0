import { describe, expect, it } from 'vitest';
import { DEFAULT_DETECT_CONFIG } from '../../src/detect/config.ts';
import { Restarts } from '../../src/detect/restarts.ts';
import type { ChangeRecord } from '../../src/model/records.ts';

const kill = (atMs: number, entity: string): ChangeRecord => ({
  atMs,
  change: 'oom_kill',
  entityKind: 'instance',
  entity,
});

describe('crashes as evidence', () => {
  it('counts those of an instance since its first, in one window and in later ones', () => {
    const restarts = new Restarts(DEFAULT_DETECT_CONFIG);
    const at = (turn: number) => ({ atMs: turn * 5_000, windowMs: 5_000, turn });
    restarts.step([kill(5_000, 'cart-2'), kill(6_000, 'cart-2'), kill(6_500, 'cart-1')], at(1));
    restarts.step([kill(20_000, 'cart-2')], at(4));
    const seen = restarts
      .active(at(4))
      .map(({ entity, current, onsetMs, lastMs }) => [entity.name, current, onsetMs, lastMs]);
    expect(seen).toEqual([
      ['cart-1', 1, 5_000, 5_000],
      ['cart-2', 3, 5_000, 20_000],
    ]);
  });
});
