import { describe, expect, it } from 'vitest';
import { DEFAULT_DETECT_CONFIG } from '../../src/detect/config.ts';
import { Entities, EntityTable } from '../../src/detect/entities.ts';
import type { Family, Moment } from '../../src/detect/family.ts';
import { DurationFamily } from '../../src/detect/judge-duration.ts';
import { GaugeFamily } from '../../src/detect/judge-gauge.ts';
import { LimitDrift } from '../../src/detect/judge-limit.ts';
import { RateFamily } from '../../src/detect/judge-rate.ts';
import { RatioFamily } from '../../src/detect/judge-ratio.ts';
import { LevelPool } from '../../src/detect/level-pool.ts';
import { Vanished } from '../../src/detect/vanished.ts';
import type { ClosedWindow, LeafDirectory } from '../../src/model/window.ts';
import { CALL_KEY_WIDTH, KEY_CALLEE_INSTANCE, KEY_CALLEE_MACHINE } from '../../src/model/window.ts';
import { createRandom } from '../../src/stats/random.ts';

describe('numbers of entities', () => {
  it('of those that are gone go to the next ones, the smallest first', () => {
    const table = new EntityTable();
    for (const name of ['a', 'b', 'c', 'd']) table.id(name);
    table.free([2, 0, 2]);
    expect(table.find('a')).toBeUndefined();
    expect([table.id('e'), table.id('f'), table.id('g')]).toEqual([0, 2, 4]);
    expect(table.find('b')).toBe(1);
    expect(table.size).toBe(5);
  });

  it('are the same after a restart', () => {
    const table = new EntityTable();
    for (const name of ['a', '', 'c', 'd', 'e']) table.id(name);
    table.free([0, 3]);
    const restored = new EntityTable();
    restored.load(table.names);
    for (const name of ['', 'x', 'a', 'c', 'y', 'd']) expect(restored.id(name)).toBe(table.id(name));
    expect(restored.names).toEqual(table.names);
  });
});

/** A directory in which each leaf names an instance and a machine; a freed one neither. */
function windowOf(leaves: readonly (readonly [instance: string, machine: string] | undefined)[]): ClosedWindow {
  const texts = ['', ...new Set(leaves.flatMap((leaf) => leaf ?? []))];
  const directory = (of: typeof leaves): LeafDirectory => {
    const keys = new Uint32Array(of.length * CALL_KEY_WIDTH);
    of.forEach((leaf, id) => {
      if (leaf === undefined) return;
      keys[id * CALL_KEY_WIDTH + KEY_CALLEE_INSTANCE] = texts.indexOf(leaf[0]);
      keys[id * CALL_KEY_WIDTH + KEY_CALLEE_MACHINE] = texts.indexOf(leaf[1]);
    });
    const seen = Uint32Array.from(of, (leaf) => (leaf === undefined ? 0 : 1));
    return { width: CALL_KEY_WIDTH, size: of.length, keys, seen } as unknown as LeafDirectory;
  };
  const names = { size: texts.length, name: (id: number) => texts[id] ?? '' };
  return { callDirectory: directory(leaves), tcpDirectory: directory([]), names } as unknown as ClosedWindow;
}

describe('who vanished', () => {
  const HOUR = 720;

  it('gives up its row when no leaf names it and it has had no records for three hours', () => {
    const entities = new Entities();
    for (const name of ['named', 'gone', 'recorded']) {
      entities.instances.id(name);
      entities.place(name, 'cart', 'host');
    }
    entities.place('caller', 'web', 'host');
    entities.machines.id('host');
    entities.machines.id('old-host');
    const vacated: string[] = [];
    const lastTurn = new Map([['recorded', 1_000]]);
    const vanished = new Vanished(entities, [
      {
        isSeenSince: (kind, i, turn) => (lastTurn.get(entities.table(kind).names[i]!) ?? 0) > Math.max(0, turn),
        vacate: (kind, i) => vacated.push(`${kind} ${entities.table(kind).names[i]}`),
      },
    ]);
    const window = windowOf([['named', 'host'], undefined]);
    vanished.step(window, HOUR - 1);
    expect(vacated).toEqual([]);
    vanished.step(window, HOUR);
    expect(vacated).toEqual(['instance gone', 'machine old-host']);
    expect([...entities.instanceService.keys()]).toEqual(['named', 'recorded']);
    expect(entities.instances.id('new')).toBe(1);
    expect(entities.machines.find('host')).toBe(0);
    vanished.step(window, 5 * HOUR);
    expect(vacated).toEqual(['instance gone', 'machine old-host', 'instance new', 'instance recorded']);
  });
});

describe('a row that is vacated', () => {
  const moment = (turn: number): Moment => ({
    atMs: 1_700_000_000_000 - (1_700_000_000_000 % 60_000) + turn * 5_000,
    windowMs: 5_000,
    turn,
  });
  const about = { entity: 'instance', metric: 'm', symptoms: ['resource_rise'] } as const;
  const config = DEFAULT_DETECT_CONFIG;
  const limits = { floor: 0.01, floorRatio: 0, minRise: 0.1, minRiseRatio: 0, minValue: -Infinity };
  const gauge = new GaugeFamily(about, config, limits);
  const kinds: readonly (readonly [string, () => Family, (family: never, w: number, value: number) => void])[] = [
    [
      'rate',
      () => new RateFamily(about, config),
      (f: RateFamily, w: number, v: number) => f.step(0, moment(w), Math.round(100 * v)),
    ],
    [
      'ratio',
      () =>
        new RatioFamily(about, config, { floor: 0.001, minRise: 0.01, minNumerator: 5, minFactor: 2, minVolume: 10 }),
      (f: RatioFamily, w: number, v: number) => f.step(0, moment(w), Math.round(10 * v), 1_000),
    ],
    [
      'duration',
      () => new DurationFamily(about, config),
      (f: DurationFamily, w: number, v: number) => f.step(0, moment(w), 20_000 * v, 100, 1, 1, false),
    ],
    [
      'gauge',
      () => new GaugeFamily(about, config, limits),
      (f: GaugeFamily, w: number, v: number) => f.step(0, moment(w), v),
    ],
    [
      'limit',
      () => new LimitDrift(about, config, gauge),
      (f: LimitDrift, w: number, v: number) => f.step(0, moment(w), v, 1),
    ],
  ] as never;

  it.each(kinds)('%s: says of its next entity what a new row says', (_name, make, step) => {
    const used = make();
    const fresh = make();
    const random = createRandom(3);
    used.ensure(1);
    fresh.ensure(1);
    for (let w = 1; w < 900; w++) step(used as never, w, w < 300 ? 1 : 5 + random());
    used.vacate(0);
    expect(used.tracks.isActive(0)).toBe(false);
    for (let w = 900; w < 2_000; w++) {
      const value = (w < 1_500 ? 0.5 : 1.5) + 0.1 * random();
      step(used as never, w, value);
      step(fresh as never, w, value);
      expect(used.tracks.isActive(0)).toBe(fresh.tracks.isActive(0));
    }
    expect(used.save()).toEqual(fresh.save());
  });

  it('holds nothing of its past in a pool of levels', () => {
    const used = new LevelPool();
    const fresh = new LevelPool();
    for (const pool of [used, fresh]) pool.ensure(2);
    for (let w = 0; w < 100; w++) used.push(0, w, false, w > 12, w);
    used.clear(0);
    for (const pool of [used, fresh]) for (let w = 0; w < 20; w++) pool.push(0, 5 + (w % 3), false, w > 12, w);
    expect(used.median[0]).toBe(fresh.median[0]);
    expect(used.known(0)).toBe(fresh.known(0));
    expect(used.recentValue(0, 19)).toBe(fresh.recentValue(0, 19));
  });
});
