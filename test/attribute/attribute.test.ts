/** What is planted is found, in each measure, and what is not there is not named. */
import { describe, expect, it } from 'vitest';
import type { LeafTable } from '../../src/attribute/index.ts';
import { attribute } from '../../src/attribute/index.ts';
import { createRandom, poisson } from '../../src/stats/random.ts';
import type { Row } from './cube.ts';
import { cube, rowsOf, tableOf, textOf } from './cube.ts';

const found = (table: LeafTable): string[] => attribute(table).elements.map(textOf).sort();

describe('values', () => {
  it.each([
    ['a drop of one value', [{ element: 'b=b3', factor: 0.5 }]],
    ['a rise two deep', [{ element: 'a=a2&c=c4', factor: 2.5 }]],
    ['a single leaf', [{ element: 'a=a1&b=b5&c=c2', factor: 0.2 }]],
    ['a vanished value', [{ element: 'b=b7', factor: 0 }]],
    [
      'both directions',
      [
        { element: 'a=a4', factor: 0.6 },
        { element: 'b=b2&c=c1', factor: 1.9 },
      ],
    ],
    [
      'two sizes two hundred times apart',
      [
        { element: 'a=a5', factor: 0.4 },
        { element: 'a=a1&b=b1&c=c1', factor: 0.1 },
      ],
    ],
    [
      'three at different depths',
      [
        { element: 'c=c5', factor: 0.7 },
        { element: 'a=a6&b=b8', factor: 3 },
        { element: 'a=a1&b=b4&c=c2', factor: 0 },
      ],
    ],
  ])('%s', (_, causes) => {
    for (const counts of [false, true])
      expect(found(cube({ causes, counts, meanLevel: 2000, shape: [8, 10, 8] }))).toEqual(
        causes.map(({ element }) => element).sort(),
      );
  });

  it('five causes at once, largest first', () => {
    const causes = [1, 2, 3, 4, 5].map((k) => ({ element: `a=a${k}&b=b${k}`, factor: 0.3 }));
    const { elements } = attribute(cube({ causes, meanLevel: 2000 }));
    expect(elements.map(textOf).sort()).toEqual(causes.map(({ element }) => element));
    const shares = elements.map(({ share }) => share);
    expect(shares).toEqual([...shares].sort((a, b) => b - a));
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 1);
  });

  it('a new value, where nothing was expected', () => {
    const rows = rowsOf(cube({ counts: true })).map((row) =>
      row.key[0] === 'a3' ? { ...row, actual: row.expected, expected: 0 } : row,
    );
    const { elements } = attribute(tableOf(['a', 'b', 'c'], rows));
    expect(elements.map(textOf)).toEqual(['a=a3']);
    expect(elements[0]?.deviation).toBe(-2);
  });

  it('mostly empty leaves and a handful of events', () => {
    const table = cube({ counts: true, meanLevel: 2, shape: [8, 8, 8], causes: [{ element: 'a=a2', factor: 4 }] });
    expect(found(table)).toEqual(['a=a2']);
  });

  it('nothing, when nothing happened', () => {
    for (let seed = 1; seed <= 20; seed++) {
      for (const counts of [false, true]) {
        const { verdict, elements } = attribute(cube({ seed, counts, meanLevel: seed * 10 }));
        expect([verdict, elements.map(textOf)]).toEqual(['no-change', []]);
      }
    }
  });
});

describe('global and external', () => {
  it('every value moved alike: global, with the common factor', () => {
    const rows = rowsOf(cube({ counts: true })).map((row) => ({ ...row, actual: Math.round(row.actual * 0.6) }));
    const { verdict, elements, commonDeviation } = attribute(tableOf(['a', 'b', 'c'], rows));
    expect([verdict, elements]).toEqual(['global', []]);
    expect((2 - commonDeviation) / (2 + commonDeviation)).toBeCloseTo(0.6, 1);
  });

  it('what moved is in no recorded dimension: external', () => {
    const random = createRandom(7);
    const rows = rowsOf(cube({ shape: [4, 4, 40], sigma: 0.01 })).map((row) => ({
      ...row,
      actual: random() < 0.3 ? row.actual * 0.3 : row.actual,
    }));
    const { verdict, elements } = attribute(tableOf(['a', 'b', 'c'], rows));
    expect([verdict, elements]).toEqual(['external', []]);
  });
});

/** Requests and errors of a shop: service -> endpoint, host -> zone. */
function requests(
  change: (row: { service: string; host: string; zone: string }) => { rate?: number; load?: number },
): LeafTable {
  const random = createRandom(3);
  const rows: Row[] = [];
  for (const service of ['cart', 'pay', 'user', 'search']) {
    for (const endpoint of ['list', 'get', 'put']) {
      for (const host of ['h1', 'h2', 'h3', 'h4']) {
        const zone = host < 'h3' ? 'z1' : 'z2';
        const { rate = 0.02, load = 1 } = change({ service, host, zone });
        const requestsNow = poisson(random, 800 * load);
        rows.push({
          key: [service, `${service}/${endpoint}`, host, zone],
          actual: poisson(random, requestsNow * rate),
          expected: 800 * 0.02,
          requests: requestsNow,
          requestsBefore: 800,
        });
      }
    }
  }
  return tableOf(['service', 'endpoint', 'host', 'zone'], rows);
}

describe('ratios', () => {
  it('names the value whose rate rose, with its part of the change', () => {
    const result = attribute(
      requests(({ service }) => (service === 'pay' ? { rate: 0.3 } : {})),
      'ratio',
    );
    expect(result.elements.map(textOf)).toEqual(['service=pay']);
    const { change, rate, mix } = result.split!;
    expect(rate + mix).toBeCloseTo(change, 12);
    const own = result.elements[0]!.split!;
    expect(own.rate).toBeGreaterThan(0.95 * change);
    expect(Math.abs(own.mix)).toBeLessThan(0.05 * change);
  });

  it('a shift of traffic is told as such', () => {
    const table = requests(({ service }) => (service === 'pay' ? { rate: 0.3, load: 4 } : {}));
    const shifted = {
      ...table,
      expected: table.expected.map((_, i) => (table.values[0]![table.codes[0]![i]!] === 'pay' ? 240 : 16)),
    };
    const { verdict, elements, split } = attribute(shifted, 'ratio');
    expect(verdict).toBe('mix-shift');
    expect(elements.map(textOf)).toEqual(['service=pay']);
    expect(split!.mix).toBeGreaterThan(0.9 * split!.change);
  });

  it('answers in the shortest form where one dimension implies another', () => {
    const host = attribute(
      requests(({ host }) => (host === 'h2' ? { rate: 0.2 } : {})),
      'ratio',
    );
    expect(host.elements.map(textOf)).toEqual(['host=h2']);
    const zone = attribute(
      requests(({ zone }) => (zone === 'z2' ? { rate: 0.2 } : {})),
      'ratio',
    );
    expect(zone.elements.map(textOf)).toEqual(['zone=z2']);
  });

  it('tells per dimension whether the change is even or concentrated', () => {
    const { dimensions } = attribute(
      requests(({ host }) => (host === 'h2' ? { rate: 0.2 } : {})),
      'ratio',
    );
    const verdicts = Object.fromEntries(dimensions.map(({ dimension, verdict }) => [dimension, verdict]));
    expect(verdicts).toEqual({ host: 'concentrated', zone: 'concentrated', service: 'even', endpoint: 'even' });
    expect(dimensions[0]?.values[0]).toMatchObject({ value: 'h2' });
    expect(dimensions[0]?.values[0]?.share).toBeGreaterThan(0.9);
  });
});

describe('one dimension at a time', () => {
  /** Errors of two instances with so many requests each, against none before but a little. */
  const verdictOf = (requests: number, errors: readonly [number, number]) =>
    attribute(
      tableOf(
        ['instance'],
        errors.map((actual, i) => ({
          key: [`cart-${i + 1}`],
          actual,
          expected: 0.02 * requests,
          requests,
          requestsBefore: requests,
        })),
      ),
      'ratio',
      { sigma2: 0.0025, dispersion: 1 },
    ).dimensions[0]?.verdict;

  it('few errors of one instance are neither even nor concentrated: they tell nothing', () => {
    expect(verdictOf(30, [5, 0])).toBe('unclear');
  });

  it('many of both are even, many of one concentrated', () => {
    expect(verdictOf(3_000, [600, 600])).toBe('even');
    expect(verdictOf(3_000, [600, 60])).toBe('concentrated');
  });

  it('what is in doubt is not called even', () => {
    expect(verdictOf(3_000, [520, 300])).toBe('unclear');
  });
});

describe('means', () => {
  it('names what got slower, however much traffic moved', () => {
    const random = createRandom(5);
    const rows: Row[] = [];
    for (const service of ['a', 'b', 'c', 'd']) {
      for (const host of ['h1', 'h2', 'h3', 'h4', 'h5']) {
        const count = poisson(random, service === 'b' ? 900 : 300);
        const each = service === 'c' && host === 'h4' ? 90_000 : 20_000;
        const noise = 1 + 0.02 * (random() - 0.5);
        rows.push({
          key: [service, host],
          actual: count * each * noise,
          expected: 300 * 20_000,
          requests: count,
          requestsBefore: 300,
        });
      }
    }
    const { elements, measure } = attribute(tableOf(['service', 'host'], rows));
    expect(measure).toBe('mean');
    expect(elements.map(textOf)).toEqual(['host=h4&service=c']);
  });
});
