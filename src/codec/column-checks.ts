/** What is checked of decoded columns, and what stands for columns that were not sent. */
import { CodecProblem } from './result.ts';

const REQUIRED_NAMES = new Set(['caller', 'callee', 'protocol', 'operation', 'status']);

export interface Entries {
  row: Uint32Array;
  key: Uint32Array;
  value: Float64Array;
}

export function nameColumn(column: Uint32Array, rows: number, strings: number, name: string): Uint32Array {
  sized(column, rows, name);
  const required = REQUIRED_NAMES.has(name);
  for (let row = 0; row < rows; row++) {
    const id = column[row]!;
    if (id >= strings)
      throw new CodecProblem('bad_encoding', `${name}[${row}]: index ${id} is outside the dictionary of ${strings}`);
    if (required && id === 0) throw new CodecProblem('missing_field', `${name}[${row}]: missing`);
  }
  return column;
}

export function countColumn(column: Float64Array, rows: number, name: string): Float64Array {
  sized(column, rows, name);
  for (let row = 0; row < rows; row++) {
    const value = column[row]!;
    if (value < 0 || value === Number.POSITIVE_INFINITY)
      throw new CodecProblem('bad_value', `${name}[${row}]: expected a finite number of 0 or more, found ${value}`);
  }
  return column;
}

/** Count and errors are never unknown. */
export function known(column: Float64Array, name: string): Float64Array {
  for (let row = 0; row < column.length; row++) {
    if (Number.isNaN(column[row])) throw new CodecProblem('bad_value', `${name}[${row}]: expected a number, found NaN`);
  }
  return column;
}

export function flagColumn(column: Uint8Array, rows: number, name: string): Uint8Array<ArrayBuffer> {
  sized(column, rows, name);
  for (let row = 0; row < rows; row++) {
    if (column[row]! > 1) throw new CodecProblem('bad_value', `${name}[${row}]: expected 0 or 1, found ${column[row]}`);
  }
  return column as Uint8Array<ArrayBuffer>;
}

export function sized<T extends { readonly length: number }>(column: T, rows: number, name: string): T {
  if (column.length !== rows)
    throw new CodecProblem('bad_encoding', `${name}: expected ${rows} items, found ${column.length}`);
  return column;
}

export function checkHistograms(start: Uint32Array | undefined, counts: Float64Array, rows: number): void {
  if (start === undefined) return;
  sized(start, rows + 1, 'histogram_start');
  for (let row = 0; row < rows; row++) {
    if (start[row + 1]! < start[row]!)
      throw new CodecProblem('bad_encoding', `histogram_start[${row + 1}]: expected to ascend`);
  }
  if (start[0] !== 0 || start[rows] !== counts.length)
    throw new CodecProblem('bad_encoding', 'histogram_start: expected to run from 0 to the number of counts');
  countColumn(known(counts, 'histogram_counts'), counts.length, 'histogram_counts');
}

export function checkEntries(entries: Entries, rows: number, strings: number, name: string): void {
  const { row, key, value } = entries;
  sized(key, row.length, `${name}_key`);
  sized(value, row.length, `${name}_value`);
  for (let i = 0; i < row.length; i++) {
    if (row[i]! >= rows || key[i]! >= strings || key[i] === 0)
      throw new CodecProblem('bad_encoding', `${name}[${i}]: row or key out of range`);
  }
  countColumn(known(value, `${name}_value`), value.length, `${name}_value`);
}

export function checkEndpoints(row: Uint32Array, texts: readonly string[], rows: number): void {
  sized(texts, row.length, 'endpoint');
  for (let i = 0; i < row.length; i++) {
    if (row[i]! >= rows || texts[i] === '')
      throw new CodecProblem('bad_encoding', `endpoint[${i}]: empty, or its row is out of range`);
  }
}

/** Texts that were found to be tags; dropped when there are many. */
const goodTags = new Set<string>();
const MAX_GOOD_TAGS = 10_000;
const MAX_KEPT_TEXT = 256;

/** Tags are JSON objects of texts: whoever reads them later does not check again. */
export function checkTags(column: Uint32Array, strings: readonly string[]): void {
  for (let row = 0; row < column.length; row++) {
    if (column[row] === 0) continue;
    const text = strings[column[row]!]!;
    if (goodTags.has(text)) continue;
    if (!isTags(text))
      throw new CodecProblem('bad_value', `tags[${row}]: expected a JSON object of texts, found ${text.slice(0, 60)}`);
    if (text.length > MAX_KEPT_TEXT) continue;
    if (goodTags.size >= MAX_GOOD_TAGS) goodTags.clear();
    goodTags.add(text);
  }
}

function isTags(text: string): boolean {
  if (!text.startsWith('{')) return false;
  try {
    return Object.values(JSON.parse(text) as object).every((value) => typeof value === 'string');
  } catch {
    return false;
  }
}

export function absentNames(rows: number, name: string): Uint32Array {
  if (rows > 0 && REQUIRED_NAMES.has(name)) throw new CodecProblem('missing_field', `${name}: missing`);
  return zeroWords(rows);
}

/** Columns that were not sent are shared: nobody writes to a decoded column. */
let nan = new Float64Array(0);
let zeros = new Uint32Array(0);

export function unknownNumbers(rows: number): Float64Array {
  if (nan.length !== rows) nan = new Float64Array(rows).fill(Number.NaN);
  return nan;
}

export function zeroWords(rows: number): Uint32Array {
  if (zeros.length !== rows) zeros = new Uint32Array(rows);
  return zeros;
}

export function missing(name: string): never {
  throw new CodecProblem('missing_field', `${name}: missing`);
}
