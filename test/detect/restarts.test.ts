import { describe, expect, it } from 'vitest';
import { DEFAULT_DETECT_CONFIG } from '../../src/detect/config.ts';
import { createDetector } from '../../src/detect/index.ts';
import { Restarts } from '../../src/detect/restarts.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { AnyBatch, ChangeRecord } from '../../src/model/records.ts';
import { shop, T0, WINDOW_MS } from '../ingest/shop.ts';

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

  it('and answers all the same is not stopped: the last answers of one that is are no longer than two windows away', () => {
    const restarts = new Restarts(DEFAULT_DETECT_CONFIG);
    restarts.step([exit('cart-1', { exitCode: 0 })], at(10));
    for (const turn of [10, 11, 12]) restarts.answered('cart-1', turn);
    restarts.answered('cart-2', 20);
    expect(restarts.stopped.has('cart-1')).toBe(true);
    restarts.answered('cart-1', 13);
    expect(restarts.stopped.size).toBe(0);
  });

  it.each([
    ['hands over to its next process and is silent ten minutes later: it is missed', true],
    ['stops and gets no traffic any more: it is not', false],
  ])('%s', (_name, handsOver) => {
    const ms = (window: number): number => T0 + window * WINDOW_MS;
    const about = { entityKind: 'instance', entity: 'product-2', service: 'product' } as const;
    const changes: ChangeRecord[] = [
      { ...about, atMs: ms(handsOver ? 60 : 180) + 10, change: 'process_start' },
      { ...about, atMs: ms(handsOver ? 60 : 180) + 20, change: 'process_exit', exitCode: 0 },
    ];
    const effects = [{ instance: 'product-2', load: 0, fromMs: ms(180), toMs: ms(200) }];
    const ingest = createIngest();
    const detector = createDetector();
    const seen = new Set<string>();
    // One collector sees all of it, and so has records of every window.
    const types = new Map<string, AnyBatch>();
    for (const batch of shop({ windows: 195, effects, changes, declares: false })) {
      const key = `${batch.windowStartMs} ${batch.type}`;
      const records = [...(types.get(key)?.records ?? []), ...batch.records];
      types.set(key, { ...batch, collector: 'all', records } as AnyBatch);
    }
    for (const window of [...types.values()].flatMap((batch) => ingest.push(batch).closed)) {
      detector.step(window);
      for (const { entity, symptom } of detector.anomalies()) seen.add(`${entity.name} ${symptom}`);
    }
    expect([...seen]).toEqual(handsOver ? ['product-2 traffic_drop'] : []);
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
