/**
 * One order for every table: dimensions by name, values by code unit, leaves by their codes, equal leaves summed. What
 * follows sums in this order, so that the order of rows and columns cannot change a single bit of the answer.
 */
import { compareNames } from '../model/entity.ts';
import type { LeafTable } from './types.ts';

/** Cost: O(rows · dimensions): one counting sort per dimension, last to first. */
export function canonical(table: LeafTable): LeafTable {
  const order = [...table.dimensions.keys()].sort((a, b) => compareNames(table.dimensions[a]!, table.dimensions[b]!));
  const values: (readonly string[])[] = [];
  const ranked: Uint32Array[] = [];
  for (const d of order) {
    const [sorted, codes] = rank(table.values[d]!, table.codes[d]!);
    values.push(sorted);
    ranked.push(codes);
  }
  const rows = table.actual.length;
  let at = new Uint32Array(rows);
  for (let i = 0; i < rows; i++) at[i] = i;
  for (let d = ranked.length - 1; d >= 0; d--) at = countingSort(at, ranked[d]!, values[d]!.length);
  const group = new Uint32Array(rows);
  let leaves = rows > 0 ? 1 : 0;
  for (let k = 1; k < rows; k++) {
    const a = at[k]!;
    const b = at[k - 1]!;
    for (let d = 0; d < ranked.length; d++) {
      if (ranked[d]![a] === ranked[d]![b]) continue;
      leaves++;
      break;
    }
    group[k] = leaves - 1;
  }
  const pick = (codes: Uint32Array): Uint32Array => {
    const out = new Uint32Array(leaves);
    for (let k = 0; k < rows; k++) out[group[k]!] = codes[at[k]!]!;
    return out;
  };
  const sum = (column: Float64Array): Float64Array => {
    const out = new Float64Array(leaves);
    for (let k = 0; k < rows; k++) out[group[k]!] = out[group[k]!]! + column[at[k]!]!;
    return out;
  };
  return {
    dimensions: order.map((d) => table.dimensions[d]!),
    values,
    codes: ranked.map(pick),
    actual: sum(table.actual),
    expected: sum(table.expected),
    ...(table.actualDenominator === undefined ? {} : { actualDenominator: sum(table.actualDenominator) }),
    ...(table.expectedDenominator === undefined ? {} : { expectedDenominator: sum(table.expectedDenominator) }),
  };
}

/** Values that occur, sorted, and the codes in their order. Equal strings become one value. */
function rank(values: readonly string[], codes: Uint32Array): [string[], Uint32Array] {
  const used = new Uint8Array(values.length);
  for (let i = 0; i < codes.length; i++) used[codes[i]!] = 1;
  const sorted = [...new Set(values.filter((_, code) => used[code] === 1))].sort(compareNames);
  const to = new Map(sorted.map((value, index) => [value, index]));
  const map = Uint32Array.from(values, (value) => to.get(value) ?? 0);
  const out = new Uint32Array(codes.length);
  for (let i = 0; i < codes.length; i++) out[i] = map[codes[i]!]!;
  return [sorted, out];
}

function countingSort(at: Uint32Array<ArrayBuffer>, keys: Uint32Array, size: number): Uint32Array<ArrayBuffer> {
  let sorted = true;
  for (let k = 1; k < at.length && sorted; k++) sorted = keys[at[k - 1]!]! <= keys[at[k]!]!;
  if (sorted) return at;
  const start = new Uint32Array(size + 1);
  for (let i = 0; i < keys.length; i++) start[keys[i]! + 1] = start[keys[i]! + 1]! + 1;
  for (let k = 0; k < size; k++) start[k + 1] = start[k + 1]! + start[k]!;
  const out = new Uint32Array(at.length);
  for (let k = 0; k < at.length; k++) {
    const key = keys[at[k]!]!;
    out[start[key]!] = at[k]!;
    start[key] = start[key]! + 1;
  }
  return out;
}
