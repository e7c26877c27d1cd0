/** All that is watched runs on one machine: whose processors are taken by something else, or by a service itself. */
import { describe, expect, it } from 'vitest';
import { demarcate } from '../../src/demarcate/index.ts';
import type { MetricPair, ResourceEntity } from '../../src/model/comparison.ts';
import { draw } from './draw.ts';

const WINDOW_US = 5_000_000;

function metric(name: string, baselineMean: number, currentMean: number): MetricPair {
  return {
    metric: name,
    baselineMean,
    currentMean,
    baselineSpread: 0,
    baselineWindows: 24,
    currentWindows: 24,
    onsetMs: 120_000,
  } as MetricPair;
}

/** Two processors, in shares of one: what the machine uses, what tasks wait, what each service uses, before and now. */
function host(used: [number, number], waited: [number, number], services: Record<string, [number, number]>) {
  const share = (name: string, [before, now]: [number, number]) => metric(name, before * WINDOW_US, now * WINDOW_US);
  const machine: ResourceEntity = {
    entityKind: 'machine',
    entity: 'host',
    metrics: [share('cpuUsedUs', used), share('psiCpuSomeUs', waited), metric('cpuCount', 2, 2)],
  };
  const instances = Object.entries(services).map(
    ([service, own]): ResourceEntity => ({
      entityKind: 'instance',
      entity: `${service}-1`,
      service,
      machine: 'host',
      metrics: [share('cpuUsedUs', own)],
    }),
  );
  return {
    ...draw({
      graph: 'web -> api -> db',
      on: { web: 'host', api: 'host', db: 'host' },
      self: { web: [1_000, 3_000], api: [1_000, 5_000], db: [500, 1_000] },
      net: { 'api -> db': [100, 900] },
    }),
    resources: [machine, ...instances],
  };
}

const asBefore: Record<string, [number, number]> = { web: [0.1, 0.1], api: [0.3, 0.28], db: [0.1, 0.1] };

describe('processors that are all busy', () => {
  it('with what no service does are the machine, and what its services are late for is counted there', () => {
    const [lead] = demarcate(host([0.6, 1.9], [0.05, 0.9], asBefore)).suspects;
    expect(lead?.entity).toEqual({ kind: 'machine', name: 'host' });
    expect(lead?.shares.latency).toBeGreaterThan(0.9);
    expect(lead?.observations[0]?.text).toMatch(/^all processors of host are busy, and what uses them more is not /);
  });

  it('with what a service computes are that service', () => {
    const [lead] = demarcate(host([0.6, 1.9], [0.05, 0.9], { ...asBefore, api: [0.3, 1.6] })).suspects;
    expect(lead?.entity).toEqual({ kind: 'service', name: 'api' });
  });

  it.each([
    ['as ever', [1.8, 1.9], [0.8, 0.9]],
    ['while nothing waits for them', [0.6, 1.9], [0.05, 0.1]],
    ['not at all', [0.6, 0.9], [0.05, 0.9]],
  ] as [string, [number, number], [number, number]][])('%s are nobody', (_, used, waited) => {
    expect(demarcate(host(used, waited, asBefore)).suspects[0]?.entity.kind).toBe('service');
  });
});
