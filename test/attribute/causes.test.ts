/** Where the scan began with the wrong element and a set of elements of one cuboid explains more. */
import { describe, expect, it } from 'vitest';
import { prepare } from '../../src/attribute/attribute.ts';
import { canonical } from '../../src/attribute/canonical.ts';
import { findCauses } from '../../src/attribute/causes.ts';
import type { LeafTable } from '../../src/attribute/index.ts';
import { attribute } from '../../src/attribute/index.ts';
import { termsOf } from '../../src/attribute/judge.ts';
import { createRandom, normal } from '../../src/stats/random.ts';
import type { Row } from './cube.ts';
import { tableOf, textOf } from './cube.ts';

const SHAPE = [6, 8, 5];

/** Every 25th healthy leaf is 7σ off, up and down in turns. */
function table(factors: Readonly<Record<string, number>>): LeafTable {
  const random = createRandom(3);
  const rows: Row[] = [];
  for (let i = 0; i < SHAPE.reduce((product, size) => product * size, 1); i++) {
    const [a, b, c] = [1 + (i % 6), 1 + (Math.floor(i / 6) % 8), 1 + Math.floor(i / 48)];
    const factor = factors[`a${a}&b${b}`];
    // Of a1 little else is there: it scores more than either of those that moved, less than both.
    if (a === 1 && factor === undefined && (b > 3 || c > 1)) continue;
    const off = i % 25 === 0 && a > 1 ? (i % 2 === 0 ? 1.42 : 0.7) : 1;
    const expected = factor !== undefined ? 1000 : a === 1 ? 1 : 100;
    const actual = expected * (factor ?? off) * (1 + 0.02 * normal(random));
    rows.push({ key: [`a${a}`, `b${b}`, `c${c}`], actual, expected });
  }
  return tableOf(['a', 'b', 'c'], rows);
}

const greedy = (whole: LeafTable): string => {
  const { table, input } = prepare(canonical(whole), 'count', undefined);
  const { scan } = findCauses(input, table.codes);
  return textOf({ terms: termsOf(table, input.cuboids, scan.found[0]!) });
};
const named = (whole: LeafTable): string[] => attribute(whole, 'count').elements.map(textOf).sort();

describe('several elements of one cuboid instead of one across them', () => {
  const two = table({ 'a1&b1': 0.3, 'a1&b2': 0.45 });

  it('two children that moved differently, for their parent', () => {
    expect(greedy(two)).toBe('a=a1');
    expect(attribute(two).heavyTails).toBe(true);
    expect(named(two)).toEqual(['a=a1&b=b1', 'a=a1&b=b2']);
  });

  it('the parent of children that all moved alike stays', () => {
    const alike = table({ 'a1&b1': 0.3, 'a1&b2': 0.31, 'a1&b3': 0.29 });
    expect(greedy(alike)).toBe('a=a1');
    expect(named(alike)).toEqual(['a=a1']);
  });

  it('the order of rows does not matter', () => {
    const back = (column: Float64Array): Float64Array => Float64Array.from(column).reverse();
    const reversed: LeafTable = {
      ...two,
      codes: two.codes.map((codes) => Uint32Array.from(codes).reverse()),
      actual: back(two.actual),
      expected: back(two.expected),
    };
    expect(attribute(reversed)).toEqual(attribute(two));
  });

  it('what it was taken for is the runner-up, and confidence stays within bounds', () => {
    for (const { confidence, runnerUp } of attribute(two).elements) {
      expect(confidence).toBeGreaterThan(0);
      expect(confidence).toBeLessThanOrEqual(1);
      if (runnerUp !== undefined && runnerUp.scoreRatio > 1) expect(textOf(runnerUp)).toBe('a=a1');
    }
    expect(attribute(two).elements.some(({ runnerUp }) => (runnerUp?.scoreRatio ?? 0) > 1)).toBe(true);
  });
});
