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

describe('who was stopped', () => {
  const exit = (entity: string, how: Partial<ChangeRecord>): ChangeRecord => ({
    atMs: 5_000,
    change: 'process_exit',
    entityKind: 'instance',
    entity,
    ...how,
  });
  const at = (turn: number) => ({ atMs: turn * 5_000, windowMs: 5_000, turn });

  it('on purpose is known until it starts again, or an hour has gone by', () => {
    const restarts = new Restarts(DEFAULT_DETECT_CONFIG);
    const asked = [{ signal: 15 }, { signal: 2 }, { exitCode: 0 }, { exitCode: 143 }, { exitCode: 130 }];
    restarts.step(
      asked.map((how, i) => exit(`cart-${i}`, how)),
      at(1),
    );
    expect(asked.map((_, i) => restarts.stopped.has(`cart-${i}`))).toEqual(asked.map(() => true));
    expect(restarts.active(at(1))).toEqual([]);
    restarts.step([{ ...exit('cart-1', {}), change: 'process_start' }], at(2));
    expect(restarts.stopped.has('cart-1')).toBe(false);
    restarts.step([], at(800));
    expect(restarts.stopped.size).toBe(0);
  });

  it('by a crash is evidence', () => {
    const restarts = new Restarts(DEFAULT_DETECT_CONFIG);
    const crashed = [{ signal: 9 }, { signal: 11 }, { exitCode: 1 }, { exitCode: 137 }, { exitCode: 139 }];
    restarts.step(
      crashed.map((how, i) => exit(`cart-${i}`, how)),
      at(1),
    );
    expect(restarts.stopped.size).toBe(0);
    expect(restarts.active(at(1)).map(({ entity }) => entity.name)).toEqual(crashed.map((_, i) => `cart-${i}`));
  });

  it('goes on in a restored engine', () => {
    const restarts = new Restarts(DEFAULT_DETECT_CONFIG);
    restarts.step([exit('cart-1', { signal: 15 })], at(1));
    const restored = new Restarts(DEFAULT_DETECT_CONFIG);
    restored.restore(restarts.save());
    expect(restored.stopped.has('cart-1')).toBe(true);
  });
});
