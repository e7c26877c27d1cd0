/** The open window's TCP counters. */

import type { TcpColumns } from '../model/columns.ts';
import { TCP_FIELDS } from '../model/columns.ts';
import type { TcpTable } from '../model/window.ts';
import {
  KEY_CALLEE,
  KEY_CALLEE_INSTANCE,
  KEY_CALLEE_MACHINE,
  KEY_CALLER,
  KEY_CALLER_INSTANCE,
  KEY_CALLER_MACHINE,
  KEY_PORT,
  KEY_SIDE,
  TCP_KEY_WIDTH,
} from '../model/window.ts';
import type { Directory } from './directory.ts';
import { Doubles, exact, RowIndex, trimmed, Words } from './growable.ts';

const FIELDS = TCP_FIELDS.length;
const RTT_MIN = TCP_FIELDS.indexOf('rttMinUs');
const key = new Uint32Array(TCP_KEY_WIDTH);

export class TcpBuilder {
  readonly #directory: Directory;
  readonly #rowOf: RowIndex;
  readonly #leaf: Words;
  /** Row by row, FIELDS numbers each. */
  #values: Float64Array;
  /** Bit 0: drops reported; bit 1: connect failures reported. */
  readonly #has: Words;
  readonly #drops = new SparseSums();
  readonly #failures = new SparseSums();

  /** @param rows expected rows, from the window before */
  constructor(directory: Directory, rows: number) {
    this.#directory = directory;
    this.#rowOf = new RowIndex(directory.size + 64);
    this.#leaf = new Words(rows);
    this.#values = new Float64Array(rows * FIELDS);
    this.#has = new Words(rows);
  }

  add(batch: TcpColumns, ids: Uint32Array, collector: number): void {
    const rows = new Uint32Array(batch.rows);
    for (let r = 0; r < batch.rows; r++) {
      key[KEY_CALLER] = ids[batch.caller[r]!]!;
      key[KEY_CALLEE] = ids[batch.callee[r]!]!;
      key[KEY_CALLER_INSTANCE] = ids[batch.callerInstance[r]!]!;
      key[KEY_CALLEE_INSTANCE] = ids[batch.calleeInstance[r]!]!;
      key[KEY_CALLER_MACHINE] = ids[batch.callerMachine[r]!]!;
      key[KEY_CALLEE_MACHINE] = ids[batch.calleeMachine[r]!]!;
      key[KEY_SIDE] = batch.side[r]!;
      const port = batch.calleePort[r]!;
      key[KEY_PORT] = port >= 0 ? port + 1 : 0;
      rows[r] = this.#sum(this.#directory.intern(key, collector), batch, r);
    }
    for (let i = 0; i < batch.dropRow.length; i++) {
      this.#drops.add(rows[batch.dropRow[i]!]!, ids[batch.dropKey[i]!]!, batch.dropValue[i]!);
    }
    for (let i = 0; i < batch.failureRow.length; i++) {
      this.#failures.add(rows[batch.failureRow[i]!]!, ids[batch.failureKey[i]!]!, batch.failureValue[i]!);
    }
  }

  #sum(leaf: number, batch: TcpColumns, r: number): number {
    const has = (batch.hasDrops[r]! ? 1 : 0) | (batch.hasConnectFailures[r]! ? 2 : 0);
    const columns = batch.values;
    let row = this.#rowOf.get(leaf);
    if (row < 0) {
      row = this.#leaf.length;
      this.#rowOf.set(leaf, row);
      this.#leaf.push(leaf);
      this.#has.push(has);
      if ((row + 1) * FIELDS > this.#values.length) {
        const values = new Float64Array(this.#values.length * 2);
        values.set(this.#values);
        this.#values = values;
      }
      for (let f = 0, at = row * FIELDS; f < FIELDS; f++, at++) this.#values[at] = exact(columns[f]![r]!);
      return row;
    }
    this.#has.data[row] = this.#has.data[row]! | has;
    const data = this.#values;
    for (let f = 0, at = row * FIELDS; f < FIELDS; f++, at++) {
      const value = columns[f]![r]!;
      if (Number.isNaN(value)) continue;
      const old = data[at]!;
      if (Number.isNaN(old)) data[at] = exact(value);
      else data[at] = f === RTT_MIN ? Math.min(old, exact(value)) : old + exact(value);
    }
    return row;
  }

  table(): TcpTable {
    const has = this.#has.trim();
    return {
      rows: this.#leaf.length,
      leaf: this.#leaf.trim(),
      values: trimmed(this.#values, this.#leaf.length * FIELDS),
      hasDrops: Uint8Array.from(has, (bits) => bits & 1),
      hasConnectFailures: Uint8Array.from(has, (bits) => bits >> 1),
      dropRow: this.#drops.row.trim(),
      dropReason: this.#drops.reason.trim(),
      dropValue: this.#drops.value.trim(),
      failureRow: this.#failures.row.trim(),
      failureReason: this.#failures.reason.trim(),
      failureValue: this.#failures.value.trim(),
    };
  }
}

/** Few entries: a map from (row, reason) to its place. */
class SparseSums {
  readonly row = new Words(16);
  readonly reason = new Words(16);
  readonly value = new Doubles(16);
  readonly #at = new Map<number, number>();

  add(row: number, reason: number, value: number): void {
    const place = row * 4294967296 + reason;
    const at = this.#at.get(place);
    if (at !== undefined) {
      this.value.data[at] = this.value.data[at]! + exact(value);
      return;
    }
    this.#at.set(place, this.row.length);
    this.row.push(row);
    this.reason.push(reason);
    this.value.push(exact(value));
  }
}
