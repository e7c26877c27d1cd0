/** Each kind of bad input has a defined answer or an error that names file, line and column. */
import { describe, expect, it } from 'vitest';
import { attribute, parseLeaves } from '../../src/attribute/index.ts';
import { cube, tableOf } from './cube.ts';

const error = (run: () => unknown): string => {
  try {
    run();
  } catch (thrown) {
    return (thrown as Error).message;
  }
  return 'no error';
};

describe('case files', () => {
  it.each([
    ['no rows', 'a,real,predict\n', 'case.csv, line 2: no rows'],
    ['nothing at all', '', 'case.csv, line 1: column real is missing'],
    ['no dimension', 'real,predict\n1,2\n', 'case.csv, line 1: no dimension column'],
    ['a missing column', 'a,b,real\nx,y,1\n', 'case.csv, line 1: column predict is missing'],
    ['a ragged row', 'a,real,predict\nx,1,2\ny,1\n', 'case.csv, line 3: expected 3 cells, found 2'],
    [
      'not a number',
      'a,real,predict\nx,1,2\ny,NaN,1\n',
      'case.csv, line 3: column real: expected a finite number, found "NaN"',
    ],
    ['an empty cell', 'a,real,predict\nx,1,\n', 'case.csv, line 2: column predict: expected a finite number, found ""'],
    [
      'infinity',
      'a,real,predict\nx,Infinity,2\n',
      'case.csv, line 2: column real: expected a finite number, found "Infinity"',
    ],
  ])('%s', (_, text, message) => {
    expect(error(() => parseLeaves(text, 'case.csv'))).toContain(message);
  });

  it('sums rows of one leaf, counts slightly negative values as 0, takes CRLF', () => {
    const table = parseLeaves('a,real,predict\r\nx,1,2\r\nx,3,4\r\ny,-0.001,5\r\n', 'case.csv');
    expect([...table.actual]).toEqual([4, 0]);
    expect([...table.expected]).toEqual([6, 5]);
  });
});

describe('tables', () => {
  const one = { key: ['x'], actual: 5, expected: 5 };
  it.each([
    [
      'no rows',
      {
        ...tableOf(['a'], [one]),
        codes: [new Uint32Array(0)],
        actual: new Float64Array(0),
        expected: new Float64Array(0),
      },
    ],
    ['one leaf, unchanged', tableOf(['a'], [one])],
    [
      'all zero',
      tableOf(
        ['a'],
        [
          { ...one, actual: 0, expected: 0 },
          { key: ['y'], actual: 0, expected: 0 },
        ],
      ),
    ],
  ])('%s: no change', (_, table) => {
    expect(attribute(table)).toMatchObject({ verdict: 'no-change', elements: [] });
  });

  it('a total of 0 expected: every leaf is new, the answer is finite', () => {
    const table = cube({ counts: true });
    const result = attribute({ ...table, expected: table.expected.map(() => 0) });
    expect(result).toMatchObject({ verdict: 'global', elements: [], commonDeviation: -2 });
    expect(
      result.dimensions.flatMap(({ pValue, values }) => [pValue, ...values.map(({ share }) => share)]),
    ).not.toContain(Number.NaN);
  });

  it.each([
    [
      'NaN',
      (table: ReturnType<typeof cube>) => ({
        ...table,
        actual: table.actual.map((x, i) => (i === 3 ? Number.NaN : x)),
      }),
      'column actual, row 3: expected a finite number, found NaN',
    ],
    [
      'a short column',
      (table: ReturnType<typeof cube>) => ({ ...table, expected: table.expected.slice(1) }),
      'column expected: expected 240 rows as in actual, found 239',
    ],
    [
      'a code without a value',
      (table: ReturnType<typeof cube>) => ({ ...table, values: [['a1'], ...table.values.slice(1)] }),
      'dimension a, row 40: expected a code below 1, found 1',
    ],
    [
      'one denominator',
      (table: ReturnType<typeof cube>) => ({ ...table, actualDenominator: table.actual }),
      'expected both denominators or none, found one',
    ],
  ])('%s', (_, spoil, message) => {
    expect(error(() => attribute(spoil(cube())))).toContain(message);
  });

  it('a ratio without requests', () => {
    expect(error(() => attribute(cube(), 'ratio'))).toContain('expected denominators, found none');
  });

  it('a hundred thousand values of one dimension stay within memory', () => {
    const rows = Array.from({ length: 100_000 }, (_, i) => ({
      key: [`user-${i}`, `s${i % 7}`, `h${i % 11}`],
      actual: i % 7 === 3 ? 20 : 50 + (i % 5),
      expected: 52,
    }));
    const dictionary = rows.map(({ key }) => key[0]!);
    const small = tableOf(
      ['service', 'host'],
      rows.map((row) => ({ ...row, key: row.key.slice(1) })),
    );
    const table = {
      ...small,
      dimensions: ['user', ...small.dimensions],
      values: [dictionary, ...small.values],
      codes: [Uint32Array.from(rows, (_, i) => i), ...small.codes],
    };
    expect(attribute(table).elements.map(({ terms }) => terms)).toEqual([[{ dimension: 'service', value: 's3' }]]);
  });
});
