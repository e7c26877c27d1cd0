/** Duration sketches of an open window, as they came; merged per edge when it closes. Used again window after window. */
import type { CallColumns } from '../model/columns.ts';
import type { HistogramTable } from '../model/window.ts';
import { DENSE_SCALE, denseBucket, HISTOGRAM_BUCKETS } from '../stats/histogram.ts';
import type { Directory } from './directory.ts';
import { seenAt } from './directory.ts';
import { Words } from './growable.ts';

/** Header of a sketch in the log: edge, first dense bucket, number of buckets; the counts follow. */
const HEADER = 3;
const MAX_COUNT = 0xffffffff;

export class SketchLog {
  readonly #log = new Words(1_024);

  add(edge: number, batch: CallColumns, row: number): void {
    const counts = batch.histogramCounts;
    const from = batch.histogramStart[row]!;
    const to = batch.histogramStart[row + 1]!;
    const offset = batch.histogramOffset[row]!;
    const scale = batch.histogramScale[row]!;
    const zeros = batch.histogramZeroCount[row]!;
    const empty = to === from;
    const plain = scale === DENSE_SCALE && !(zeros > 0) && offset >= 0 && offset + to - from <= HISTOGRAM_BUCKETS;
    const first = plain ? offset : zeros > 0 || empty ? 0 : denseBucket(offset, scale);
    const last = plain ? offset + to - from - 1 : empty ? 0 : denseBucket(offset + to - from - 1, scale);
    const length = last - first + 1;
    const log = this.#log;
    log.reserve(HEADER + length);
    const data = log.data;
    const at = log.length + HEADER;
    data[at - 3] = edge;
    data[at - 2] = first;
    data[at - 1] = length;
    if (plain) for (let i = 0; i < length; i++) data[at + i] = counts[from + i]!;
    else {
      data.fill(0, at, at + length);
      if (zeros > 0) data[at] = Math.min(zeros, MAX_COUNT);
      for (let i = from; i < to; i++) {
        const bucket = at + denseBucket(offset + i - from, scale) - first;
        data[bucket] = Math.min(data[bucket]! + counts[i]!, MAX_COUNT);
      }
    }
    log.length = at + length;
  }

  /** Marks the edges that have a sketch. */
  hold(edges: Uint8Array): void {
    const { data: log, length: end } = this.#log;
    for (let at = HEADER; at <= end; at += HEADER + log[at - 1]!) edges[log[at - 3]!] = 1;
  }

  /** One row per edge with a sketch, edges in the order of their numbers; empties the log. Cost: O(log + edges). */
  merge(edges: Directory, startMs: number): HistogramTable {
    const { data: log, length: end } = this.#log;
    const { size, keys, seen } = edges;
    const now = seenAt(startMs);
    const low = new Uint16Array(size).fill(HISTOGRAM_BUCKETS);
    const high = new Uint16Array(size);
    for (let at = HEADER; at <= end; at += HEADER + log[at - 1]!) {
      const edge = log[at - 3]!;
      const first = log[at - 2]!;
      if (first < low[edge]!) low[edge] = first;
      if (first + log[at - 1]! > high[edge]!) high[edge] = first + log[at - 1]!;
    }
    let rows = 0;
    for (let edge = 0; edge < size; edge++) if (high[edge]! > 0) rows++;
    const out = {
      rows,
      caller: new Uint32Array(rows),
      callee: new Uint32Array(rows),
      side: new Uint8Array(rows),
      first: new Int32Array(rows),
      start: new Uint32Array(rows + 1),
    };
    /** Where bucket 0 of an edge would be. */
    const zero = new Int32Array(size);
    for (let edge = 0, row = 0, used = 0; edge < size; edge++) {
      if (high[edge] === 0) continue;
      seen[edge] = now;
      out.caller[row] = keys[edge * 3]!;
      out.callee[row] = keys[edge * 3 + 1]!;
      out.side[row] = keys[edge * 3 + 2]!;
      out.first[row] = low[edge]!;
      zero[edge] = used - low[edge]!;
      used += high[edge]! - low[edge]!;
      out.start[++row] = used;
    }
    const counts = new Float64Array(out.start[rows]!);
    for (let at = HEADER; at <= end; at += HEADER + log[at - 1]!) {
      const to = zero[log[at - 3]!]! + log[at - 2]!;
      const length = log[at - 1]!;
      for (let i = 0; i < length; i++) counts[to + i] = counts[to + i]! + log[at + i]!;
    }
    this.#log.length = 0;
    return { ...out, counts };
  }
}
