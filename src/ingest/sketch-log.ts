/** Duration sketches of an open window, as they came; merged per edge when it closes. Used again window after window. */
import type { CallColumns } from '../model/columns.ts';
import type { HistogramTable } from '../model/window.ts';
import { DENSE_SCALE, denseBucket, HISTOGRAM_BUCKETS } from '../stats/histogram.ts';
import type { Directory } from './directory.ts';
import { Doubles, Words } from './growable.ts';

/** Header of a sketch in the log: edge, first dense bucket, number of buckets; the counts follow. */
const HEADER = 3;
const MAX_COUNT = 0xffffffff;

const dense = new Float64Array(HISTOGRAM_BUCKETS);

export class SketchLog {
  readonly #log = new Words(1_024);
  readonly #merged = new Doubles(1_024);
  #order = new Uint32Array(0);
  #sketches = 0;

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
    this.#sketches++;
  }

  /** One row per edge with a sketch, edges in the order of their numbers; empties the log. Cost: O(log + edges). */
  merge(edges: Directory): HistogramTable {
    const { data: log, length: end } = this.#log;
    const ends = this.#sort(edges.size);
    const order = this.#order;
    let rows = 0;
    for (let edge = 0, from = 0; edge < edges.size; from = ends[edge++]!) if (ends[edge]! > from) rows++;
    const out = {
      rows,
      caller: new Uint32Array(rows),
      callee: new Uint32Array(rows),
      side: new Uint8Array(rows),
      first: new Int32Array(rows),
      start: new Uint32Array(rows + 1),
    };
    const merged = this.#merged;
    merged.length = 0;
    merged.reserve(end);
    for (let edge = 0, k = 0, row = 0; edge < edges.size; edge++) {
      const to = ends[edge]!;
      if (k === to) continue;
      let low = HISTOGRAM_BUCKETS;
      let high = 0;
      for (; k < to; k++) {
        const at = order[k]! + HEADER;
        const first = log[at - 2]!;
        const length = log[at - 1]!;
        for (let i = 0; i < length; i++) dense[first + i] = dense[first + i]! + log[at + i]!;
        if (first < low) low = first;
        if (first + length > high) high = first + length;
      }
      out.caller[row] = edges.keys[edge * 3]!;
      out.callee[row] = edges.keys[edge * 3 + 1]!;
      out.side[row] = edges.keys[edge * 3 + 2]!;
      out.first[row] = low;
      if (merged.length + high - low > merged.data.length) merged.reserve(high - low);
      const { data, length } = merged;
      for (let i = low; i < high; i++) {
        data[length + i - low] = dense[i]!;
        dense[i] = 0;
      }
      merged.length = length + high - low;
      out.start[++row] = merged.length;
    }
    this.#log.length = 0;
    this.#sketches = 0;
    return { ...out, counts: merged.data.slice(0, merged.length) };
  }

  /** Counting sort by edge: places of the sketches in `#order`; returns where each edge's part of it ends. */
  #sort(edges: number): Uint32Array {
    const { data: log, length: end } = this.#log;
    const next = new Uint32Array(edges + 1);
    for (let at = 0; at < end; at += HEADER + log[at + 2]!) next[log[at]! + 1]!++;
    for (let edge = 0; edge < edges; edge++) next[edge + 1]! += next[edge]!;
    if (this.#order.length < this.#sketches) this.#order = new Uint32Array(this.#sketches * 2);
    for (let at = 0; at < end; at += HEADER + log[at + 2]!) this.#order[next[log[at]!]!++] = at;
    return next;
  }
}
