/**
 * Bounded memory of one environment: the newest windows one by one (detailWindows at least, up to detailWindowsMax while
 * what they were built of fits into detailBytes; packed they take a fifth of it), one-minute sums behind them, the fewer the older.
 */
import type { Comparison } from '../model/comparison.ts';
import type { ChangeRecord } from '../model/records.ts';
import type { ClosedWindow } from '../model/window.ts';
import { buildComparison } from './compare.ts';
import { CHANGES_BEFORE_MS } from './config.ts';
import type { Identities } from './identities.ts';
import type { KeptWindow } from './kept-window.ts';
import { keep } from './kept-window.ts';
import { BLOCK_MS, MinuteBlock } from './minute-block.ts';
import type { CompareOptions, IngestConfig } from './types.ts';

/** A relation from a topology record is believed this long after it was last confirmed. */
const TOPOLOGY_MS = 3_600_000;
const MOST_CHANGES = 10_000;
/** Minutes are kept to this power of two times as far back as all of them are. */
const MOST_DOUBLINGS = 4;

export class SeriesStore {
  readonly environment: string;
  readonly windowMs: number;
  readonly identities: Identities;
  readonly detail: KeptWindow[] = [];
  readonly blocks: MinuteBlock[] = [];
  /** Of all that is kept, and of the minutes between; the newest MOST_CHANGES, oldest first. */
  readonly changes: ChangeRecord[] = [];
  /** `relation\0from\0to` -> last window that confirmed it. */
  readonly topology = new Map<string, number>();
  readonly #config: IngestConfig;
  #bytes = 0;

  constructor(environment: string, windowMs: number, config: IngestConfig, identities: Identities) {
    this.environment = environment;
    this.windowMs = windowMs;
    this.identities = identities;
    this.#config = config;
  }

  /** Start of the oldest window that is kept, singly or in a minute's sums; Infinity: none is. */
  get oldestMs(): number {
    return Math.min(this.detail[0]?.startMs ?? Infinity, this.blocks[0]?.startMs ?? Infinity);
  }

  add(window: ClosedWindow): void {
    const kept = keep(window);
    this.detail.push(kept);
    this.#bytes += kept.builtBytes;
    for (const entry of window.topology) this.topology.set(entry.join('\0'), window.startMs);
    for (const [entry, lastMs] of this.topology) {
      if (lastMs < window.startMs - TOPOLOGY_MS) this.topology.delete(entry);
    }
    const { detailWindows, detailWindowsMax, detailBytes } = this.#config;
    while (this.detail.length > detailWindowsMax || (this.detail.length > detailWindows && this.#bytes > detailBytes)) {
      this.#fold(this.detail.shift()!);
    }
    this.changes.push(...window.changes);
    const oldestMs = (this.blocks[0] ?? this.detail[0]!).startMs - CHANGES_BEFORE_MS;
    const first = this.changes.findIndex(({ atMs }) => atMs >= oldestMs);
    this.changes.splice(0, Math.max(first < 0 ? this.changes.length : first, this.changes.length - MOST_CHANGES));
  }

  #fold(window: KeptWindow): void {
    this.#bytes -= window.builtBytes;
    const startMs = Math.floor(window.startMs / BLOCK_MS) * BLOCK_MS;
    let block = this.blocks.at(-1);
    if (block === undefined || block.startMs !== startMs) {
      block?.seal();
      block = new MinuteBlock(startMs);
      this.blocks.push(block);
      thin(this.blocks, this.#config.minuteBlocks);
    }
    block.fold(window, this.identities);
  }

  compare(incidentStartMs: number, nowMs: number, options: CompareOptions): Comparison {
    return buildComparison(this, incidentStartMs, nowMs, options, this.#config.compareWholeLeaves);
  }
}

/**
 * Forgets old minutes: the newest `whole` all stay, of twice the age every second, of four times every fourth, to sixteen
 * times. A minute that stays belongs to all coarser steps before it, so that what is left is evenly spaced.
 */
function thin(blocks: MinuteBlock[], whole: number): void {
  const newest = blocks.at(-1)!.startMs / BLOCK_MS;
  const kept = blocks.filter(({ startMs }) => {
    const minute = startMs / BLOCK_MS;
    const age = newest - minute;
    const step = age < whole ? 0 : Math.floor(Math.log2(age / whole)) + 1;
    return step <= MOST_DOUBLINGS && minute % 2 ** step === 0;
  });
  if (kept.length < blocks.length) blocks.splice(0, blocks.length, ...kept);
}
