/** What must not change the answer, and how much noise it bears. */
import { describe, expect, it } from 'vitest';
import { attribute } from '../../src/attribute/index.ts';
import { createRandom } from '../../src/stats/random.ts';
import type { Row } from './cube.ts';
import { cube, rowsOf, tableOf, textOf } from './cube.ts';

const CAUSES = [
  { element: 'a=a2', factor: 0.5 },
  { element: 'b=b3&c=c1', factor: 2 },
  { element: 'a=a1&b=b1&c=c2', factor: 0.2 },
];
const BASE = cube({ causes: CAUSES, meanLevel: 900.5 });
const ROWS = rowsOf(BASE);
const DIMENSIONS = ['a', 'b', 'c'];
const ANSWER = attribute(BASE);

function shuffled<T>(list: readonly T[], seed: number): T[] {
  const random = createRandom(seed);
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

const names = (result: typeof ANSWER): string[] => result.elements.map(textOf);

describe('the answer does not change', () => {
  it('to the last bit, with the order of rows, of dimensions and of dictionaries', () => {
    for (const seed of [1, 2, 3]) expect(attribute(tableOf(DIMENSIONS, shuffled(ROWS, seed)))).toEqual(ANSWER);
    const turned = ROWS.map((row): Row => ({ ...row, key: [row.key[2]!, row.key[0]!, row.key[1]!] }));
    expect(attribute(tableOf(['c', 'a', 'b'], shuffled(turned, 4)))).toEqual(ANSWER);
  });

  it.each([1e-6, 0.125, 1000, 1e9])('with the unit of the measure (× %d)', (unit) => {
    const scaled = ROWS.map((row) => ({ ...row, actual: row.actual * unit, expected: row.expected * unit }));
    expect(names(attribute(tableOf(DIMENSIONS, scaled)))).toEqual(names(ANSWER));
  });

  it('with a dimension that has nothing to do with it', () => {
    const random = createRandom(9);
    const wide = ROWS.map((row): Row => ({ ...row, key: [...row.key, `x${Math.floor(random() * 4)}`] }));
    expect(names(attribute(tableOf([...DIMENSIONS, 'x'], wide)))).toEqual(names(ANSWER));
    const constant = ROWS.map((row): Row => ({ ...row, key: [...row.key, 'same'] }));
    expect(names(attribute(tableOf([...DIMENSIONS, 'constant'], constant)))).toEqual(names(ANSWER));
  });

  it('with a leaf in two rows', () => {
    const split = ROWS.flatMap((row) => [
      { ...row, actual: row.actual / 4, expected: row.expected / 4 },
      { ...row, actual: (row.actual * 3) / 4, expected: (row.expected * 3) / 4 },
    ]);
    expect(names(attribute(tableOf(DIMENSIONS, split)))).toEqual(names(ANSWER));
  });

  it('with rows of nothing', () => {
    const more = [
      ...ROWS,
      ...['p', 'q', 'r'].map((value): Row => ({ key: [value, 'b1', 'c1'], actual: 0, expected: 0 })),
    ];
    expect(names(attribute(tableOf(DIMENSIONS, more)))).toEqual(names(ANSWER));
  });

  it('with a dimension that follows from another: the shorter form stays', () => {
    const implied = ROWS.map((row): Row => ({ ...row, key: [...row.key, `zone-${row.key[0]! < 'a4' ? 1 : 2}`] }));
    expect(names(attribute(tableOf([...DIMENSIONS, 'zone'], implied)))).toEqual(names(ANSWER));
  });
});

describe('the noise ladder', () => {
  it.each([0.01, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2])('σ = %d', (sigma) => {
    let right = 0;
    let named = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const elements = attribute(cube({ seed, causes: CAUSES, sigma, shape: [6, 10, 8] })).elements.map(textOf);
      named += elements.length;
      right += elements.filter((text) => CAUSES.some(({ element }) => element === text)).length;
    }
    // Of 36: the single leaf is a tenth of a per cent of the change and drowns first, the six leaves next.
    expect(right / named).toBeGreaterThanOrEqual(0.95);
    expect(right).toBeGreaterThanOrEqual(sigma <= 0.1 ? 33 : sigma <= 0.15 ? 24 : 16);
  });
});
