/** Canonical order by packed keys, by their digits and dimension by dimension: the same as sorting strings. */
import { describe, expect, it } from 'vitest';
import { canonical } from '../../src/attribute/canonical.ts';
import type { LeafTable } from '../../src/attribute/index.ts';
import { createRandom } from '../../src/stats/random.ts';

function table(cardinality: readonly number[], rows: number, seed: number): LeafTable {
  const random = createRandom(seed);
  return {
    dimensions: cardinality.map((_, d) => `k${(d * 5) % 7}`),
    // Out of order, some never used, one string twice.
    values: cardinality.map((size) => Array.from({ length: size }, (_, v) => `v${v === 1 ? 0 : (v * 7919) % 10_007}`)),
    codes: cardinality.map((size) => Uint32Array.from({ length: rows }, () => Math.floor(random() * size))),
    actual: Float64Array.from({ length: rows }, () => random()),
    expected: Float64Array.from({ length: rows }, () => random()),
  };
}

/** Leaves as text with their sums, by string keys. */
function straightforward({ dimensions, values, codes, actual, expected }: LeafTable): string[] {
  const order = [...dimensions.keys()].sort((a, b) => (dimensions[a]! < dimensions[b]! ? -1 : 1));
  const sums = new Map<string, [number, number]>();
  for (let i = 0; i < actual.length; i++) {
    const key = order.map((d) => values[d]![codes[d]![i]!]).join('\u0000');
    const [a, e] = sums.get(key) ?? [0, 0];
    sums.set(key, [a + actual[i]!, e + expected[i]!]);
  }
  return [...sums.keys()].sort().map((key) => `${key.replaceAll('\u0000', ' ')} ${sums.get(key)!.join(' ')}`);
}

function textsOf({ values, codes, actual, expected }: LeafTable): string[] {
  return [...actual.keys()].map(
    (i) => `${codes.map((column, d) => values[d]![column[i]!]).join(' ')} ${actual[i]} ${expected[i]}`,
  );
}

describe('leaves, order and sums to the bit', () => {
  it.each([
    ['a table of all cells', [5, 3, 4], 400],
    ['one dimension', [40], 100],
    ['one row', [3, 3], 1],
    ['no rows', [3, 3], 0],
    ['more rows than a block', [50, 30, 20], 10_000],
    ['digits of a key', [90, 80, 70, 60], 3000],
    ['dimension by dimension', [900, 800, 700, 600], 3000],
  ])('%s', (_, cardinality, rows) => {
    for (const seed of [1, 2, 3]) {
      const whole = table(cardinality, rows, seed);
      expect(textsOf(canonical(whole))).toEqual(straightforward(whole));
    }
  });

  it('rows of nothing but zeros are left out of a table of cells, with their denominators, and add nothing', () => {
    const whole = table([5, 3, 4], 40, 2);
    const zero = (column: Float64Array, every: number): Float64Array => column.map((x, i) => (i % every === 0 ? 0 : x));
    const sparse = { ...whole, actual: zero(whole.actual, 2), expected: zero(whole.expected, 4) };
    const filled = straightforward(sparse).filter((text) => !text.endsWith(' 0 0'));
    expect(filled.length).toBeLessThan(straightforward(sparse).length);
    expect(textsOf(canonical(sparse))).toEqual(filled);
    const busy = { ...sparse, actualDenominator: whole.actual, expectedDenominator: whole.expected };
    expect(textsOf(canonical(busy))).toEqual(straightforward(sparse));
    const nothing = { ...whole, actual: zero(whole.actual, 1), expected: zero(whole.expected, 1) };
    expect(textsOf(canonical(nothing))).toEqual([]);
  });

  it('keys number the leaves over all values that occur', () => {
    for (const seed of [1, 2]) {
      const { keys, codes, values } = canonical(table([50, 30, 20], seed * 300, seed));
      const expected = [...codes[0]!.keys()].map((i) =>
        codes.reduce((key, column, d) => key * values[d]!.length + column[i]!, 0),
      );
      expect([...keys!]).toEqual(expected);
    }
  });

  it('what is in order is passed on, and the caller keeps its numbers', () => {
    const once = canonical(table([5, 3, 4], 400, 1));
    const again = canonical(once);
    expect(again).toEqual(once);
    expect(again.actual).toBe(once.actual);
    const whole = table([5, 3, 4], 400, 1);
    const before = structuredClone(whole);
    canonical(whole);
    expect(whole).toEqual(before);
  });
});
