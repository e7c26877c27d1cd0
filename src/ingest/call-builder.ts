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
  MANY_COLLECTORS,
} from '../model/window.ts';
import { edgeKey } from './edge-key.ts';
import { Doubles, exact, RowIndex, Words } from './growable.ts';
import type { Identities } from './identities.ts';
import { SketchLog } from './sketch-log.ts';

const key = new Uint32Array(CALL_KEY_WIDTH);

export class CallBuilder {
  readonly #identities: Identities;
  readonly #rowOf: RowIndex;
  readonly #leaf: Words;
  readonly #count: Doubles;
  readonly #errors: Doubles;
  readonly #duration: Doubles;
  readonly #sketches: SketchLog;
  /** Who reports the row; MANY_COLLECTORS: several do. */
  readonly #collector: Words;

  /** @param rows expected rows, from the window before */
  constructor(identities: Identities, rows: number) {
    this.#identities = identities;
    this.#rowOf = new RowIndex(identities.calls.size + 64);
    this.#leaf = new Words(rows);
    this.#collector = new Words(rows);
    this.#count = new Doubles(rows);
    this.#errors = new Doubles(rows);
    this.#duration = new Doubles(rows);
    this.#sketches = identities.spareLogs.pop() ?? new SketchLog();
  }

  /** @param ids dictionary index -> name id */
  add(batch: CallColumns, ids: Uint32Array, collector: number): void {
    const { rows, count, errors, durationSumUs, histogramStart, histogramZeroCount } = batch;
    // Room for every row to be a new one.
    for (const column of [this.#leaf, this.#collector, this.#count, this.#errors, this.#duration]) column.reserve(rows);
    for (let r = 0; r < rows; r++) {
      const leaf = this.#leafOf(batch, ids, r);
      this.#sum(leaf, collector, count[r]!, errors[r]!, exact(durationSumUs[r]!));
      if (histogramStart[r + 1]! > histogramStart[r]! || histogramZeroCount[r]! > 0) {
        this.#sketches.add(this.#edgeOf(leaf), batch, r);
      }
    }
    for (const column of [this.#collector, this.#count, this.#errors, this.#duration])
      column.length = this.#leaf.length;
  }

  /** Marks the leaves and edges that the window has. */
  hold(leaves: Uint8Array, edges: Uint8Array): void {
    for (let r = 0; r < this.#leaf.length; r++) leaves[this.#leaf.data[r]!] = 1;
    this.#sketches.hold(edges);
  }

  /** Tells who reports the leaves; when the window is closed, so that it is the same in any order of batches. */
  report(): void {
    const { calls } = this.#identities;
    for (let r = 0; r < this.#leaf.length; r++) calls.report(this.#leaf.data[r]!, this.#collector.data[r]!);
  }

  /** Marks the names of the collectors. */
  holdNames(used: Uint8Array): void {
    for (let r = 0; r < this.#leaf.length; r++) {
      const collector = this.#collector.data[r]!;
      if (collector !== MANY_COLLECTORS) used[collector] = 1;
    }
  }

  #leafOf(batch: CallColumns, ids: Uint32Array, r: number): number {
    key[KEY_CALLER] = ids[batch.caller[r]!]!;
    key[KEY_CALLEE] = ids[batch.callee[r]!]!;
    key[KEY_CALLER_INSTANCE] = ids[batch.callerInstance[r]!]!;
    key[KEY_CALLEE_INSTANCE] = ids[batch.calleeInstance[r]!]!;
    key[KEY_CALLER_MACHINE] = ids[batch.callerMachine[r]!]!;
    key[KEY_CALLEE_MACHINE] = ids[batch.calleeMachine[r]!]!;
    key[KEY_SIDE] = batch.side[r]!;
    key[KEY_PROTOCOL] = ids[batch.protocol[r]!]!;
    key[KEY_OPERATION] = ids[batch.operation[r]!]!;
    key[KEY_STATUS] = ids[batch.status[r]!]!;
    key[KEY_ERROR_TYPE] = ids[batch.errorType[r]!]!;
    key[KEY_TAGS] = ids[batch.tags[r]!]!;
    return this.#identities.calls.intern(key);
  }

  #sum(leaf: number, collector: number, count: number, errors: number, durationSumUs: number): void {
    const row = this.#rowOf.get(leaf);
    if (row < 0) {
      const next = this.#leaf.length;
      this.#rowOf.set(leaf, next);
      this.#leaf.data[next] = leaf;
      this.#leaf.length = next + 1;
      this.#collector.data[next] = collector;
      this.#count.data[next] = count;
      this.#errors.data[next] = errors;
      this.#duration.data[next] = durationSumUs;
      return;
    }
    if (this.#collector.data[row] !== collector) this.#collector.data[row] = MANY_COLLECTORS;
    this.#count.data[row] = this.#count.data[row]! + count;
    this.#errors.data[row] = this.#errors.data[row]! + errors;
    this.#duration.data[row] = this.#duration.data[row]! + durationSumUs;
  }

  #edgeOf(leaf: number): number {
    const { calls, edges, edgeOf } = this.#identities;
    const known = edgeOf.get(leaf);
    if (known >= 0) return known;
    const edge = edges.intern(edgeKey(calls, leaf));
    edgeOf.set(leaf, edge);
    return edge;
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

  histograms(startMs: number): HistogramTable {
    const table = this.#sketches.merge(this.#identities.edges, startMs);
    this.#identities.spareLogs.push(this.#sketches);
    return table;
  }
}
