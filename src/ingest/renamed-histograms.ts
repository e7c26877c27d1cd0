/** The sketches of a window with names in the place of addresses: those of edges that become the same are added up. */
import type { HistogramTable } from '../model/window.ts';
import { HISTOGRAM_BUCKETS } from '../stats/histogram.ts';
import type { Directory } from './directory.ts';
import { EDGE_KEY_WIDTH } from './edge-key.ts';
import { exact, RowIndex } from './growable.ts';
import type { Joins } from './joins.ts';
import type { Places } from './places.ts';
import { Placing } from './places.ts';
import type { CallerShares } from './shared-callers.ts';

/** Edge of the sketches -> the edge with names; remembered as long as nothing new is learnt. */
export class RenamedEdges {
  readonly directory: Directory;
  readonly #joins: Joins;
  readonly #key = new Uint32Array(EDGE_KEY_WIDTH);
  #version = 0;
  #known = new RowIndex();

  constructor(directory: Directory, joins: Joins) {
    this.directory = directory;
    this.#joins = joins;
  }

  /** Each side knows its own end. Cost: O(1), of an edge asked for before two lookups. */
  of(caller: number, callee: number, side: number): { readonly before: number; readonly after: number } {
    if (this.#version !== this.#joins.version) {
      this.#version = this.#joins.version;
      this.#known = new RowIndex(this.directory.size);
    }
    const before = this.id(caller, callee, side);
    const known = this.#known.get(before);
    if (known >= 0) return { before, after: known };
    const [from, to] = this.#joins.edge(caller, callee);
    const after = side === 0 ? this.id(caller, to, side) : this.id(from, callee, side);
    this.#known.set(before, after);
    return { before, after };
  }

  id(caller: number, callee: number, side: number): number {
    this.#key[0] = caller;
    this.#key[1] = callee;
    this.#key[2] = side;
    return this.directory.intern(this.#key, 1);
  }
}

/** Rows of one edge are added up, bucket by bucket. Cost: O(rows + buckets). */
export function renamedHistograms(table: HistogramTable, edges: RenamedEdges, shares: CallerShares): HistogramTable {
  const placing = new Placing(table.rows);
  for (let row = 0; row < table.rows; row++) {
    const [caller, callee, side] = [table.caller[row]!, table.callee[row]!, table.side[row]!];
    const parts = side === 0 ? [] : shares.ofEdge(caller, callee);
    for (const { caller: one, weight } of parts) placing.put(row, edges.id(one.service, callee, side), weight);
    if (parts.length > 0) placing.changed = true;
    else {
      const { before, after } = edges.of(caller, callee, side);
      if (before !== after) placing.changed = true;
      placing.put(row, after, 1);
    }
  }
  return placing.changed ? addedUp(table, placing.places, edges.directory) : table;
}

function addedUp(table: HistogramTable, { from, to, weight, ids }: Places, edges: Directory): HistogramTable {
  const length = (row: number): number => table.start[row + 1]! - table.start[row]!;
  const low = new Int32Array(ids.length).fill(HISTOGRAM_BUCKETS);
  const high = new Int32Array(ids.length);
  for (let i = 0; i < from.length; i++) {
    const [row, place] = [from[i]!, to[i]!];
    low[place] = Math.min(low[place]!, table.first[row]!);
    high[place] = Math.max(high[place]!, table.first[row]! + length(row));
  }
  const start = new Uint32Array(ids.length + 1);
  for (let place = 0; place < ids.length; place++) start[place + 1] = start[place]! + high[place]! - low[place]!;
  const counts = new Float64Array(start[ids.length]!);
  for (let i = 0; i < from.length; i++) {
    const row = from[i]!;
    const at = start[to[i]!]! + table.first[row]! - low[to[i]!]!;
    const own = table.start[row]!;
    const part = weight[i]!;
    for (let b = 0, n = length(row); b < n; b++) {
      const count = table.counts[own + b]!;
      counts[at + b] = counts[at + b]! + (part === 1 ? count : exact(count * part));
    }
  }
  const column = (part: number): Uint32Array => ids.map((edge) => edges.keys[edge * edges.width + part]!);
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
