/** The open window's calls: rows of a batch are added to leaves, sketches to edges. No object per row. */
import type { CallColumns } from '../model/columns.ts';
import type { CallTable, HistogramTable } from '../model/window.ts';
import {
  CALL_KEY_WIDTH,
  KEY_CALLEE,
  KEY_CALLEE_INSTANCE,
  KEY_CALLEE_MACHINE,
  KEY_CALLER,
  KEY_CALLER_INSTANCE,
  KEY_CALLER_MACHINE,
  KEY_ERROR_TYPE,
  KEY_OPERATION,
  KEY_PROTOCOL,
  KEY_SIDE,
  KEY_STATUS,
  KEY_TAGS,
} from '../model/window.ts';
import { DENSE_SCALE, denseBucket, HISTOGRAM_BUCKETS } from '../stats/histogram.ts';
import type { Directory } from './directory.ts';
import { Doubles, exact, RowIndex, Words } from './growable.ts';

/** Header of a sketch in the log: edge, first dense bucket, number of buckets; the counts follow. */
const LOG_HEADER = 3;
const MAX_COUNT = 0xffffffff;

const key = new Uint32Array(CALL_KEY_WIDTH);
const edgeKey = new Uint32Array(3);

export class CallBuilder {
  readonly #directory: Directory;
  readonly #edges: Directory;
  readonly #rowOf: RowIndex;
  readonly #leaf: Words;
  readonly #count: Doubles;
  readonly #errors: Doubles;
  readonly #duration: Doubles;
  /** Sketches as they came; merged per edge when the window closes. */
  readonly #log: Words;
  #logged = 0;

  /** @param rows expected rows, from the window before; logWords the same for sketches */
  constructor(directory: Directory, edges: Directory, rows: number, logWords: number) {
    this.#directory = directory;
    this.#edges = edges;
    this.#rowOf = new RowIndex(directory.size + 64);
    this.#leaf = new Words(rows);
    this.#count = new Doubles(rows);
    this.#errors = new Doubles(rows);
    this.#duration = new Doubles(rows);
    this.#log = new Words(logWords);
  }

  get logWords(): number {
    return this.#log.length;
  }

  /** @param ids dictionary index -> name id */
  add(batch: CallColumns, ids: Uint32Array, collector: number): void {
    const { caller, callee, callerInstance, calleeInstance, callerMachine, calleeMachine } = batch;
    const { side, protocol, operation, status, errorType, tags, histogramStart } = batch;
    for (let r = 0; r < batch.rows; r++) {
      key[KEY_CALLER] = ids[caller[r]!]!;
      key[KEY_CALLEE] = ids[callee[r]!]!;
      key[KEY_CALLER_INSTANCE] = ids[callerInstance[r]!]!;
      key[KEY_CALLEE_INSTANCE] = ids[calleeInstance[r]!]!;
      key[KEY_CALLER_MACHINE] = ids[callerMachine[r]!]!;
      key[KEY_CALLEE_MACHINE] = ids[calleeMachine[r]!]!;
      key[KEY_SIDE] = side[r]!;
      key[KEY_PROTOCOL] = ids[protocol[r]!]!;
      key[KEY_OPERATION] = ids[operation[r]!]!;
      key[KEY_STATUS] = ids[status[r]!]!;
      key[KEY_ERROR_TYPE] = ids[errorType[r]!]!;
      key[KEY_TAGS] = ids[tags[r]!]!;
      this.#sum(
        this.#directory.intern(key, collector),
        batch.count[r]!,
        batch.errors[r]!,
        exact(batch.durationSumUs[r]!),
      );
      if (histogramStart[r + 1]! > histogramStart[r]! || batch.histogramZeroCount[r]! > 0) this.#sketch(batch, r);
    }
  }

  #sum(leaf: number, count: number, errors: number, durationSumUs: number): void {
    const row = this.#rowOf.get(leaf);
    if (row < 0) {
      this.#rowOf.set(leaf, this.#leaf.length);
      this.#leaf.push(leaf);
      this.#count.push(count);
      this.#errors.push(errors);
      this.#duration.push(durationSumUs);
      return;
    }
    this.#count.data[row] = this.#count.data[row]! + count;
    this.#errors.data[row] = this.#errors.data[row]! + errors;
    this.#duration.data[row] = this.#duration.data[row]! + durationSumUs;
  }

  #sketch(batch: CallColumns, row: number): void {
    const from = batch.histogramStart[row]!;
    const to = batch.histogramStart[row + 1]!;
    const offset = batch.histogramOffset[row]!;
    const scale = batch.histogramScale[row]!;
    const zeros = batch.histogramZeroCount[row]!;
    const empty = to === from;
    const first = zeros > 0 || empty ? 0 : denseBucket(offset, scale);
    const last = empty ? 0 : denseBucket(offset + to - from - 1, scale);
    edgeKey[0] = key[KEY_CALLER]!;
    edgeKey[1] = key[KEY_CALLEE]!;
    edgeKey[2] = key[KEY_SIDE]!;
    const edge = this.#edges.intern(edgeKey, 1);
    const length = last - first + 1;
    const log = this.#log;
    log.reserve(LOG_HEADER + length);
    const data = log.data;
    let at = log.length;
    data[at++] = edge;
    data[at++] = first;
    data[at++] = length;
    if (zeros > 0) data[at] = Math.min(zeros, MAX_COUNT);
    if (scale === DENSE_SCALE && !(zeros > 0) && offset >= 0 && offset + to - from <= HISTOGRAM_BUCKETS) {
      for (let i = from; i < to; i++) data[at + i - from] = batch.histogramCounts[i]!;
    } else {
      for (let i = from; i < to; i++) {
        const bucket = at + denseBucket(offset + i - from, scale) - first;
        data[bucket] = Math.min(data[bucket]! + batch.histogramCounts[i]!, MAX_COUNT);
      }
    }
    log.length = at + length;
    this.#logged++;
  }

  table(): CallTable {
    return {
      rows: this.#leaf.length,
      leaf: this.#leaf.trim(),
      count: this.#count.trim(),
      errors: this.#errors.trim(),
      durationSumUs: this.#duration.trim(),
    };
  }

  /** Merges the logged sketches per edge: counting sort by edge, then one dense pass each. */
  histograms(): HistogramTable {
    const log = this.#log.data;
    const perEdge = new Uint32Array(this.#edges.size + 1);
    for (let at = 0; at < this.#log.length; at += LOG_HEADER + log[at + 2]!) perEdge[log[at]! + 1]!++;
    let rows = 0;
    for (let edge = 0; edge < this.#edges.size; edge++) {
      if (perEdge[edge + 1]! > 0) rows++;
      perEdge[edge + 1] = perEdge[edge + 1]! + perEdge[edge]!;
    }
    const order = new Uint32Array(this.#logged);
    const fill = perEdge.slice();
    for (let at = 0; at < this.#log.length; at += LOG_HEADER + log[at + 2]!) order[fill[log[at]!]!++] = at;

    const out = {
      rows,
      caller: new Uint32Array(rows),
      callee: new Uint32Array(rows),
      side: new Uint8Array(rows),
      first: new Int32Array(rows),
      start: new Uint32Array(rows + 1),
    };
    const counts = new Doubles(rows * 24 + 1);
    const dense = new Float64Array(HISTOGRAM_BUCKETS);
    let row = 0;
    for (let edge = 0; edge < this.#edges.size; edge++) {
      if (perEdge[edge + 1] === perEdge[edge]) continue;
      let low = HISTOGRAM_BUCKETS;
      let high = 0;
      for (let k = perEdge[edge]!; k < perEdge[edge + 1]!; k++) {
        const at = order[k]!;
        const first = log[at + 1]!;
        const length = log[at + 2]!;
        for (let i = 0; i < length; i++) dense[first + i] = dense[first + i]! + log[at + LOG_HEADER + i]!;
        if (first < low) low = first;
        if (first + length > high) high = first + length;
      }
      out.caller[row] = this.#edges.keys[edge * 3]!;
      out.callee[row] = this.#edges.keys[edge * 3 + 1]!;
      out.side[row] = this.#edges.keys[edge * 3 + 2]!;
      out.first[row] = low;
      for (let i = low; i < high; i++) counts.push(dense[i]!);
      dense.fill(0, low, high);
      out.start[++row] = counts.length;
    }
    return { ...out, counts: counts.trim() };
  }
}
