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
import { Doubles, exact, RowIndex, Words } from './growable.ts';
import { SketchLog } from './sketch-log.ts';
import type { Identities } from './window-builder.ts';

const key = new Uint32Array(CALL_KEY_WIDTH);
const edgeKey = new Uint32Array(3);

export class CallBuilder {
  readonly #identities: Identities;
  readonly #rowOf: RowIndex;
  readonly #leaf: Words;
  readonly #count: Doubles;
  readonly #errors: Doubles;
  readonly #duration: Doubles;
  readonly #sketches: SketchLog;

  /** @param rows expected rows, from the window before */
  constructor(identities: Identities, rows: number) {
    this.#identities = identities;
    this.#rowOf = new RowIndex(identities.calls.size + 64);
    this.#leaf = new Words(rows);
    this.#count = new Doubles(rows);
    this.#errors = new Doubles(rows);
    this.#duration = new Doubles(rows);
    this.#sketches = identities.spareLogs.pop() ?? new SketchLog();
  }

  /** @param ids dictionary index -> name id */
  add(batch: CallColumns, ids: Uint32Array, collector: number): void {
    const { rows, count, errors, durationSumUs, histogramStart, histogramZeroCount } = batch;
    // Room for every row to be a new one.
    for (const column of [this.#leaf, this.#count, this.#errors, this.#duration]) column.reserve(rows);
    for (let r = 0; r < rows; r++) {
      const leaf = this.#leafOf(batch, ids, collector, r);
      this.#sum(leaf, count[r]!, errors[r]!, exact(durationSumUs[r]!));
      if (histogramStart[r + 1]! > histogramStart[r]! || histogramZeroCount[r]! > 0) {
        this.#sketches.add(this.#edgeOf(leaf), batch, r);
      }
    }
    for (const column of [this.#count, this.#errors, this.#duration]) column.length = this.#leaf.length;
  }

  /** The row's leaf: one comparison with the one expected, else by its key. */
  #leafOf(batch: CallColumns, ids: Uint32Array, collector: number, r: number): number {
    const directory = this.#identities.calls;
    const caller = ids[batch.caller[r]!]!;
    const callee = ids[batch.callee[r]!]!;
    const callerInstance = ids[batch.callerInstance[r]!]!;
    const calleeInstance = ids[batch.calleeInstance[r]!]!;
    const callerMachine = ids[batch.callerMachine[r]!]!;
    const calleeMachine = ids[batch.calleeMachine[r]!]!;
    const side = batch.side[r]!;
    const protocol = ids[batch.protocol[r]!]!;
    const operation = ids[batch.operation[r]!]!;
    const status = ids[batch.status[r]!]!;
    const errorType = ids[batch.errorType[r]!]!;
    const tags = ids[batch.tags[r]!]!;
    const guess = directory.guess();
    if (guess >= 0) {
      const keys = directory.keys;
      const at = guess * CALL_KEY_WIDTH;
      if (
        keys[at + KEY_CALLER] === caller &&
        keys[at + KEY_CALLEE] === callee &&
        keys[at + KEY_CALLER_INSTANCE] === callerInstance &&
        keys[at + KEY_CALLEE_INSTANCE] === calleeInstance &&
        keys[at + KEY_CALLER_MACHINE] === callerMachine &&
        keys[at + KEY_CALLEE_MACHINE] === calleeMachine &&
        keys[at + KEY_SIDE] === side &&
        keys[at + KEY_PROTOCOL] === protocol &&
        keys[at + KEY_OPERATION] === operation &&
        keys[at + KEY_STATUS] === status &&
        keys[at + KEY_ERROR_TYPE] === errorType &&
        keys[at + KEY_TAGS] === tags
      ) {
        directory.follow(guess, collector);
        return guess;
      }
    }
    key[KEY_CALLER] = caller;
    key[KEY_CALLEE] = callee;
    key[KEY_CALLER_INSTANCE] = callerInstance;
    key[KEY_CALLEE_INSTANCE] = calleeInstance;
    key[KEY_CALLER_MACHINE] = callerMachine;
    key[KEY_CALLEE_MACHINE] = calleeMachine;
    key[KEY_SIDE] = side;
    key[KEY_PROTOCOL] = protocol;
    key[KEY_OPERATION] = operation;
    key[KEY_STATUS] = status;
    key[KEY_ERROR_TYPE] = errorType;
    key[KEY_TAGS] = tags;
    return directory.intern(key, collector);
  }

  #sum(leaf: number, count: number, errors: number, durationSumUs: number): void {
    const row = this.#rowOf.get(leaf);
    if (row < 0) {
      const next = this.#leaf.length;
      this.#rowOf.set(leaf, next);
      this.#leaf.data[next] = leaf;
      this.#leaf.length = next + 1;
      this.#count.data[next] = count;
      this.#errors.data[next] = errors;
      this.#duration.data[next] = durationSumUs;
      return;
    }
    this.#count.data[row] = this.#count.data[row]! + count;
    this.#errors.data[row] = this.#errors.data[row]! + errors;
    this.#duration.data[row] = this.#duration.data[row]! + durationSumUs;
  }

  #edgeOf(leaf: number): number {
    const { calls, edges, edgeOf } = this.#identities;
    const known = edgeOf.get(leaf);
    if (known >= 0) return known;
    const at = leaf * CALL_KEY_WIDTH;
    edgeKey[0] = calls.keys[at + KEY_CALLER]!;
    edgeKey[1] = calls.keys[at + KEY_CALLEE]!;
    edgeKey[2] = calls.keys[at + KEY_SIDE]!;
    const edge = edges.intern(edgeKey, 1);
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

  histograms(): HistogramTable {
    const table = this.#sketches.merge(this.#identities.edges);
    this.#identities.spareLogs.push(this.#sketches);
    return table;
  }
}
