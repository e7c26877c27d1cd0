/** Sums of a window's call leaves per entity: one pass over the rows through cached leaf -> entity numbers. */
import { ACTIVE } from '../model/records.ts';
import type { ClosedWindow, LeafDirectory, Names } from '../model/window.ts';
import {
  KEY_CALLEE,
  KEY_CALLEE_INSTANCE,
  KEY_CALLEE_MACHINE,
  KEY_CALLER,
  KEY_CALLER_INSTANCE,
  KEY_CALLER_MACHINE,
  KEY_OPERATION,
  KEY_SIDE,
  KEY_STATUS,
  MANY_COLLECTORS,
} from '../model/window.ts';
import { withRoom } from './columns.ts';
import type { Entities, Resolver } from './entities.ts';
import type { OperationMix } from './operation-mix.ts';
import { ServiceBuckets } from './service-buckets.ts';

/** Sums of one view (server or client side) of services, edges or instances. */
export class Sums {
  count = new Float64Array(64);
  errors = new Float64Array(64);
  duration = new Float64Array(64);
  /** Requests whose duration is known. */
  timed = new Float64Array(64);
  /** What these would take if each operation took what it usually does, in means of its service's usual mix. */
  expected = new Float64Array(64);

  reset(size: number): void {
    if (size > this.count.length) {
      const capacity = Math.max(size, this.count.length * 2);
      this.count = new Float64Array(capacity);
      this.errors = new Float64Array(capacity);
      this.duration = new Float64Array(capacity);
      this.timed = new Float64Array(capacity);
      this.expected = new Float64Array(capacity);
      return;
    }
    for (const column of [this.count, this.errors, this.duration, this.timed, this.expected]) column.fill(0);
  }

  add(i: number, count: number, errors: number, duration: number, expected: number): void {
    this.count[i] = this.count[i]! + count;
    this.errors[i] = this.errors[i]! + errors;
    if (Number.isNaN(duration)) return;
    this.duration[i] = this.duration[i]! + duration;
    this.timed[i] = this.timed[i]! + count;
    this.expected[i] = this.expected[i]! + expected;
  }
}

/** An entity of this view has a new reporter. */
export type LeafNews = (kind: 'service' | 'edge' | 'instance', entity: number, side: number, collector: string) => void;

/** Per leaf: number of its service, edge and instance (-1: none), side, operation. */
const LEAF = 5;
const LEAF_EDGE = 1;
const LEAF_INSTANCE = 2;
const LEAF_SIDE = 3;
const LEAF_OPERATION = 4;
/** In the place of a side: calls that have not ended, which are judged when they do. */
const IN_FLIGHT = 2;
/** Ids of names are below. */
const MOST_NAMES = 2 ** 28;

export class CallSums {
  /** Index 0: client side, 1: server side. */
  readonly services = [new Sums(), new Sums()] as const;
  readonly edges = [new Sums(), new Sums()] as const;
  readonly instances = [new Sums(), new Sums()] as const;
  /** Duration buckets per service, by side. */
  readonly buckets = [new ServiceBuckets(), new ServiceBuckets()] as const;
  readonly #entities: Entities;
  readonly #mix: OperationMix;
  #directory: LeafDirectory | undefined;
  #names: Names | undefined;
  /** Leaves the directory had made when it was last asked. */
  #made = 0;
  /** Of leaves that a window had: the others are neither services nor edges, only what somebody sent. */
  #leaves = new Int32Array(0);
  /** Id of the collector it was told with; 0: no window had the leaf. */
  #reporter = new Uint32Array(0);
  /** Service, side and name id of an operation -> its number. */
  readonly #operationOf = new Map<number, number>();
  /** Name id of a callee -> its service + 1. */
  #serviceOf = new Int32Array(0);

  constructor(entities: Entities, mix: OperationMix) {
    this.#entities = entities;
    this.#mix = mix;
  }

  take(window: ClosedWindow, news: LeafNews): void {
    this.#map(window);
    const { services, edges, instances } = this.#entities;
    for (const side of [0, 1] as const) {
      this.services[side].reset(services.size);
      this.edges[side].reset(edges.size);
      this.instances[side].reset(instances.size);
    }
    const { collector } = window.callDirectory;
    const { leaf, count, errors, durationSumUs, rows } = window.calls;
    const leaves = this.#leaves;
    const reporter = this.#reporter;
    const mix = this.#mix;
    mix.begin();
    const { expected: usual, count: asked, durationUs: took } = mix;
    for (let r = 0; r < rows; r++) {
      const id = leaf[r]!;
      const at = id * LEAF;
      const seenBy = leaves[at + LEAF_SIDE]!;
      if (seenBy === IN_FLIGHT) continue;
      const side = seenBy === 1 ? 1 : 0;
      const n = count[r]!;
      const failed = errors[r]!;
      const duration = durationSumUs[r]!;
      const operation = leaves[at + LEAF_OPERATION]!;
      const expected = n * usual[operation]!;
      if (!Number.isNaN(duration)) {
        asked[operation] = asked[operation]! + n;
        took[operation] = took[operation]! + duration;
      }
      this.services[side].add(leaves[at]!, n, failed, duration, expected);
      this.edges[side].add(leaves[at + LEAF_EDGE]!, n, failed, duration, expected);
      const instance = leaves[at + LEAF_INSTANCE]!;
      if (instance >= 0) this.instances[side].add(instance, n, failed, duration, expected);
      if (reporter[id] !== collector[id]) this.#report(window, id, side, news);
    }
    this.#sketch(window);
  }

  #report(window: ClosedWindow, id: number, side: 0 | 1, news: LeafNews): void {
    const reporter = window.callDirectory.collector[id]!;
    this.#reporter[id] = reporter;
    // Of several at once it is only known that somebody reports: the side counts, nobody's silence does.
    const name = reporter === MANY_COLLECTORS ? '' : window.names.name(reporter);
    const at = id * LEAF;
    news('service', this.#leaves[at]!, side, name);
    news('edge', this.#leaves[at + LEAF_EDGE]!, side, name);
    if (this.#leaves[at + LEAF_INSTANCE]! >= 0) news('instance', this.#leaves[at + LEAF_INSTANCE]!, side, name);
  }

  /** Numbers for the leaves of the window that have none. */
  #map({ callDirectory: directory, calls, names }: ClosedWindow): void {
    if (directory !== this.#directory) {
      this.#directory = directory;
      this.#made = 0;
    }
    this.#leaves = withRoom(this.#leaves, directory.size * LEAF);
    this.#reporter = withRoom(this.#reporter, directory.size);
    this.#serviceOf = withRoom(this.#serviceOf, names.size);
    // A new leaf may have the id of one that is gone.
    for (const id of directory.since(this.#made)) this.#reporter[id] = 0;
    this.#made = directory.made;
    if (names !== this.#names) this.#rename(directory, names);
    const { leaf, rows } = calls;
    const reporter = this.#reporter;
    let resolve: Resolver | undefined;
    for (let r = 0; r < rows; r++) {
      if (reporter[leaf[r]!] !== 0) continue;
      resolve ??= this.#entities.resolver(names);
      this.#meet(leaf[r]!, directory, resolve);
    }
  }

  #meet(id: number, { keys, width }: LeafDirectory, resolve: Resolver): void {
    const at = id * width;
    const to = id * LEAF;
    if (resolve.names.name(keys[at + KEY_STATUS]!) === ACTIVE) {
      this.#leaves[to + LEAF_SIDE] = IN_FLIGHT;
      return;
    }
    const caller = keys[at + KEY_CALLER]!;
    const callee = keys[at + KEY_CALLEE]!;
    const instance = keys[at + KEY_CALLEE_INSTANCE]!;
    this.#leaves[to] = resolve.service(callee);
    this.#leaves[to + LEAF_EDGE] = resolve.edge(caller, callee);
    this.#leaves[to + LEAF_INSTANCE] = resolve.instance(instance, callee, keys[at + KEY_CALLEE_MACHINE]!);
    const side = keys[at + KEY_SIDE] === 1 ? 1 : 0;
    this.#leaves[to + LEAF_SIDE] = side;
    this.#leaves[to + LEAF_OPERATION] = this.#operation(this.#leaves[to]!, side, keys[at + KEY_OPERATION]!, resolve);
    this.#serviceOf[callee] = this.#leaves[to]! + 1;
    resolve.place(keys[at + KEY_CALLER_INSTANCE]!, caller, keys[at + KEY_CALLER_MACHINE]!);
  }

  #operation(service: number, side: 0 | 1, name: number, { names }: Resolver): number {
    const key = (2 * service + side) * MOST_NAMES + name;
    let found = this.#operationOf.get(key);
    if (found === undefined) {
      found = this.#mix.operation(service, side, names.name(name));
      this.#operationOf.set(key, found);
    }
    return found;
  }

  /** Ids of names may stand for others now. */
  #rename(directory: LeafDirectory, names: Names): void {
    this.#names = names;
    this.#operationOf.clear();
    this.#serviceOf.fill(0);
    const { keys, width } = directory;
    for (const id of directory.since(0)) {
      if (this.#reporter[id] !== 0) this.#serviceOf[keys[id * width + KEY_CALLEE]!] = this.#leaves[id * LEAF]! + 1;
    }
  }

  /** Collectors that are no longer waited for: what they report again is news. */
  forget(gone: ReadonlySet<string>, { callDirectory, names }: ClosedWindow): void {
    if (gone.size === 0) return;
    const reporter = this.#reporter;
    for (const id of callDirectory.since(0)) {
      const by = reporter[id]!;
      if (by !== 0 && by !== MANY_COLLECTORS && gone.has(names.name(by))) reporter[id] = 0;
    }
  }

  /** Forgets operations that no leaf names any more, of services that have very many. @returns their numbers */
  forgetOperations({ callDirectory, names }: ClosedWindow): readonly number[] {
    if (!this.#mix.hasMany) return [];
    const { services } = this.#entities;
    const { keys, width } = callDirectory;
    const named = new Set<string>();
    for (const id of callDirectory.since(0)) {
      const at = id * width;
      const service = services.find(names.name(keys[at + KEY_CALLEE]!));
      const side = keys[at + KEY_SIDE] === 1 ? 1 : 0;
      if (service !== undefined) named.add(`${2 * service + side}\0${names.name(keys[at + KEY_OPERATION]!)}`);
    }
    this.#operationOf.clear();
    return this.#mix.forget((service, side, name) => named.has(`${2 * service + side}\0${name}`));
  }

  #sketch({ histograms }: ClosedWindow): void {
    for (const side of [0, 1] as const) {
      this.buckets[side].take(histograms, side, this.#entities.services.size, this.#serviceOf);
    }
  }
}
