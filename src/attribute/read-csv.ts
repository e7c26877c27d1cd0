/** A case file -> leaves. `real,predict` or `real_num,predict_num,real_den,predict_den` after the dimension columns. */
import { RcaError } from '../model/errors.ts';
import type { LeafTable } from './types.ts';

const FUNDAMENTAL = ['real', 'predict'];
const DERIVED = ['real_num', 'predict_num', 'real_den', 'predict_den'];

/**
 * @throws {RcaError} RCA_BAD_INPUT naming file, line and column: missing columns, ragged rows, no rows, not a number
 * Slightly negative values (a generator's artefact) count as 0; rows of the same combination are summed.
 */
export function parseLeaves(text: string, file: string): LeafTable {
  const fail = (line: number, what: string): RcaError =>
    new RcaError('RCA_BAD_INPUT', `${file}, line ${line}: ${what}`, { file, line });
  const lines = text.split(/\r?\n/);
  const head = (lines[0] ?? '').split(',');
  const measures = DERIVED.every((name) => head.includes(name)) ? DERIVED : FUNDAMENTAL;
  for (const name of measures)
    if (!head.includes(name))
      throw fail(
        1,
        `column ${name} is missing; expected ${FUNDAMENTAL.join(', ')} or ${DERIVED.join(', ')} after the dimensions`,
      );
  const dimensionAt = head.flatMap((name, index) => (measures.includes(name) ? [] : [index]));
  if (dimensionAt.length === 0) throw fail(1, 'no dimension column');
  const measureAt = measures.map((name) => head.indexOf(name));
  const dictionaries = dimensionAt.map(() => new Map<string, number>());
  const codes: number[][] = dimensionAt.map(() => []);
  const numbers: number[][] = measures.map(() => []);
  const seen = new Map<string, number>();
  for (let n = 1; n < lines.length; n++) {
    const line = lines[n]!;
    if (line === '') continue;
    const cells = line.split(',');
    if (cells.length !== head.length) throw fail(n + 1, `expected ${head.length} cells, found ${cells.length}`);
    const own = dimensionAt.map((at, k) => {
      const dictionary = dictionaries[k]!;
      const value = cells[at]!;
      let code = dictionary.get(value);
      if (code === undefined) {
        code = dictionary.size;
        dictionary.set(value, code);
      }
      return code;
    });
    const values = measureAt.map((at) => {
      const value = Number(cells[at]);
      if (cells[at] === '' || !Number.isFinite(value))
        throw fail(n + 1, `column ${head[at]}: expected a finite number, found "${cells[at]}"`);
      return Math.max(0, value);
    });
    const key = own.join(',');
    const row = seen.get(key);
    if (row === undefined) {
      seen.set(key, numbers[0]!.length);
      for (const [k, code] of own.entries()) codes[k]!.push(code);
      for (const [k, value] of values.entries()) numbers[k]!.push(value);
    } else for (const [k, value] of values.entries()) numbers[k]![row] = numbers[k]![row]! + value;
  }
  if (numbers[0]!.length === 0) throw fail(2, 'no rows');
  const column = (k: number): Float64Array => Float64Array.from(numbers[k]!);
  return {
    dimensions: dimensionAt.map((at) => head[at]!),
    values: dictionaries.map((dictionary) => [...dictionary.keys()]),
    codes: codes.map((list) => Uint32Array.from(list)),
    actual: column(0),
    expected: column(1),
    ...(measures === DERIVED ? { actualDenominator: column(2), expectedDenominator: column(3) } : {}),
  };
}
