import { describe, expect, it } from 'vitest';
import { createDetector } from '../../src/detect/index.ts';
import { Presence } from '../../src/detect/presence.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { Effect } from '../ingest/shop.ts';
import { shop, T0, WINDOW_MS } from '../ingest/shop.ts';

const at = (window: number): number => T0 + window * WINDOW_MS;

/** Collectors of cart and redis say nothing from one window to another. */
function silent(from: number, to: number): Effect[] {
  return ['m-cart-1', 'm-redis-1'].map((silentCollector) => ({ silentCollector, fromMs: at(from), toMs: at(to) }));
}

/** @param cut  window before which the engine starts again */
function run(windows: number, effects: readonly Effect[], cut = Number.NaN) {
  const ingest = createIngest();
  let detector = createDetector();
  const closed = [...shop({ windows, effects }).flatMap((batch) => ingest.push(batch).closed), ...ingest.flush()];
  const texts: string[] = [];
  const seen = new Set<string>();
  let opened = 0;
  closed.forEach((window, w) => {
    if (w === cut) {
      const bytes = detector.snapshot();
      detector = createDetector();
      detector.restore(bytes);
    }
    const events = detector.step(window);
    opened += events.filter(({ kind }) => kind === 'opened').length;
    for (const { entity, symptom } of detector.anomalies()) seen.add(`${entity.name} ${symptom}`);
    texts.push(JSON.stringify([events, detector.anomalies()]));
  });
  return { opened, seen: [...seen], texts };
}

describe('a collector that was forgotten and is back', () => {
  it('is waited for again: that it is silent once more is no traffic drop', () => {
    const { opened, seen } = run(220, [...silent(30, 50), ...silent(150, 158)]);
    expect(seen.filter((key) => key.endsWith('traffic_drop'))).toEqual([]);
    expect(opened).toBe(0);
  });

  it('brings no rise: that nobody counted is not that nobody asked', () => {
    expect(run(120, silent(30, 60)).seen).toEqual([]);
  });

  it('does not hide that a service is really silent', () => {
    const drop = { callee: 'cart', load: 0, fromMs: at(200), toMs: at(210) };
    expect(run(212, [...silent(30, 50), drop]).seen).toContain('cart traffic_drop');
  });

  it.each([45, 52, 100])('is the same to an engine that started again at window %d', (cut) => {
    const effects = [...silent(30, 50), ...silent(110, 118)];
    expect(run(130, effects, cut).texts).toEqual(run(130, effects).texts);
  });
});

describe('collectors of an entity', () => {
  it('that are gone leave their numbers to others, and nothing else', () => {
    const presence = new Presence();
    for (let day = 0; day < 50; day++) {
      for (let entity = 0; entity < 3; entity++)
        for (const name of ['x', `a${day}`, `b${day}`, 'y']) presence.add(entity, name);
      expect(presence.isComplete(1, new Set([`b${day}`]))).toBe(false);
      expect(presence.forget(new Set([`a${day}`, `b${day}`, 'never seen']))).toEqual([0, 1, 2]);
      expect(presence.isComplete(1, new Set([`a${day}`, `b${day}`, '']))).toBe(true);
    }
    expect(presence.collectors).toBe(2);
    expect(presence.save().reporters).toEqual([0, 1, 2].map(() => ['x', 'y']));
  });
});
