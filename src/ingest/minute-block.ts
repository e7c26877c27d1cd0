/** One minute of windows that left the detail: sums per leaf, no more single windows. */
import { TCP_FIELDS } from '../model/columns.ts';
import type { ClosedWindow } from '../model/window.ts';
import { lossyCollectors } from './coverage.ts';
import { Doubles, RowIndex, Words } from './growable.ts';

export const BLOCK_MS = 60_000;

export class MinuteBlock {
  readonly startMs: number;
  /** End of the last window in it. */
  endMs: number;
  windows = 0;
  readonly collectors = new Set<string>();
  /** Collector -> windows in which its call records are incomplete; their rows are not in the sums. */
  readonly lossy = new Map<string, number>();
  readonly callLeaf = new Words();
  readonly count = new Doubles();
  readonly errors = new Doubles();
  readonly duration = new Doubles();
  readonly durationSquare = new Doubles();
  readonly tcpLeaf = new Words();
  readonly tcpWindows = new Words();
  readonly tcpSums = TCP_FIELDS.map(() => new Doubles());
  readonly #callRow = new RowIndex();
  readonly #tcpRow = new RowIndex();

  constructor(startMs: number) {
    this.startMs = startMs;
    this.endMs = startMs;
  }

  fold(window: ClosedWindow): void {
    this.windows++;
    this.endMs = window.startMs + window.windowMs;
    for (const collector of window.collectors) this.collectors.add(collector);
    const lossy = lossyCollectors(window);
    for (const collector of lossy) this.lossy.set(collector, (this.lossy.get(collector) ?? 0) + 1);
    const lossyIds = new Set(lossy.map((collector) => window.names.id(collector)));
    const { collector } = window.callDirectory;
    const { leaf, count, errors, durationSumUs, rows } = window.calls;
    for (let r = 0; r < rows; r++) {
      if (lossyIds.size > 0 && lossyIds.has(collector[leaf[r]!]!)) continue;
      let row = this.#callRow.get(leaf[r]!);
      if (row < 0) {
        row = this.callLeaf.length;
        this.#callRow.set(leaf[r]!, row);
        this.callLeaf.push(leaf[r]!);
        for (const column of [this.count, this.errors, this.duration, this.durationSquare]) column.push(0);
      }
      const duration = durationSumUs[r]!;
      this.count.data[row]! += count[r]!;
      this.errors.data[row]! += errors[r]!;
      this.duration.data[row]! += duration;
      this.durationSquare.data[row]! += count[r]! > 0 ? (duration * duration) / count[r]! : 0;
    }
    const tcp = window.tcp;
    for (let r = 0; r < tcp.rows; r++) {
      let row = this.#tcpRow.get(tcp.leaf[r]!);
      if (row < 0) {
        row = this.tcpLeaf.length;
        this.#tcpRow.set(tcp.leaf[r]!, row);
        this.tcpLeaf.push(tcp.leaf[r]!);
        this.tcpWindows.push(0);
        for (const column of this.tcpSums) column.push(0);
      }
      this.tcpWindows.data[row]!++;
      for (let f = 0; f < this.tcpSums.length; f++)
        this.tcpSums[f]!.data[row]! += tcp.values[r * TCP_FIELDS.length + f]!;
    }
  }

  /** Gives back what the growing arrays hold too much; call when the minute is over. */
  seal(): void {
    for (const column of [this.count, this.errors, this.duration, this.durationSquare, ...this.tcpSums]) {
      column.data = column.trim();
    }
    this.callLeaf.data = this.callLeaf.trim();
    this.tcpLeaf.data = this.tcpLeaf.trim();
    this.tcpWindows.data = this.tcpWindows.trim();
  }
}
