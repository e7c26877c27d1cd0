/** The tables of a window with names in the place of addresses: leaves that become the same are added up. */

import { TCP_FIELDS } from '../model/columns.ts';
import type { CallTable, Names, TcpTable } from '../model/window.ts';
import { KEY_CALLEE, KEY_CALLER, KEY_CALLER_INSTANCE, KEY_CALLER_MACHINE, KEY_SIDE } from '../model/window.ts';
import { Doubles, exact, Words } from './growable.ts';
import type { Joins } from './joins.ts';
import type { Places } from './places.ts';
import { Placing } from './places.ts';
import type { RenamedIds } from './renamed-ids.ts';
import type { CallerShares, Part } from './shared-callers.ts';

const RTT_MIN = TCP_FIELDS.indexOf('rttMinUs');

/** undefined: every leaf has its names already. Cost: O(rows). */
function placesOf(
  leaf: Uint32Array,
  leaves: RenamedIds,
  partsOf: (keys: Uint32Array, at: number) => readonly Part[],
): Places | undefined {
  const { directory } = leaves;
  const key = new Uint32Array(directory.width);
  const placing = new Placing(leaf.length);
  for (let row = 0; row < leaf.length; row++) {
    const id = leaves.of(leaf[row]!);
    const at = id * directory.width;
    const isOpen = directory.keys[at + KEY_SIDE] === 1 && directory.keys[at + KEY_CALLER_INSTANCE] === 0;
    const parts = isOpen ? partsOf(directory.keys, at) : [];
    if (id !== leaf[row] || parts.length > 0) placing.changed = true;
    const collector = directory.collector[leaf[row]!]!;
    if (id !== leaf[row]) directory.report(id, collector);
    if (parts.length === 0) {
      placing.put(row, id, 1);
      continue;
    }
    key.set(directory.keys.subarray(at, at + directory.width));
    for (const { caller, weight } of parts) {
      key[KEY_CALLER] = caller.service;
      key[KEY_CALLER_INSTANCE] = caller.instance;
      key[KEY_CALLER_MACHINE] = caller.machine;
      const part = directory.intern(key);
      directory.report(part, collector);
      placing.put(row, part, weight);
    }
  }
  return placing.changed ? placing.places : undefined;
}

export function renamedCalls(table: CallTable, leaves: RenamedIds, shares: CallerShares): CallTable {
  const places = placesOf(table.leaf, leaves, (keys, at) => shares.ofCalls(keys, at));
  if (places === undefined) return table;
  return {
    rows: places.ids.length,
    leaf: places.ids,
    count: summed(table.count, places),
    errors: summed(table.errors, places),
    durationSumUs: summed(table.durationSumUs, places),
  };
}

export function renamedTcp(table: TcpTable, leaves: RenamedIds, shares: CallerShares): TcpTable {
  const places = placesOf(table.leaf, leaves, (keys, at) =>
    shares.ofEdge(keys[at + KEY_CALLER]!, keys[at + KEY_CALLEE]!),
  );
  if (places === undefined) return table;
  const { from, to, ids } = places;
  const flags = (column: Uint8Array): Uint8Array => {
    const out = new Uint8Array(ids.length);
    for (let i = 0; i < from.length; i++) out[to[i]!]! |= column[from[i]!]!;
    return out;
  };
  const drops = sparse(table.dropRow, table.dropReason, table.dropValue, places, table.rows);
  const failures = sparse(table.failureRow, table.failureReason, table.failureValue, places, table.rows);
  return {
    rows: ids.length,
    leaf: ids,
    values: table.values.map((column, f) =>
      column === undefined ? undefined : f === RTT_MIN ? least(column, places) : known(column, places),
    ),
    hasDrops: flags(table.hasDrops),
    hasConnectFailures: flags(table.hasConnectFailures),
    dropRow: drops.row,
    dropReason: drops.reason,
    dropValue: drops.value,
    failureRow: failures.row,
    failureReason: failures.reason,
    failureValue: failures.value,
  };
}

/** Entries of a row go to all of its parts. Cost: O(parts + entries). */
function sparse(
  row: Uint32Array,
  reason: Uint32Array,
  value: Float64Array,
  { from, to, weight }: Places,
  rows: number,
): { row: Uint32Array; reason: Uint32Array; value: Float64Array } {
  const start = new Uint32Array(rows + 1);
  for (let i = 0; i < from.length; i++) start[from[i]! + 1]!++;
  for (let r = 0; r < rows; r++) start[r + 1] = start[r + 1]! + start[r]!;
  const out = { row: new Words(row.length), reason: new Words(row.length), value: new Doubles(row.length) };
  for (let k = 0; k < row.length; k++) {
    for (let i = start[row[k]!]!; i < start[row[k]! + 1]!; i++) {
      out.row.push(to[i]!);
      out.reason.push(reason[k]!);
      out.value.push(exact(value[k]! * weight[i]!));
    }
  }
  return { row: out.row.trim(), reason: out.reason.trim(), value: out.value.trim() };
}

/** NaN where a part is not known. */
function summed(column: Float64Array, { from, to, weight, ids }: Places): Float64Array {
  const out = new Float64Array(ids.length);
  for (let i = 0; i < from.length; i++) out[to[i]!] = out[to[i]!]! + exact(column[from[i]!]! * weight[i]!);
  return out;
}

/** The sum of what is known, NaN where nothing is. */
function known(column: Float64Array, places: Places): Float64Array {
  return folded(
    column,
    places,
    (value, weight) => exact(value * weight),
    (a, b) => a + b,
  );
}

function least(column: Float64Array, places: Places): Float64Array {
  return folded(column, places, (value) => value, Math.min);
}

function folded(
  column: Float64Array,
  { from, to, weight, ids }: Places,
  part: (value: number, weight: number) => number,
  fold: (a: number, b: number) => number,
): Float64Array {
  const out = new Float64Array(ids.length).fill(Number.NaN);
  for (let i = 0; i < from.length; i++) {
    const value = part(column[from[i]!]!, weight[i]!);
    const old = out[to[i]!]!;
    if (!Number.isNaN(value)) out[to[i]!] = Number.isNaN(old) ? value : fold(old, value);
  }
  return out;
}

/** `relations NUL from NUL to` with names in the place of addresses: several where services share one. */
export function renamedRelations(entry: string, joins: Joins, names: Names): string[] {
  const [relation, from = '', to = ''] = entry.split('\0');
  if (relation !== 'calls') return [entry];
  const [caller, callee] = joins.edge(names.id(from), names.id(to));
  const shared = joins.sharing(caller, callee);
  const callers = shared.length === 0 ? [caller] : shared.map(({ service }) => service);
  return callers.map((one) => `${relation}\0${names.name(one)}\0${names.name(callee)}`);
}
