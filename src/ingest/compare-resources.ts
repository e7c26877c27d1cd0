/** Resources of instances and machines before and during an incident. */
import type { MetricPair, ResourceEntity } from '../model/comparison.ts';
import { compareNames } from '../model/entity.ts';
import type { Selection } from './compare-parts.ts';
import { optional, sortBy } from './compare-parts.ts';
import type { Scope } from './compare-scope.ts';
import { PairBuilder } from './metric-pairs.ts';
import { Unpacker } from './packed.ts';
import type { SeriesStore } from './store.ts';

/**
 * Series (entity, metric), numbered as they appear. Windows list them in the same order: the next one is expected where
 * the last window had it, else searched among its entity's.
 */
class Series {
  readonly metric: number[] = [];
  /** Next series of the same entity; -1: none. */
  readonly next: number[] = [];
  readonly #entity: number[] = [];
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  #expected = 0;

  constructor(entities: number) {
    this.#first = new Int32Array(entities).fill(-1);
    this.#last = new Int32Array(entities).fill(-1);
  }

  first(entity: number): number {
    return this.#first[entity]!;
  }

  of(entity: number, metric: number): number {
    const found = this.#find(entity, metric);
    this.#expected = found + 1;
    return found;
  }

  #find(entity: number, metric: number): number {
    const expected = this.#expected;
    if (this.#entity[expected] === entity && this.metric[expected] === metric) return expected;
    for (let s = this.#first[entity]!; s >= 0; s = this.next[s]!) if (this.metric[s] === metric) return s;
    const made = this.metric.length;
    this.#entity.push(entity);
    this.metric.push(metric);
    this.next.push(-1);
    if (this.#first[entity] === -1) this.#first[entity] = made;
    else this.next[this.#last[entity]!] = made;
    this.#last[entity] = made;
    return made;
  }
}

/** Cost: O(rows + series in scope * windows). */
export function resourceEntities({ identities }: SeriesStore, selection: Selection, scope: Scope): ResourceEntity[] {
  const samples = selection.baselineBlocks.flatMap(({ resources }) => resources ?? []);
  const { baseline, skipped, current } = selection;
  const windows = [...samples, ...[...baseline, ...skipped, ...current].map(({ resources }) => resources)];
  const count = windows.length;
  const isHeld = Uint8Array.from(identities.resources.list, (identity) => (scope.holdsResource(identity) ? 1 : 0));
  const series = new Series(identities.resources.list.length);
  const unpacker = new Unpacker();
  let values = new Float64Array(0);
  windows.forEach((resources, w) => {
    const { rows } = resources;
    const [entity, metric, value] = unpacker.take([resources.entity, resources.metric, resources.value], rows);
    for (let r = 0; r < rows; r++) {
      if (isHeld[entity![r]!] === 0) continue;
      const at = series.of(entity![r]!, metric![r]!) * count;
      if (at >= values.length) values = grown(values, series.metric.length * count);
      values[at + w] = value![r]!;
    }
  });
  const pairs = new PairBuilder(
    samples.length + baseline.length,
    skipped.length,
    [...skipped, ...current].map((window) => window.startMs),
    selection.isCut,
  );
  const entities: ResourceEntity[] = [];
  identities.resources.list.forEach((identity, id) => {
    if (series.first(id) < 0) return;
    const metrics: MetricPair[] = [];
    for (let s = series.first(id); s >= 0; s = series.next[s]!) {
      const name = identities.names.name(series.metric[s]!);
      const pair = pairs.build(name, values.subarray(s * count, (s + 1) * count));
      if (pair !== undefined) metrics.push(pair);
    }
    entities.push({
      entityKind: identity.entityKind,
      entity: identity.entity,
      ...optional('service', identity.service ?? ''),
      ...optional('machine', identity.machine ?? ''),
      metrics: metrics.sort((a, b) => compareNames(a.metric, b.metric)),
    });
  });
  return sortBy(entities, (entity) => `${entity.entityKind}\0${entity.entity}`);
}

/** Unknown where nothing was written. */
function grown(from: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  const to = new Float64Array(Math.max(length, from.length * 2)).fill(Number.NaN, from.length);
  to.set(from);
  return to;
}
