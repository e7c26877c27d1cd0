import { describe, expect, it } from 'vitest';
import type { BusMessage } from '../../src/bus/index.ts';
import { createRuleSet } from '../../src/classify/index.ts';
import { demarcate } from '../../src/demarcate/index.ts';
import { BUILT_IN_RULES } from '../../src/engine/create.ts';
import { replayMessages } from '../../src/engine/replay.ts';
import type { Comparison, MetricPair, ResourceEntity } from '../../src/model/comparison.ts';
import { createPipeline } from '../../src/pipeline.ts';
import { toMarkdown } from '../../src/report/index.ts';
import { createRandom, normal, poisson } from '../../src/stats/index.ts';
import { draw, pair } from './draw.ts';

const resource = (entity: string, service: string, metrics: readonly MetricPair[]): ResourceEntity => ({
  entityKind: 'instance',
  entity,
  service,
  metrics,
});

/** web is slow; topology says web -> api -> db and web -> cache, of which no calls are recorded. */
function blindBelow(resources: readonly ResourceEntity[], more: Partial<Comparison> = {}): Comparison {
  const drawn = draw({ graph: 'web -> known', self: { web: [10_000, 90_000] } });
  return {
    ...drawn,
    resources,
    topology: {
      calls: [...drawn.topology.calls, ['web', 'api'], ['api', 'db'], ['web', 'cache']],
      partOf: resources.map(({ entity, service = '' }) => [entity, service] as const),
      runsOn: [],
    },
    ...more,
  };
}

const quiet = [
  resource('web-1', 'web', [pair('cpuUsedUs', 1e6, 1.01e6)]),
  resource('api-1', 'api', [pair('cpuUsedUs', 2e6, 2.02e6)]),
  resource('cache-1', 'cache', [pair('memoryUsedBytes', 1e9, 1e9)]),
];

describe('below the last service with recorded calls', () => {
  it('names the callee that shows something itself, and the way to it', () => {
    const walk = demarcate(blindBelow([...quiet, resource('db-1', 'db', [pair('cpuUsedUs', 5e5, 4.5e6)])]));
    const [first] = walk.suspects;
    expect(first?.entity).toEqual({ kind: 'service', name: 'db' });
    expect(first?.contribution).toBeNaN();
    expect(first?.path.map(({ name }) => name)).toEqual(['db', 'api', 'web']);
    expect(first?.observations.map(({ text }) => text).join('; ')).toContain('cpuUsedUs went from 500000 to 4500000');
    expect(walk.suspects[1]?.entity.name).toBe('web');
    expect(walk.notes.join()).toContain('no calls of web to api, cache, db are recorded');
    const sum = walk.suspects.reduce((total, { score }) => total + score, 0);
    expect(sum).toBeCloseTo(1, 2);
  });

  it('leaves the service when nothing below shows anything, and says what it could not see', () => {
    const walk = demarcate(blindBelow([...quiet, resource('db-1', 'db', [pair('cpuUsedUs', 5e5, 5.2e5)])]));
    expect(walk.suspects.map(({ entity }) => entity.name)).toEqual(['web']);
    expect(walk.notes.join()).toContain('are recorded');
  });

  it('prefers the service’s own sign to a weaker one below', () => {
    const hot = resource('web-1', 'web', [pair('cpuUsedUs', 1e6, 9e6)]);
    const walk = demarcate(
      blindBelow([hot, ...quiet.slice(1), resource('db-1', 'db', [pair('cpuUsedUs', 5e5, 6.5e5)])]),
    );
    expect(walk.suspects[0]?.entity.name).toBe('web');
  });

  it('does not name what began after the symptom', () => {
    const hot = [...quiet, resource('db-1', 'db', [pair('cpuUsedUs', 5e5, 4.5e6)])];
    const { anomalies, windowMs } = blindBelow(hot);
    const [symptom] = anomalies;
    if (symptom === undefined) throw new Error('the drawing has a symptom');
    const later = (windows: number) =>
      demarcate(
        blindBelow(hot, {
          anomalies: [
            symptom,
            {
              ...symptom,
              entity: { kind: 'instance', name: 'db-1' },
              symptom: 'resource_rise',
              onsetMs: symptom.onsetMs + windows * windowMs,
            },
          ],
        }),
      ).suspects.map(({ entity }) => entity.name);
    expect(later(1)[0]).toBe('db');
    expect(later(6)).not.toContain('db');
  });

  it('takes the TCP counters of the way as a sign of the far end', () => {
    const tcp = [{ caller: 'web', callee: 'cache', side: 'client' as const, metrics: [pair('retransmits', 0, 40)] }];
    const walk = demarcate(blindBelow(quiet, { tcp }));
    expect(walk.suspects[0]?.entity.name).toBe('cache');
  });
});

describe('metrics of nodes from elsewhere, as JSON', () => {
  const START_MS = 1_780_000_000_000;
  const WINDOW_MS = 5_000;
  const FAULT_FROM = 60;

  /** Requests of web, a topology, and a gauge of the user per node: nothing else. */
  function messages(): BusMessage[] {
    const random = createRandom(5);
    const out: object[] = [];
    for (let w = 0; w < 96; w++) {
      const bad = w >= FAULT_FROM;
      const head = { environment: 'foreign', windowStartMs: START_MS + w * WINDOW_MS, windowMs: WINDOW_MS };
      const count = poisson(random, 200);
      const mean = (bad ? 90_000 : 20_000) * (1 + 0.05 * normal(random));
      out.push({
        ...head,
        type: 'call',
        records: [
          {
            caller: 'users',
            callee: 'web',
            side: 'server',
            protocol: 'http',
            operation: 'GET /shop',
            status: '200',
            count,
            errors: 0,
            durationSumUs: Math.round(count * mean),
          },
        ],
      });
      const gauge = (entity: string, service: string, percent: number) => ({
        entityKind: 'instance',
        entity,
        service,
        extra: { cpu_usage_percent: percent * (1 + 0.03 * normal(random)) },
      });
      out.push({
        ...head,
        type: 'resource',
        records: [gauge('web-a', 'web', 20), gauge('api-a', 'api', 30), gauge('db-a', 'db', bad ? 97 : 25)],
      });
      if (w % 12 === 0)
        out.push({
          ...head,
          type: 'topology',
          records: [
            { relation: 'calls', from: 'web', to: 'api' },
            { relation: 'calls', from: 'api', to: 'db' },
            ...['web', 'api', 'db'].map((name) => ({ relation: 'part_of', from: `${name}-a`, to: name })),
          ],
        });
    }
    return out.map((batch, index) => ({
      topic: 'rootwalk.calls',
      partition: 0,
      offset: String(index),
      timestampMs: (batch as { windowStartMs: number }).windowStartMs + 6_000,
      key: null,
      value: Buffer.from(JSON.stringify(batch)),
      headers: {},
    }));
  }

  it('one incident, the hot database first, and no share of the change claimed for it', async () => {
    const pipeline = createPipeline({ rules: createRuleSet(BUILT_IN_RULES), configHash: 'test' });
    const result = await replayMessages(pipeline, messages());
    expect(result.deadLetters).toEqual([]);
    expect(result.last).toHaveLength(1);
    const [report] = result.last;
    expect(report?.causes[0]?.entity.name).toMatch(/^db/);
    expect(report?.causes[0]?.contribution).toBeNull();
    expect(report && toMarkdown(report)).toContain('cpu_usage_percent went from 25 to 9');
  });
});
