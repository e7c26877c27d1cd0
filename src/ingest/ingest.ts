/** Batches of all environments in, closed windows out. */
import type { Comparison } from '../model/comparison.ts';
import { compareNames } from '../model/entity.ts';
import { RcaError } from '../model/errors.ts';
import type { ClosedWindow } from '../model/window.ts';
import { DEFAULT_INGEST_CONFIG, MAX_WINDOW_MS } from './config.ts';
import { Environment } from './environment.ts';
import type {
  BatchMeta,
  CompareOptions,
  DecodedBatch,
  Ingest,
  IngestConfig,
  IngestCounters,
  PushResult,
  RejectReason,
  TakeResult,
} from './types.ts';

/** Collectors whose clocks are told of; machines come and go, and the first ones known are forgotten. */
const MOST_SKEWS = 10_000;

/** @param config what differs from DEFAULT_INGEST_CONFIG */
export function createIngest(config: Partial<IngestConfig> = {}): Ingest {
  return new WindowedIngest({ ...DEFAULT_INGEST_CONFIG, ...config });
}

class WindowedIngest implements Ingest {
  readonly #config: IngestConfig;
  readonly #environments = new Map<string, Environment>();
  /** Those that have windows that are due. */
  readonly #due: Environment[] = [];
  readonly #skew = new Map<string, number>();
  #batches = 0;
  #records = 0;
  #lateBatches = 0;
  #lateRecords = 0;
  #duplicateBatches = 0;
  #rejectedBatches = 0;
  #windowsClosed = 0;

  constructor(config: IngestConfig) {
    this.#config = config;
  }

  push(batch: DecodedBatch, meta?: BatchMeta): PushResult {
    const taken = this.take(batch, meta);
    return { ...taken, closed: this.#all() };
  }

  take(batch: DecodedBatch, meta: BatchMeta = {}): TakeResult {
    const problem = this.#problem(batch, meta);
    if (problem !== undefined) {
      this.#rejectedBatches++;
      const origin = meta.origin === undefined ? '' : ` (${meta.origin})`;
      return { outcome: 'rejected', reason: problem.reason, message: `${problem.message}${origin}` };
    }
    this.#noteSkew(batch, meta);
    const environment = this.#environment(batch);
    const outcome = environment.admit(batch, meta);
    const rows = 'records' in batch ? batch.records.length : batch.rows;
    if (outcome === 'late') {
      this.#lateBatches++;
      this.#lateRecords += rows;
      return { outcome };
    }
    if (outcome === 'duplicate') {
      this.#duplicateBatches++;
      return { outcome };
    }
    this.#batches++;
    this.#records += rows;
    environment.advance();
    this.#note(environment);
    return { outcome };
  }

  next(): ClosedWindow | undefined {
    return this.#next();
  }

  finish(environment?: string): void {
    for (const name of environment === undefined ? this.environments() : [environment]) {
      const found = this.#environments.get(name);
      found?.finish();
      if (found !== undefined) this.#note(found);
    }
  }

  flush(environment?: string): readonly ClosedWindow[] {
    this.finish(environment);
    return this.#all();
  }

  #note(environment: Environment): void {
    if (environment.dueMs !== undefined && !this.#due.includes(environment)) this.#due.push(environment);
  }

  /** @param shownMs  windows of the environment from here on nobody has looked at yet */
  #next(shownMs?: number): ClosedWindow | undefined {
    const [environment] = this.#due;
    if (environment === undefined) return undefined;
    const window = environment.next(shownMs);
    if (environment.dueMs === undefined) this.#due.shift();
    this.#windowsClosed++;
    return window;
  }

  /** All that are due, at once. */
  #all(): readonly ClosedWindow[] {
    const closed: ClosedWindow[] = [];
    for (let [first] = this.#due; first !== undefined; [first] = this.#due) {
      const shownMs = first.dueMs;
      while (this.#due[0] === first) closed.push(this.#next(shownMs)!);
    }
    return closed;
  }

  compare(environment: string, incidentStartMs: number, nowMs: number, options: CompareOptions = {}): Comparison {
    const found = this.#environments.get(environment);
    if (found === undefined) {
      throw new RcaError(
        'RCA_BAD_INPUT',
        `no telemetry of environment "${environment}"; known: ${this.environments().join(', ') || 'none'}`,
      );
    }
    return found.store.compare(incidentStartMs, nowMs, options);
  }

  environments(): readonly string[] {
    return [...this.#environments.keys()].sort(compareNames);
  }

  counters(): IngestCounters {
    return {
      batches: this.#batches,
      records: this.#records,
      lateBatches: this.#lateBatches,
      lateRecords: this.#lateRecords,
      duplicateBatches: this.#duplicateBatches,
      rejectedBatches: this.#rejectedBatches,
      windowsClosed: this.#windowsClosed,
      clockSkewMs: Object.fromEntries([...this.#skew].sort(([a], [b]) => compareNames(a, b))),
    };
  }

  #environment(batch: DecodedBatch): Environment {
    let environment = this.#environments.get(batch.environment);
    if (environment === undefined) {
      environment = new Environment(batch.environment, this.#config.windowMs ?? batch.windowMs, this.#config);
      this.#environments.set(batch.environment, environment);
    }
    return environment;
  }

  #problem(batch: DecodedBatch, meta: BatchMeta): { reason: RejectReason; message: string } | undefined {
    const { windowStartMs, windowMs } = batch;
    if (!(windowMs > 0 && windowMs <= MAX_WINDOW_MS && Number.isInteger(windowMs))) {
      return {
        reason: 'bad_window',
        message: `windowMs: expected 1..${MAX_WINDOW_MS}, found ${windowMs}; send windows of 5000 ms`,
      };
    }
    const expected = this.#environments.get(batch.environment)?.windowMs ?? this.#config.windowMs ?? windowMs;
    if (windowMs !== expected) {
      return {
        reason: 'bad_window',
        message: `windowMs: environment "${batch.environment}" has windows of ${expected} ms, found ${windowMs}; use one length per environment`,
      };
    }
    if (!Number.isSafeInteger(windowStartMs) || windowStartMs < 0 || windowStartMs % windowMs !== 0) {
      return {
        reason: 'bad_window',
        message: `windowStartMs: expected a multiple of ${windowMs} since the epoch, found ${windowStartMs}; round it down`,
      };
    }
    const ahead = windowStartMs + windowMs - (meta.receivedMs ?? Infinity);
    if (ahead > this.#config.futureToleranceMs) {
      return {
        reason: 'future',
        message: `windowStartMs: the window ends ${ahead} ms after the message was received; check the clock of collector "${batch.collector}"`,
      };
    }
    return undefined;
  }

  /** A window that ends after it was received: the sender's clock is at least that far ahead. */
  #noteSkew(batch: DecodedBatch, meta: BatchMeta): void {
    if (meta.receivedMs === undefined) return;
    const ahead = batch.windowStartMs + batch.windowMs - meta.receivedMs;
    if (ahead > (this.#skew.get(batch.collector) ?? 0)) this.#skew.set(batch.collector, ahead);
    const [first] = this.#skew.keys();
    if (this.#skew.size > MOST_SKEWS) this.#skew.delete(first!);
  }
}
