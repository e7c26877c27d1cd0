/** The open window's resources: per entity a short list of metrics. */
import type { ResourceRecord } from '../model/records.ts';
import type { ResourceIdentity, ResourceTable } from '../model/window.ts';
import { exact } from './growable.ts';

/** Searched one by one up to so many metrics. */
const SHORT = 32;

interface Gauges {
  readonly metrics: number[];
  readonly values: number[];
  /** Metric -> its place, of long lists. */
  places?: Map<number, number>;
}

export class ResourceBuilder {
  readonly #metricId: (metric: string) => number;
  readonly #gauges = new Map<number, Gauges>();
  #rows = 0;

  constructor(metricId: (metric: string) => number) {
    this.#metricId = metricId;
  }

  /** The same metric of the same entity from two collectors is one fact seen twice: the larger is kept. */
  add(record: ResourceRecord, entity: number): void {
    let gauges = this.#gauges.get(entity);
    if (gauges === undefined) {
      gauges = { metrics: [], values: [] };
      this.#gauges.set(entity, gauges);
    }
    for (const field of Object.keys(record)) {
      const value = record[field as keyof ResourceRecord];
      if (typeof value === 'number') this.#gauge(gauges, field, value);
    }
    if (record.extra === undefined) return;
    for (const [name, value] of Object.entries(record.extra)) this.#gauge(gauges, `extra.${name}`, value);
  }

  #gauge(gauges: Gauges, metric: string, value: number): void {
    const { metrics, values } = gauges;
    const id = this.#metricId(metric);
    const at = gauges.places === undefined ? metrics.indexOf(id) : (gauges.places.get(id) ?? -1);
    if (at >= 0) {
      values[at] = Math.max(values[at]!, exact(value));
      return;
    }
    gauges.places?.set(id, metrics.length);
    metrics.push(id);
    if (metrics.length === SHORT) gauges.places = new Map(metrics.map((known, place) => [known, place]));
    values.push(exact(value));
    this.#rows++;
  }

  table(entities: readonly ResourceIdentity[]): ResourceTable {
    const entity = new Uint32Array(this.#rows);
    const metric = new Uint32Array(this.#rows);
    const value = new Float64Array(this.#rows);
    let row = 0;
    for (const [id, { metrics, values }] of this.#gauges) {
      for (let k = 0; k < metrics.length; k++, row++) {
        entity[row] = id;
        metric[row] = metrics[k]!;
        value[row] = values[k]!;
      }
    }
    return { entities, rows: row, entity, metric, value };
  }
}
