import { describe, expect, it } from 'vitest';
import { createIngest } from '../../src/ingest/index.ts';
import type { Entity } from '../../src/model/entity.ts';
import type { Anomaly } from '../../src/model/incident.ts';
import type { AnyBatch } from '../../src/model/records.ts';

const T0 = 1_800_000_000_000;
const WINDOW_MS = 5_000;
/** A chain; each service on a machine of its own, but for the last one, which shares the third one's. */
const CHAIN = ['a', 'b', 'c', 'd', 'e', 'f'];
const machineOf = (service: string) => (service === 'f' ? 'm-c' : `m-${service}`);

function batches(windows: number): AnyBatch[] {
  const common = { schemaVersion: 1 as const, environment: 'e', collector: 'k', windowMs: WINDOW_MS };
  return Array.from({ length: windows }, (_, w) => {
    const at = { ...common, windowStartMs: T0 + w * WINDOW_MS, sequence: 0 };
    const calls = CHAIN.slice(1).map((callee, i) => ({
      caller: CHAIN[i]!,
      callee,
      calleeInstance: `${callee}-1`,
      side: 'server' as const,
      protocol: 'http' as const,
      operation: 'GET /',
      status: '200',
      count: 50,
      errors: 0,
      durationSumUs: 50_000,
    }));
    const instances = CHAIN.map((service) => ({
      entityKind: 'instance' as const,
      entity: `${service}-1`,
      service,
      machine: machineOf(service),
      cpuUsedUs: 1000,
    }));
    const machines = [...new Set(CHAIN.map(machineOf))].map((entity) => ({
      entityKind: 'machine' as const,
      entity,
      cpuUsedUs: 5000,
    }));
    return [
      { ...at, type: 'call' as const, records: calls },
      { ...at, type: 'resource' as const, records: [...instances, ...machines] },
    ] as AnyBatch[];
  }).flat();
}

function compared(entity: Entity, compareWholeLeaves: number) {
  const ingest = createIngest({ compareWholeLeaves });
  for (const batch of batches(12)) ingest.push(batch);
  ingest.flush();
  const anomaly = { entity, metric: 'duration_mean' } as Anomaly;
  const comparison = ingest.compare('e', T0 + 8 * WINDOW_MS, T0 + 11 * WINDOW_MS, { anomalies: [anomaly] });
  const names = (kind: string) => comparison.resources.filter((r) => r.entityKind === kind).map((r) => r.entity);
  return {
    edges: comparison.calls.map((call) => `${call.caller}>${call.callee}`),
    instances: names('instance'),
    machines: names('machine'),
  };
}

const MACHINES = ['m-a', 'm-b', 'm-c', 'm-d', 'm-e'];

describe('what a comparison of a large environment holds', () => {
  it('is everything, while it is not large', () => {
    const { edges, instances, machines } = compared({ kind: 'service', name: 'c' }, 5);
    expect(edges).toEqual(['a>b', 'b>c', 'c>d', 'd>e', 'e>f']);
    expect(instances).toEqual(CHAIN.map((service) => `${service}-1`));
    expect(machines).toEqual(MACHINES);
  });

  it('is what lies beside the service an anomaly speaks of, and whoever shares its machine', () => {
    const { edges, instances, machines } = compared({ kind: 'service', name: 'c' }, 4);
    expect(edges).toEqual(['b>c', 'c>d']);
    expect(instances).toEqual(['b-1', 'c-1', 'd-1', 'f-1']);
    expect(machines).toEqual(MACHINES);
  });

  it('is what lies beside the services of a machine an anomaly speaks of, and between them', () => {
    const { edges, instances } = compared({ kind: 'machine', name: 'm-c' }, 4);
    expect(edges).toEqual(['b>c', 'c>d', 'd>e', 'e>f']);
    expect(instances).toEqual(['b-1', 'c-1', 'd-1', 'e-1', 'f-1']);
  });

  it('is what lies beside the ends of an edge', () => {
    expect(compared({ kind: 'edge', name: 'a->b', from: 'a', to: 'b' }, 4)).toEqual({
      edges: ['a>b', 'b>c'],
      instances: ['a-1', 'b-1', 'c-1'],
      machines: MACHINES,
    });
  });
});
