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
let places = new Uint32Array(256);

export class TcpBuilder {
  readonly #directory: Directory;
  readonly #rowOf: RowIndex;
  readonly #leaf: Words;
  /** One column per field, made when somebody reports it; NaN where nobody did. */
  readonly #values: (Float64Array | undefined)[] = TCP_FIELDS.map(() => undefined);
  #capacity: number;
  /** Bit 0: drops reported; bit 1: connect failures reported. */
  readonly #has: Words;
  readonly #drops = new SparseSums();
  readonly #failures = new SparseSums();
  /** Client ends of connections told beside their leaf's counters. */
  readonly endpoints: { readonly text: string; readonly leaf: number }[] = [];

  /** @param rows expected rows, from the window before */
  constructor(directory: Directory, rows: number) {
    this.#directory = directory;
    this.#rowOf = new RowIndex(directory.size + 64);
    this.#leaf = new Words(rows);
    this.#capacity = rows;
    this.#has = new Words(rows);
  }

  add(batch: TcpColumns, ids: Uint32Array): void {
    const { dropRow, dropKey, dropValue, failureRow, failureKey, failureValue } = batch;
    const before = this.#leaf.length;
    const rows = this.#place(batch, ids);
    this.#reserve();
    // Mostly every row is a new one, and the columns are copied one by one.
    if (this.#leaf.length - before === batch.rows) this.#copy(batch, before);
    else this.#merge(batch, rows, before);
    const { endpointRow, endpoint } = batch;
    for (let i = 0; i < endpointRow.length; i++)
      this.endpoints.push({ text: endpoint[i]!, leaf: this.#leaf.data[rows[endpointRow[i]!]!]! });
    for (let i = 0; i < dropRow.length; i++) {
      this.#drops.add(rows[dropRow[i]!]!, ids[dropKey[i]!]!, dropValue[i]!);
    }
    for (let i = 0; i < failureRow.length; i++) {
      this.#failures.add(rows[failureRow[i]!]!, ids[failureKey[i]!]!, failureValue[i]!);
    }
  }

  /** Marks the leaves that the window has. */
  hold(leaves: Uint8Array): void {
    for (let r = 0; r < this.#leaf.length; r++) leaves[this.#leaf.data[r]!] = 1;
  }

  /** Marks the names of reasons. */
  holdNames(used: Uint8Array): void {
    for (const { reason } of [this.#drops, this.#failures])
      for (let k = 0; k < reason.length; k++) used[reason.data[k]!] = 1;
  }

  /** Row of the table for each row of the batch; new ones at the end, in order. */
  #place(batch: TcpColumns, ids: Uint32Array): Uint32Array {
    const { hasDrops, hasConnectFailures } = batch;
    if (places.length < batch.rows) places = new Uint32Array(batch.rows * 2);
    this.#leaf.reserve(batch.rows);
    this.#has.reserve(batch.rows);
    for (let r = 0; r < batch.rows; r++) {
      const leaf = this.#leafOf(batch, ids, r);
      const has = (hasDrops[r]! ? 1 : 0) | (hasConnectFailures[r]! ? 2 : 0);
      let row = this.#rowOf.get(leaf);
      if (row < 0) {
        row = this.#leaf.length++;
        this.#has.length++;
        this.#rowOf.set(leaf, row);
        this.#leaf.data[row] = leaf;
        this.#has.data[row] = has;
      } else this.#has.data[row]! |= has;
      places[r] = row;
    }
    return places;
  }

  #leafOf(batch: TcpColumns, ids: Uint32Array, r: number): number {
    key[KEY_CALLER] = ids[batch.caller[r]!]!;
    key[KEY_CALLEE] = ids[batch.callee[r]!]!;
    key[KEY_CALLER_INSTANCE] = ids[batch.callerInstance[r]!]!;
    key[KEY_CALLEE_INSTANCE] = ids[batch.calleeInstance[r]!]!;
    key[KEY_CALLER_MACHINE] = ids[batch.callerMachine[r]!]!;
    key[KEY_CALLEE_MACHINE] = ids[batch.calleeMachine[r]!]!;
    key[KEY_SIDE] = batch.side[r]!;
    const port = batch.calleePort[r]!;
    key[KEY_PORT] = port >= 0 ? port + 1 : 0;
    return this.#directory.intern(key);
  }

  #reserve(): void {
    if (this.#leaf.length <= this.#capacity) return;
    this.#capacity = Math.max(this.#leaf.length, this.#capacity * 2);
    this.#values.forEach((column, f) => {
      if (column === undefined) return;
      const grown = new Float64Array(this.#capacity).fill(Number.NaN, column.length);
      grown.set(column);
      this.#values[f] = grown;
    });
  }

  #column(f: number): Float64Array {
    this.#values[f] ??= new Float64Array(this.#capacity).fill(Number.NaN);
    return this.#values[f];
  }

  #copy(batch: TcpColumns, first: number): void {
    for (let f = 0; f < FIELDS; f++) {
      const from = batch.values[f]!;
      if (isAbsent(from, batch.rows)) continue;
      const data = this.#column(f);
      for (let r = 0; r < batch.rows; r++) data[first + r] = exact(from[r]!);
    }
  }

  /** @param fresh first row that is new: the first to name it sets it, the others add to it */
  #merge(batch: TcpColumns, rows: Uint32Array, fresh: number): void {
    for (let f = 0; f < FIELDS; f++) {
      const from = batch.values[f]!;
      if (isAbsent(from, batch.rows)) continue;
      const data = this.#column(f);
      for (let r = 0, next = fresh; r < batch.rows; r++) {
        const row = rows[r]!;
        const value = exact(from[r]!);
        if (row === next) {
          data[row] = value;
          next++;
        } else if (!Number.isNaN(value)) {
          const old = data[row]!;
          data[row] = Number.isNaN(old) ? value : f === RTT_MIN ? Math.min(old, value) : old + value;
        }
      }
    }
  }

  table(): TcpTable {
    const rows = this.#leaf.length;
    const hasDrops = new Uint8Array(rows);
    const hasConnectFailures = new Uint8Array(rows);
    for (let row = 0; row < rows; row++) {
      hasDrops[row] = this.#has.data[row]! & 1;
      hasConnectFailures[row] = this.#has.data[row]! >> 1;
    }
    return {
      rows,
      leaf: this.#leaf.trim(),
      values: this.#values.map((column) => (column === undefined ? undefined : trimmed(column, rows))),
      hasDrops,
      hasConnectFailures,
      dropRow: this.#drops.row.trim(),
      dropReason: this.#drops.reason.trim(),
      dropValue: this.#drops.value.trim(),
      failureRow: this.#failures.row.trim(),
      failureReason: this.#failures.reason.trim(),
      failureValue: this.#failures.value.trim(),
    };
  }
}

function isAbsent(column: Float64Array, rows: number): boolean {
  for (let r = 0; r < rows; r++) if (!Number.isNaN(column[r]!)) return false;
  return true;
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
