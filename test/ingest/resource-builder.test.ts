import { describe, expect, it } from 'vitest';
import { NameTable } from '../../src/ingest/names.ts';
import { ResourceBuilder } from '../../src/ingest/resource-builder.ts';
import type { ResourceRecord } from '../../src/model/records.ts';
import type { ResourceIdentity } from '../../src/model/window.ts';

const ENTITIES: ResourceIdentity[] = ['a', 'b'].map((entity) => ({ entityKind: 'instance', entity, collector: 'c' }));

function read(records: readonly (readonly [Partial<ResourceRecord>, number])[]): Record<string, number> {
  const names = new NameTable();
  const builder = new ResourceBuilder((metric) => names.id(metric));
  for (const [record, entity] of records) {
    builder.add({ entityKind: 'instance', entity: ENTITIES[entity]!.entity, ...record } as ResourceRecord, entity);
  }
  const { rows, entity, metric, value } = builder.table(ENTITIES);
  const found = Array.from({ length: rows }, (_, r) => [
    `${ENTITIES[entity[r]!]!.entity} ${names.name(metric[r]!)}`,
    value[r]!,
  ]);
  expect(new Set(found.map(([key]) => key)).size).toBe(rows);
  return Object.fromEntries(found) as Record<string, number>;
}

describe('ResourceBuilder', () => {
  it('keeps the larger of what two collectors say, per entity and metric', () => {
    expect(
      read([
        [{ cpuUsedUs: 5, fdUsed: 2 }, 0],
        [{ cpuUsedUs: 7 }, 1],
        [{ cpuUsedUs: 4, fdUsed: 3, extra: { queue: 1.5 } }, 0],
      ]),
    ).toEqual({ 'a cpuUsedUs': 5, 'a fdUsed': 3, 'a extra.queue': 1.5, 'b cpuUsedUs': 7 });
  });

  it('does the same for more metrics than are searched one by one', () => {
    const extra = (factor: number) => Object.fromEntries(Array.from({ length: 100 }, (_, k) => [`m${k}`, k * factor]));
    const expected = Object.fromEntries(Array.from({ length: 100 }, (_, k) => [`a extra.m${k}`, k * 2]));
    expect(
      read([
        [{ extra: extra(1) }, 0],
        [{ extra: extra(2) }, 0],
        [{ extra: extra(1) }, 0],
      ]),
    ).toEqual(expected);
  });
});
