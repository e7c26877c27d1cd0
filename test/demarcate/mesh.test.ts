/** Meshes: more paths than can be walked (3^24 here), and calls that go round. */
import { describe, expect, it } from 'vitest';
import { demarcate } from '../../src/demarcate/index.ts';
import type { CallLeaf, Comparison } from '../../src/model/comparison.ts';
import { service } from '../../src/model/entity.ts';
import type { Drawn } from './draw.ts';
import { draw, longer, shareOf } from './draw.ts';

const LAYERS = 24;
const WIDTH = 3;
const layer = (i: number): string[] => Array.from({ length: WIDTH }, (_, k) => `s${i}-${k}`);

/** Every service of a layer calls every service of the next, one of them per request in all; the last calls db. */
function mesh(drawn: Omit<Drawn, 'graph' | 'calls'>): Comparison {
  const ways: [string, string][] = layer(0).map((to) => ['web', to]);
  for (let i = 1; i < LAYERS; i++) for (const from of layer(i - 1)) for (const to of layer(i)) ways.push([from, to]);
  for (const from of layer(LAYERS - 1)) ways.push([from, 'db']);
  const each = ([, to]: [string, string]): number => (to === 'db' ? 1 : 1 / WIDTH);
  return draw({
    ...drawn,
    graph: ways.map((way) => way.join(' -> ')).join('; '),
    calls: Object.fromEntries(ways.map((way) => [way.join(' -> '), [each(way), each(way)] as const])),
  });
}

describe('meshes', () => {
  it('errors of the bottom are found through all the ways at once', () => {
    const drawn = mesh({ errors: { db: [0, 0.5] }, symptom: 'error_rise' });
    const [ledger] = demarcate(drawn, service('web')).ledgers;
    expect(ledger?.kind).toBe('errors');
    expect(shareOf(ledger, 'originated', 'db')).toBeCloseTo(1, 9);
    expect(Math.abs(shareOf(ledger, 'unexplained'))).toBeLessThan(1e-9);
  });

  it('what one caller’s calls gained is followed down all the ways at once', () => {
    const slower = 30_000;
    const drawn = mesh({ self: { db: [1_000, 1_000 + slower] } });
    // The time is that of one caller's calls alone: the others of its layer are as fast as ever.
    const [ledger] = demarcate(longer(drawn, { [`${layer(0)[0]} ${layer(1)[0]}`]: slower }), service('web')).ledgers;
    expect(shareOf(ledger, 'self', 'db')).toBeGreaterThan(0.9);
    expect(Math.abs(ledger!.entries.reduce((sum, { share }) => sum + share, 0) - 1)).toBeLessThan(1e-9);
  });

  it('errors that are also handed round a cycle are those of where they begin', () => {
    const drawn = draw({ graph: 'web -> a -> b -> db', errors: { db: [0, 0.5] }, symptom: 'error_rise' });
    // b calls a back for one request in eleven and gets the same errors: from a on there is a tenth more of everything.
    const times = (factor: number, { count, errors, durationSumUs, durationSquareUs2 }: CallLeaf['current']) => ({
      count: factor * count,
      errors: factor * errors,
      durationSumUs: factor * durationSumUs,
      durationSquareUs2: factor * durationSquareUs2,
    });
    const calls = drawn.calls.flatMap((leaf): CallLeaf[] => {
      if (leaf.callee === 'web' || leaf.callee === 'a') return [leaf];
      const scaled = (factor: number) => ({
        baseline: times(factor, leaf.baseline),
        current: times(factor, leaf.current),
      });
      const more = { ...leaf, ...scaled(1.1) };
      return leaf.callee === 'b' ? [more, { ...leaf, caller: 'b', callee: 'a', ...scaled(0.1) }] : [more];
    });
    const [ledger] = demarcate({ ...drawn, calls }, service('web')).ledgers;
    expect(shareOf(ledger, 'originated', 'db')).toBeCloseTo(1, 6);
    expect(Math.abs(shareOf(ledger, 'unexplained'))).toBeLessThan(1e-6);
  });
});
