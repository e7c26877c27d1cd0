/** Seeded cubes with planted causes. */
import type { LeafTable } from '../../src/attribute/index.ts';
import { createRandom, normal, poisson } from '../../src/stats/random.ts';

export interface Planted {
  /** "a=a1&b=b2" */
  readonly element: string;
  /** Actual over expected. */
  readonly factor: number;
}

export interface CubeOptions {
  readonly seed?: number;
  /** Values per dimension; dimensions are called a, b, c, … */
  readonly shape?: readonly number[];
  readonly causes?: readonly Planted[];
  /** Relative error of the forecast. */
  readonly sigma?: number;
  /** Poisson counts around the truth instead. */
  readonly counts?: boolean;
  readonly meanLevel?: number;
}

export function cube(options: CubeOptions = {}): LeafTable {
  const { seed = 1, shape = [6, 8, 5], causes = [], sigma = 0.03, counts = false, meanLevel = 200 } = options;
  const random = createRandom(seed);
  const dimensions = shape.map((_, d) => String.fromCharCode(97 + d));
  const rows = shape.reduce((product, size) => product * size, 1);
  const codes = shape.map(() => new Uint32Array(rows));
  const actual = new Float64Array(rows);
  const expected = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    let rest = i;
    for (let d = shape.length - 1; d >= 0; d--) {
      codes[d]![i] = rest % shape[d]!;
      rest = Math.floor(rest / shape[d]!);
    }
    const level = meanLevel * Math.exp(normal(random));
    const at = (name: string): string => {
      const d = dimensions.indexOf(name);
      return `${name}${codes[d]![i]! + 1}`;
    };
    const hit = causes.find(({ element }) =>
      element.split('&').every((term) => term.split('=')[1] === at(term.split('=')[0]!)),
    );
    const truth = level * (hit?.factor ?? 1);
    expected[i] = level;
    actual[i] = counts ? poisson(random, truth) : Math.max(0, truth * (1 + sigma * normal(random)));
  }
  return {
    dimensions,
    values: shape.map((size, d) => Array.from({ length: size }, (_, k) => `${dimensions[d]}${k + 1}`)),
    codes,
    actual,
    expected,
  };
}

export const textOf = ({
  terms,
}: {
  readonly terms: readonly { readonly dimension: string; readonly value: string }[];
}): string =>
  terms
    .map(({ dimension, value }) => `${dimension}=${value}`)
    .sort()
    .join('&');

/** Rows of a table as objects: easy to reorder, split, widen. */
export interface Row {
  readonly key: readonly string[];
  readonly actual: number;
  readonly expected: number;
  readonly requests?: number;
  readonly requestsBefore?: number;
}

export function rowsOf(table: LeafTable): Row[] {
  return [...table.actual].map((actual, i) => ({
    key: table.values.map((values, d) => values[table.codes[d]![i]!]!),
    actual,
    expected: table.expected[i]!,
  }));
}

export function tableOf(dimensions: readonly string[], rows: readonly Row[]): LeafTable {
  const values = dimensions.map((_, d) => [...new Set(rows.map(({ key }) => key[d]!))]);
  return {
    dimensions,
    values,
    codes: dimensions.map((_, d) => Uint32Array.from(rows, ({ key }) => values[d]!.indexOf(key[d]!))),
    actual: Float64Array.from(rows, ({ actual }) => actual),
    expected: Float64Array.from(rows, ({ expected }) => expected),
    ...(rows[0]?.requests === undefined
      ? {}
      : {
          actualDenominator: Float64Array.from(rows, ({ requests }) => requests!),
          expectedDenominator: Float64Array.from(rows, ({ requestsBefore }) => requestsBefore!),
        }),
  };
}
