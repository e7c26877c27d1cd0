/** One minute of windows that left the detail: sums per leaf, no more single windows. */
import { TCP_FIELDS } from '../model/columns.ts';
import { lossyCollectors } from './coverage.ts';
import { Doubles, RowIndex, Words } from './growable.ts';
import type { Identities } from './identities.ts';
import type { KeptResources, KeptWindow } from './kept-window.ts';
import { Packed, packed } from './packed.ts';

export const BLOCK_MS = 60_000;

/** Sums of the minute, a row a leaf. */
export interface BlockSums {
  readonly calls: {
    readonly rows: number;
    readonly leaf: Packed;
    readonly count: Packed;
    readonly errors: Packed;
    readonly duration: Packed;
    readonly durationSquare: Packed;
  };
  readonly tcp: {
    readonly rows: number;
    readonly leaf: Packed;
    readonly windows: Packed;
    /** One column per TCP_FIELDS. */
    readonly sums: readonly Packed[];
  };
}

export class MinuteBlock {
  readonly startMs: number;
  /** End of the last window in it. */
  endMs: number;
  windows = 0;
  readonly collectors = new Set<string>();
  /** Collector -> windows in which its call records are incomplete; their rows are not in the sums. */
  readonly lossy = new Map<string, number>();
  /** Of one window: what a machine or instance read then stands for its minute. */
  resources: KeptResources | undefined;
  #growing: GrowingSums | undefined;
  #sealed: BlockSums | undefined;

  constructor(startMs: number) {
    this.startMs = startMs;
    this.endMs = startMs;
  }

  fold(window: KeptWindow, identities: Identities): void {
    this.windows++;
    this.endMs = window.startMs + window.windowMs;
    for (const collector of window.collectors) this.collectors.add(collector);
    const lossy = lossyCollectors(window);
    for (const collector of lossy) this.lossy.set(collector, (this.lossy.get(collector) ?? 0) + 1);
    if (this.resources === undefined && window.resources.rows > 0) this.resources = window.resources;
    this.#growing ??= new GrowingSums(window);
    this.#growing.fold(window, identities, new Set(lossy.map((collector) => identities.names.id(collector))));
  }

  /** Packs the sums and gives back the rest; call when the minute is over. */
  seal(): void {
    this.#sealed = this.#growing?.sums(packed);
    this.#growing = undefined;
  }

  /** Valid until the next window is folded in. Cost: O(1). */
  sums(): BlockSums {
    return this.#sealed ?? this.#growing!.sums((values, rows) => Packed.plain(values.subarray(0, rows)));
  }
}

/** One column of a window, and another beside it; valid until they are used again. */
let one = new Float64Array(0);
let other = new Float64Array(0);
/** Row of the sums for each row of a window. */
let places = new Uint32Array(0);
/** A row that is in no sum. */
const LOST = 0xffffffff;

class GrowingSums {
  readonly #callLeaf: Words;
  readonly #count: Doubles;
  readonly #errors: Doubles;
  readonly #duration: Doubles;
  readonly #durationSquare: Doubles;
  readonly #tcpLeaf: Words;
  readonly #tcpWindows: Doubles;
  readonly #tcpSums: readonly Doubles[];
  readonly #callRow: RowIndex;
  readonly #tcpRow: RowIndex;

  /** Sized for the minute's first window. */
  constructor({ calls, tcp }: KeptWindow) {
    this.#callLeaf = new Words(calls.rows);
    this.#count = new Doubles(calls.rows);
    this.#errors = new Doubles(calls.rows);
    this.#duration = new Doubles(calls.rows);
    this.#durationSquare = new Doubles(calls.rows);
    this.#tcpLeaf = new Words(tcp.rows);
    this.#tcpWindows = new Doubles(tcp.rows);
    this.#tcpSums = TCP_FIELDS.map(() => new Doubles(tcp.rows));
    this.#callRow = new RowIndex(calls.rows);
    this.#tcpRow = new RowIndex(tcp.rows);
  }

  /** @param lossy name ids of collectors whose calls are left out */
  fold({ calls, tcp }: KeptWindow, identities: Identities, lossy: ReadonlySet<number>): void {
    const most = Math.max(calls.rows, tcp.rows);
    if (one.length < most) {
      one = new Float64Array(most);
      other = new Float64Array(most);
      places = new Uint32Array(most);
    }
    const callSums = [this.#count, this.#errors, this.#duration, this.#durationSquare];
    const { collector } = identities.calls;
    const isLost = lossy.size === 0 ? undefined : (leaf: number): boolean => lossy.has(collector[leaf]!);
    place(calls.leaf, calls.rows, this.#callLeaf, this.#callRow, callSums, isLost);
    addColumn(this.#errors, calls.errors, calls.rows);
    calls.count.copyTo(one, calls.rows);
    calls.durationSumUs.copyTo(other, calls.rows);
    for (let r = 0; r < calls.rows; r++) {
      const row = places[r]!;
      if (row === LOST) continue;
      const count = one[r]!;
      const duration = other[r]!;
      this.#count.data[row]! += count;
      this.#duration.data[row]! += duration;
      this.#durationSquare.data[row]! += count > 0 ? (duration * duration) / count : 0;
    }
    place(tcp.leaf, tcp.rows, this.#tcpLeaf, this.#tcpRow, [this.#tcpWindows, ...this.#tcpSums]);
    for (let r = 0; r < tcp.rows; r++) this.#tcpWindows.data[places[r]!]!++;
    this.#tcpSums.forEach((sums, f) => {
      addColumn(sums, tcp.values[f]!, tcp.rows);
    });
  }

  sums(column: (values: Float64Array | Uint32Array, rows: number) => Packed): BlockSums {
    const calls = this.#callLeaf.length;
    const tcp = this.#tcpLeaf.length;
    return {
      calls: {
        rows: calls,
        leaf: column(this.#callLeaf.data, calls),
        count: column(this.#count.data, calls),
        errors: column(this.#errors.data, calls),
        duration: column(this.#duration.data, calls),
        durationSquare: column(this.#durationSquare.data, calls),
      },
      tcp: {
        rows: tcp,
        leaf: column(this.#tcpLeaf.data, tcp),
        windows: column(this.#tcpWindows.data, tcp),
        sums: this.#tcpSums.map((sums) => column(sums.data, tcp)),
      },
    };
  }
}

/** Finds the row of each of the window's leaves, in `places`; new ones begin at 0 in every column. */
function place(
  leaf: Packed,
  rows: number,
  leaves: Words,
  rowOf: RowIndex,
  columns: readonly Doubles[],
  isLost?: (leaf: number) => boolean,
): void {
  leaf.copyTo(one, rows);
  for (let r = 0; r < rows; r++) {
    if (isLost?.(one[r]!) === true) {
      places[r] = LOST;
      continue;
    }
    let row = rowOf.get(one[r]!);
    if (row < 0) {
      row = leaves.length;
      rowOf.set(one[r]!, row);
      leaves.push(one[r]!);
    }
    places[r] = row;
  }
  for (const column of columns) {
    column.reserve(leaves.length - column.length);
    column.length = leaves.length;
  }
}

function addColumn({ data }: Doubles, column: Packed, rows: number): void {
  column.copyTo(one, rows);
  for (let r = 0; r < rows; r++) if (places[r] !== LOST) data[places[r]!]! += one[r]!;
}
