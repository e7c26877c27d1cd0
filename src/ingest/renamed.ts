/** The tables of a window with names in the place of addresses: leaves that become the same are added up. */

import { TCP_FIELDS } from '../model/columns.ts';
import type { CallTable, HistogramTable, Names, TcpTable } from '../model/window.ts';
import { HISTOGRAM_BUCKETS } from '../stats/histogram.ts';
import type { Directory } from './directory.ts';
import { RowIndex, Words } from './growable.ts';
import type { Joins } from './joins.ts';

const RTT_MIN = TCP_FIELDS.indexOf('rttMinUs');

/** Leaf -> the leaf with its names; remembered as long as nothing new is learnt. */
export class RenamedLeaves {
  readonly #directory: Directory;
  readonly #joins: Joins;
  readonly #key: Uint32Array;
  #version = 0;
  /** Leaf -> renamed leaf + 1; 0: not looked at yet. */
  #known = new Uint32Array(256);

  constructor(directory: Directory, joins: Joins) {
    this.#directory = directory;
    this.#joins = joins;
    this.#key = new Uint32Array(directory.width);
  }

  of(leaf: number): number {
    if (this.#version !== this.#joins.version) {
      this.#version = this.#joins.version;
      this.#known.fill(0);
    }
    if (leaf >= this.#known.length) {
      const known = new Uint32Array(Math.max(leaf + 1, this.#known.length * 2));
      known.set(this.#known);
      this.#known = known;
    }
    if (this.#known[leaf] === 0) this.#known[leaf] = this.#find(leaf) + 1;
    return this.#known[leaf]! - 1;
  }

  #find(leaf: number): number {
    const { keys, width, collector } = this.#directory;
    this.#key.set(keys.subarray(leaf * width, (leaf + 1) * width));
    return this.#joins.rename(this.#key) ? this.#directory.intern(this.#key, collector[leaf]!) : leaf;
  }
}

/** Row -> row of what it became, and what that is, row by row. */
interface Places {
  readonly to: Uint32Array;
  readonly ids: Uint32Array;
}

/** Rows that became the same are one, at the place of the first. Cost: O(rows). */
function placesOf(named: Uint32Array): Places {
  const rowOf = new RowIndex(named.length + 64);
  const to = new Uint32Array(named.length);
  const ids = new Words(named.length);
  for (let row = 0; row < named.length; row++) {
    const id = named[row]!;
    let place = rowOf.get(id);
    if (place < 0) {
      place = ids.length;
      rowOf.set(id, place);
      ids.push(id);
    }
    to[row] = place;
  }
  return { to, ids: ids.trim() };
}

/** undefined: every leaf has its names already. */
function leavesOf(leaf: Uint32Array, leaves: RenamedLeaves): Places | undefined {
  const named = new Uint32Array(leaf.length);
  let changed = 0;
  for (let row = 0; row < leaf.length; row++) {
    named[row] = leaves.of(leaf[row]!);
    if (named[row] !== leaf[row]) changed++;
  }
  return changed === 0 ? undefined : placesOf(named);
}

export function renamedCalls(table: CallTable, leaves: RenamedLeaves): CallTable {
  const places = leavesOf(table.leaf, leaves);
  if (places === undefined) return table;
  const { to, ids: leaf } = places;
  return {
    rows: leaf.length,
    leaf,
    count: summed(table.count, to, leaf.length),
    errors: summed(table.errors, to, leaf.length),
    durationSumUs: summed(table.durationSumUs, to, leaf.length),
  };
}

export function renamedTcp(table: TcpTable, leaves: RenamedLeaves): TcpTable {
  const places = leavesOf(table.leaf, leaves);
  if (places === undefined) return table;
  const { to, ids: leaf } = places;
  const flags = (from: Uint8Array): Uint8Array => {
    const out = new Uint8Array(leaf.length);
    from.forEach((flag, row) => {
      out[to[row]!]! |= flag;
    });
    return out;
  };
  const { dropRow, failureRow } = table;
  return {
    ...table,
    rows: leaf.length,
    leaf,
    values: table.values.map((column, f) =>
      column === undefined
        ? undefined
        : f === RTT_MIN
          ? least(column, to, leaf.length)
          : known(column, to, leaf.length),
    ),
    hasDrops: flags(table.hasDrops),
    hasConnectFailures: flags(table.hasConnectFailures),
    dropRow: dropRow.map((row) => to[row]!),
    failureRow: failureRow.map((row) => to[row]!),
  };
}

/** Rows of one edge are added up, bucket by bucket. Cost: O(rows + buckets). */
export function renamedHistograms(table: HistogramTable, joins: Joins, edges: Directory): HistogramTable {
  const { caller, callee, side } = table;
  const key = new Uint32Array(edges.width);
  const named = new Uint32Array(table.rows);
  let changed = 0;
  for (let row = 0; row < table.rows; row++) {
    const [from, to] = joins.edge(caller[row]!, callee[row]!);
    // Each side knows its own end.
    key[0] = side[row] === 0 ? caller[row]! : from;
    key[1] = side[row] === 0 ? to : callee[row]!;
    key[2] = side[row]!;
    if (key[0] !== caller[row] || key[1] !== callee[row]) changed++;
    named[row] = edges.intern(key, 1);
  }
  if (changed === 0) return table;
  const { to, ids } = placesOf(named);
  const low = new Int32Array(ids.length).fill(HISTOGRAM_BUCKETS);
  const high = new Int32Array(ids.length);
  for (let row = 0; row < table.rows; row++) {
    const place = to[row]!;
    low[place] = Math.min(low[place]!, table.first[row]!);
    high[place] = Math.max(high[place]!, table.first[row]! + lengthOf(table, row));
  }
  const start = new Uint32Array(ids.length + 1);
  for (let place = 0; place < ids.length; place++) start[place + 1] = start[place]! + high[place]! - low[place]!;
  const counts = new Float64Array(start[ids.length]!);
  for (let row = 0; row < table.rows; row++) {
    const at = start[to[row]!]! + table.first[row]! - low[to[row]!]!;
    const length = lengthOf(table, row);
    for (let i = 0; i < length; i++) counts[at + i] = counts[at + i]! + table.counts[table.start[row]! + i]!;
  }
  const column = (i: number): Uint32Array => ids.map((edge) => edges.keys[edge * edges.width + i]!);
  return {
    rows: ids.length,
    caller: column(0),
    callee: column(1),
    side: Uint8Array.from(column(2)),
    first: low,
    start,
    counts,
  };
}

function lengthOf({ start }: HistogramTable, row: number): number {
  return start[row + 1]! - start[row]!;
}

/** NaN where nothing is known. */
function summed(from: Float64Array, to: Uint32Array, rows: number): Float64Array {
  const out = new Float64Array(rows);
  for (let row = 0; row < from.length; row++) out[to[row]!]! += from[row]!;
  return out;
}

/** The sum of what is known, NaN where nothing is. */
function known(from: Float64Array, to: Uint32Array, rows: number): Float64Array {
  return folded(from, to, rows, (a, b) => a + b);
}

function least(from: Float64Array, to: Uint32Array, rows: number): Float64Array {
  return folded(from, to, rows, Math.min);
}

function folded(from: Float64Array, to: Uint32Array, rows: number, fold: (a: number, b: number) => number) {
  const out = new Float64Array(rows).fill(Number.NaN);
  for (let row = 0; row < from.length; row++) {
    const value = from[row]!;
    const old = out[to[row]!]!;
    if (!Number.isNaN(value)) out[to[row]!] = Number.isNaN(old) ? value : fold(old, value);
  }
  return out;
}

/** `relation NUL from NUL to` with names in the place of addresses. */
export function renamedRelation(entry: string, joins: Joins, names: Names): string {
  const [relation, from = '', to = ''] = entry.split('\0');
  if (relation !== 'calls') return entry;
  const [caller, callee] = joins.edge(names.id(from), names.id(to));
  return `${relation}\0${names.name(caller)}\0${names.name(callee)}`;
}
