/** Sums of a window's call leaves per entity: one pass over the rows through cached leaf -> entity numbers. */
import type { ClosedWindow, LeafDirectory } from '../model/window.ts';
import {
  KEY_CALLEE,
  KEY_CALLEE_INSTANCE,
  KEY_CALLEE_MACHINE,
  KEY_CALLER,
  KEY_CALLER_INSTANCE,
  KEY_CALLER_MACHINE,
  KEY_SIDE,
  MANY_COLLECTORS,
} from '../model/window.ts';
import { HISTOGRAM_BUCKETS } from '../stats/histogram.ts';
import type { Entities } from './entities.ts';
import { Resolver } from './entities.ts';

/** Sums of one view (server or client side) of services, edges or instances. */
export class Sums {
  count = new Float64Array(64);
  errors = new Float64Array(64);
  duration = new Float64Array(64);
  /** Requests whose duration is known. */
  timed = new Float64Array(64);

  reset(size: number): void {
    if (size > this.count.length) {
      const capacity = Math.max(size, this.count.length * 2);
      this.count = new Float64Array(capacity);
      this.errors = new Float64Array(capacity);
      this.duration = new Float64Array(capacity);
      this.timed = new Float64Array(capacity);
      return;
    }
    for (const column of [this.count, this.errors, this.duration, this.timed]) column.fill(0);
  }

  add(i: number, count: number, errors: number, duration: number): void {
    this.count[i] = this.count[i]! + count;
    this.errors[i] = this.errors[i]! + errors;
    if (Number.isNaN(duration)) return;
    this.duration[i] = this.duration[i]! + duration;
    this.timed[i] = this.timed[i]! + count;
  }
}

export interface LeafNews {
  /** An entity of this view has a new reporter. */
  (kind: 'service' | 'edge' | 'instance', entity: number, side: number, collector: string): void;
}

export class CallSums {
  /** Index 0: client side, 1: server side. */
  readonly services = [new Sums(), new Sums()] as const;
  readonly edges = [new Sums(), new Sums()] as const;
  readonly instances = [new Sums(), new Sums()] as const;
  /** Dense duration buckets per service and side. */
  readonly buckets: [Float64Array, Float64Array] = [new Float64Array(0), new Float64Array(0)];
  readonly #entities: Entities;
  #directory: LeafDirectory | undefined;
  #mapped = 0;
  #service = new Int32Array(0);
  #edge = new Int32Array(0);
  #instance = new Int32Array(0);
  #reporter = new Uint32Array(0);

  constructor(entities: Entities) {
    this.#entities = entities;
  }

  take(window: ClosedWindow, news: LeafNews): void {
    this.#map(window);
    const { services, edges, instances } = this.#entities;
    for (const side of [0, 1] as const) {
      this.services[side].reset(services.size);
      this.edges[side].reset(edges.size);
      this.instances[side].reset(instances.size);
    }
    const { keys, width, collector } = window.callDirectory;
    const { leaf, count, errors, durationSumUs, rows } = window.calls;
    for (let r = 0; r < rows; r++) {
      const id = leaf[r]!;
      const side = keys[id * width + KEY_SIDE] === 1 ? 1 : 0;
      const n = count[r]!;
      const failed = errors[r]!;
      const duration = durationSumUs[r]!;
      this.services[side].add(this.#service[id]!, n, failed, duration);
      this.edges[side].add(this.#edge[id]!, n, failed, duration);
      const instance = this.#instance[id]!;
      if (instance >= 0) this.instances[side].add(instance, n, failed, duration);
      if (this.#reporter[id] !== collector[id]) this.#report(window, id, side, news);
    }
    this.#sketch(window);
  }

  #report(window: ClosedWindow, id: number, side: 0 | 1, news: LeafNews): void {
    const reporter = window.callDirectory.collector[id]!;
    this.#reporter[id] = reporter;
    if (reporter === MANY_COLLECTORS) return;
    const name = window.names.name(reporter);
    news('service', this.#service[id]!, side, name);
    news('edge', this.#edge[id]!, side, name);
    if (this.#instance[id]! >= 0) news('instance', this.#instance[id]!, side, name);
  }

  #map({ callDirectory: directory, names }: ClosedWindow): void {
    if (directory !== this.#directory) {
      this.#directory = directory;
      this.#mapped = 0;
    }
    if (directory.size > this.#service.length) {
      const capacity = Math.max(directory.size, this.#service.length * 2);
      this.#service = grown(this.#service, new Int32Array(capacity));
      this.#edge = grown(this.#edge, new Int32Array(capacity));
      this.#instance = grown(this.#instance, new Int32Array(capacity));
      this.#reporter = grown(this.#reporter, new Uint32Array(capacity));
    }
    const { keys, width } = directory;
    const resolve = new Resolver(this.#entities, names);
    for (let id = this.#mapped; id < directory.size; id++) {
      const at = id * width;
      const caller = keys[at + KEY_CALLER]!;
      const callee = keys[at + KEY_CALLEE]!;
      const instance = keys[at + KEY_CALLEE_INSTANCE]!;
      this.#service[id] = resolve.service(callee);
      this.#edge[id] = resolve.edge(caller, callee);
      this.#instance[id] = resolve.instance(instance, callee, keys[at + KEY_CALLEE_MACHINE]!);
      this.#reporter[id] = 0;
      resolve.place(keys[at + KEY_CALLER_INSTANCE]!, caller, keys[at + KEY_CALLER_MACHINE]!);
    }
    this.#mapped = directory.size;
  }

  #sketch({ histograms, names }: ClosedWindow): void {
    const size = this.#entities.services.size * HISTOGRAM_BUCKETS;
    for (const side of [0, 1] as const) {
      if (this.buckets[side].length < size) this.buckets[side] = new Float64Array(size * 2);
      else this.buckets[side].fill(0);
    }
    const { rows, callee, side, first, start, counts } = histograms;
    for (let r = 0; r < rows; r++) {
      const service = this.#entities.services.find(names.name(callee[r]!));
      if (service === undefined) continue;
      const buckets = this.buckets[side[r] === 1 ? 1 : 0];
      const base = service * HISTOGRAM_BUCKETS + first[r]! - start[r]!;
      for (let k = start[r]!; k < start[r + 1]!; k++) buckets[base + k] = buckets[base + k]! + counts[k]!;
    }
  }
}

function grown<T extends Int32Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

const MIDDLE = Float64Array.from({ length: HISTOGRAM_BUCKETS }, (_, i) => 2 ** ((i + 0.5) / 8));

/** Squared coefficient of variation of bucketed durations; NaN when empty. */
export function bucketCv2(counts: ArrayLike<number>, from: number, to: number, first: number): number {
  let n = 0;
  let sum = 0;
  let squares = 0;
  for (let k = from; k < to; k++) {
    const count = counts[k]!;
    if (count === 0) continue;
    const value = MIDDLE[first + k - from]!;
    n += count;
    sum += count * value;
    squares += count * value * value;
  }
  return n === 0 ? Number.NaN : Math.max(0, (squares * n) / (sum * sum) - 1);
}
