/**
 * Event-time windows of one environment. Sources are collectors. The watermark is the least newest window end over the
 * active sources minus the lateness; a source idleTimeoutMs behind the newest one is idle and does not hold it back.
 */
import type { AnyBatch } from '../model/records.ts';
import type { ClosedWindow } from '../model/window.ts';
import type { Accounts } from './arrivals.ts';
import { callColumns, tcpColumns } from './columns-of.ts';
import { decodedHash } from './content-hash.ts';
import { forget } from './forget.ts';
import { Identities } from './identities.ts';
import { SeriesStore } from './store.ts';
import type { BatchMeta, DecodedBatch, IngestConfig } from './types.ts';
import { WindowBuilder } from './window-builder.ts';

/** Redelivery is recognised this many windows back; older it is just late. */
const REMEMBERED_WINDOWS = 64;

export type Admission = 'accepted' | 'late' | 'duplicate';

export class Environment {
  readonly name: string;
  readonly windowMs: number;
  readonly store: SeriesStore;
  readonly #config: IngestConfig;
  readonly #identities = new Identities();
  /** Collector -> end of the newest window it sent; idle ones are left out. */
  readonly #sources = new Map<string, number>();
  readonly #open = new Map<number, WindowBuilder>();
  /** Window start -> keys of the batches taken. */
  readonly #seen = new Map<number, Set<string>>();
  readonly #accounts: Accounts = new Map();
  /** Collector of `#accounts` -> last closed window it was in. */
  readonly #accountedMs = new Map<string, number>();
  /** A source got on since the watermark was last taken. */
  #moved = false;
  /** Which of the times to forget was the last one. */
  #forgotten = Number.NaN;
  /** Windows that start before this take nothing any more: they are closed, or due. */
  #closedBeforeMs = -Infinity;
  /** Starts of the windows that are due, oldest first. */
  #due: number[] = [];

  constructor(name: string, windowMs: number, config: IngestConfig) {
    this.name = name;
    this.windowMs = windowMs;
    this.#config = config;
    this.store = new SeriesStore(name, windowMs, config, this.#identities);
  }

  admit(batch: DecodedBatch, meta: BatchMeta): Admission {
    const startMs = batch.windowStartMs;
    const key = `${batch.collector}\0${batch.type}\0${batch.sequence}\0${meta.contentHash ?? decodedHash(batch)}`;
    let seen = this.#seen.get(startMs);
    if (seen?.has(key)) return 'duplicate';
    if (startMs < this.#closedBeforeMs) return 'late';
    if (seen === undefined) {
      seen = new Set();
      this.#seen.set(startMs, seen);
    }
    seen.add(key);
    this.#add(this.#window(startMs), batch);
    const end = startMs + this.windowMs;
    if (end > (this.#sources.get(batch.collector) ?? -Infinity)) {
      this.#sources.set(batch.collector, end);
      this.#moved = true;
    }
    return 'accepted';
  }

  /** Start of the oldest window that is due; undefined: none is. */
  get dueMs(): number | undefined {
    return this.#due[0];
  }

  /** What the watermark has passed is due. */
  advance(): void {
    if (!this.#moved) return;
    this.#moved = false;
    let newest = -Infinity;
    for (const end of this.#sources.values()) if (end > newest) newest = end;
    let watermark = Infinity;
    for (const [source, end] of this.#sources) {
      // Idle it stays until it sends something newer.
      if (newest - end > this.#config.idleTimeoutMs) this.#sources.delete(source);
      else if (end < watermark) watermark = end;
    }
    this.#dueBefore(Math.floor((watermark - this.#config.latenessMs) / this.windowMs) * this.windowMs);
  }

  /** Every window is due. */
  finish(): void {
    let last = -Infinity;
    for (const startMs of this.#open.keys()) if (startMs > last) last = startMs;
    this.#dueBefore(last + this.windowMs);
  }

  #dueBefore(beforeMs: number): void {
    if (!(beforeMs > this.#closedBeforeMs)) return;
    this.#closedBeforeMs = beforeMs;
    this.#due = [...this.#open.keys()].filter((startMs) => startMs < beforeMs).sort((a, b) => a - b);
    const horizon = beforeMs - REMEMBERED_WINDOWS * this.windowMs;
    for (const startMs of this.#seen.keys()) if (startMs < horizon) this.#seen.delete(startMs);
  }

  /**
   * Closes the oldest window that is due. What is kept is then as of it, though later ones are due as well.
   * @param shownMs  windows from here on nobody has looked at yet; absent: all that were closed before
   */
  next(shownMs?: number): ClosedWindow | undefined {
    const startMs = this.#due.shift();
    if (startMs === undefined) return undefined;
    this.#forgetBefore(startMs, shownMs ?? startMs);
    const window = this.#open.get(startMs)!.close(this.#accounts);
    this.#open.delete(startMs);
    this.store.add(window);
    for (const collector of window.collectors) this.#accountedMs.set(collector, startMs);
    return window;
  }

  /**
   * Every `forgetEveryWindows`, when all windows before are closed and none after.
   * @param shownMs  windows from here on nobody has looked at yet
   */
  #forgetBefore(startMs: number, shownMs: number): void {
    const turn = Math.floor(startMs / (this.#config.forgetEveryWindows * this.windowMs));
    const before = this.#forgotten;
    this.#forgotten = turn;
    if (turn === before || Number.isNaN(before)) return;
    const { oldestMs, detail } = this.store;
    const fromMs = Math.min(oldestMs, shownMs);
    const open = [...this.#open.values()].sort((a, b) => a.startMs - b.startMs);
    forget(this.#identities, fromMs, detail, open);
    for (const [collector, lastMs] of this.#accountedMs) {
      if (lastMs >= fromMs) continue;
      this.#accountedMs.delete(collector);
      this.#accounts.delete(collector);
    }
  }

  #window(startMs: number): WindowBuilder {
    let window = this.#open.get(startMs);
    if (window === undefined) {
      window = new WindowBuilder(this.name, startMs, this.windowMs, this.#identities);
      this.#open.set(startMs, window);
    }
    return window;
  }

  #add(window: WindowBuilder, batch: DecodedBatch): void {
    window.note(batch.collector, batch.type, batch.sequence, 'records' in batch ? batch.records.length : batch.rows);
    if (!('records' in batch)) {
      if (batch.type === 'call') window.addCalls(batch);
      else window.addTcp(batch);
      return;
    }
    addRecords(window, batch);
  }
}

function addRecords(window: WindowBuilder, batch: AnyBatch): void {
  switch (batch.type) {
    case 'call':
      window.addCalls(callColumns(batch));
      break;
    case 'tcp':
      window.addTcp(tcpColumns(batch));
      break;
    case 'resource':
      for (const record of batch.records) window.addResource(record, batch.collector);
      break;
    case 'topology':
      for (const record of batch.records) window.addTopology(record);
      break;
    case 'change':
      for (const record of batch.records) window.addChange(record);
      break;
    case 'log':
      for (const record of batch.records) window.addLog(record);
      break;
    case 'sample':
      for (const record of batch.records) window.addSample(record);
      break;
    case 'health':
      for (const record of batch.records) window.addHealth({ collector: batch.collector, record });
      break;
  }
}
