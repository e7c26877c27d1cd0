/** The sketches of a window with names in the place of addresses: those of edges that become the same are added up. */
import type { HistogramTable } from '../model/window.ts';
import { HISTOGRAM_BUCKETS } from '../stats/histogram.ts';
import type { Directory } from './directory.ts';
import { EDGE_KEY_WIDTH } from './edge-key.ts';
import { exact } from './growable.ts';
import type { Places } from './places.ts';
import { Placing } from './places.ts';
import type { RenamedIds } from './renamed-ids.ts';
import type { CallerShares } from './shared-callers.ts';

/** Rows of one edge are added up, bucket by bucket. Cost: O(rows + buckets). */
export function renamedHistograms(
  table: HistogramTable,
  edges: RenamedIds,
  shares: CallerShares,
  startMs: number,
): HistogramTable {
  const { directory } = edges;
  const key = new Uint32Array(EDGE_KEY_WIDTH);
  const idOf = (caller: number, callee: number, side: number): number => {
    key[0] = caller;
    key[1] = callee;
    key[2] = side;
    return directory.intern(key);
  };
  const placing = new Placing(table.rows);
  for (let row = 0; row < table.rows; row++) {
    const [caller, callee, side] = [table.caller[row]!, table.callee[row]!, table.side[row]!];
    const parts = side === 0 ? [] : shares.ofEdge(caller, callee);
    if (parts.length > 0) {
      placing.changed = true;
      for (const { caller: one, weight } of parts) placing.put(row, idOf(one.service, callee, side), weight);
      continue;
    }
    const edge = idOf(caller, callee, side);
    const renamed = edges.of(edge);
    if (renamed !== edge) placing.changed = true;
    placing.put(row, renamed, 1);
  }
  if (!placing.changed) return table;
  const { places } = placing;
  directory.touch(places.ids, places.ids.length, startMs);
  return addedUp(table, places, directory);
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
