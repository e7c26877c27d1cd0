/** The scan against brute force over every set of up to two elements of small cubes. */
import { describe, expect, it } from 'vitest';
import type { LeafTable } from '../../src/attribute/index.ts';
import { attribute } from '../../src/attribute/index.ts';
import { cube, textOf } from './cube.ts';

interface Element {
  readonly text: string;
  readonly leaves: ReadonlySet<number>;
}

function everyElement(table: LeafTable): Element[] {
  const out: Element[] = [];
  const walk = (d: number, terms: readonly string[], leaves: readonly number[]): void => {
    if (d === table.dimensions.length) {
      if (terms.length > 0) out.push({ text: terms.join('&'), leaves: new Set(leaves) });
      return;
    }
    walk(d + 1, terms, leaves);
    table.values[d]!.forEach((value, code) => {
      walk(
        d + 1,
        [...terms, `${table.dimensions[d]}=${value}`],
        leaves.filter((i) => table.codes[d]![i] === code),
      );
    });
  };
  walk(0, [], [...table.actual.keys()]);
  return out;
}

/** Squares left when each element of the set has its own best common factor, weighted by 1/expected: the plain likelihood. */
function misfit(table: LeafTable, set: readonly Element[], sigma: number): number {
  const deviation = (i: number): number =>
    (2 * (table.expected[i]! - table.actual[i]!)) / (table.expected[i]! + table.actual[i]! || 1);
  let sum = 0;
  const means = set.map(({ leaves }) => [...leaves].reduce((s, i) => s + deviation(i), 0) / Math.max(1, leaves.size));
  for (let i = 0; i < table.actual.length; i++) {
    const owner = set.findIndex(({ leaves }) => leaves.has(i));
    sum += (deviation(i) - (owner < 0 ? 0 : means[owner]!)) ** 2;
  }
  const price = set.reduce((s, { text }) => s + 2 * (4 + 4 * text.split('&').length), 0);
  return sum / sigma ** 2 + price;
}

/** Best set of at most two disjoint elements. */
function bruteForce(table: LeafTable, sigma: number): readonly string[] {
  const elements = everyElement(table);
  let best: readonly Element[] = [];
  let least = misfit(table, [], sigma);
  const consider = (set: readonly Element[]): void => {
    const value = misfit(table, set, sigma);
    if (value < least - 1e-9) [best, least] = [set, value];
  };
  elements.forEach((one, k) => {
    consider([one]);
    for (const other of elements.slice(k + 1)) {
      if (![...other.leaves].some((i) => one.leaves.has(i))) consider([one, other]);
    }
  });
  return best.map(({ text }) => text).sort();
}

describe('brute force over all sets of two elements', () => {
  const pairs = [
    [{ element: 'a=a1', factor: 0.4 }],
    [{ element: 'b=b2&c=c1', factor: 2 }],
    [{ element: 'a=a2&b=b3&c=c2', factor: 0.1 }],
    [
      { element: 'a=a3', factor: 0.5 },
      { element: 'a=a1&b=b1', factor: 1.8 },
    ],
    [
      { element: 'c=c2', factor: 1.6 },
      { element: 'a=a2&c=c1', factor: 0.5 },
    ],
    [
      { element: 'b=b1', factor: 0.3 },
      { element: 'b=b4', factor: 2.5 },
    ],
  ];
  it.each(
    pairs.flatMap((causes) =>
      [1, 2, 3, 4].map((seed) => [causes.map(({ element }) => element).join(' + '), seed, causes] as const),
    ),
  )('%s, seed %d', (_, seed, causes) => {
    const sigma = 0.05;
    const table = cube({ seed, shape: [3, 4, 3], causes, sigma, meanLevel: 1000 });
    expect(attribute(table).elements.map(textOf).sort()).toEqual(bruteForce(table, sigma));
  });
});
