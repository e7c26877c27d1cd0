import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EmbeddedBus, topicsOf } from '../../src/bus/index.ts';
import { createRuleSet } from '../../src/classify/index.ts';
import { encodeBatch } from '../../src/codec/index.ts';
import { DEFAULT_CONFIG } from '../../src/config.ts';
import { BUILT_IN_RULES } from '../../src/engine/create.ts';
import { startEngine } from '../../src/engine/runtime.ts';
import type { AnyBatch } from '../../src/model/records.ts';
import { createRandom, poisson } from '../../src/stats/index.ts';
import { openStore } from '../../src/store/index.ts';
import { incident, WORLD } from '../report/fixtures.ts';

const START_MS = 1_780_000_000_000;
const WINDOW_MS = 5_000;
/** A minute of trouble, early. */
const SLOW_FROM = 100;
/** Longer than the log that is read again (45 minutes) and the step between exports (30 minutes). */
const WINDOWS = 1_100;

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rootwalk-restart-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('a restarted engine', () => {
  it('has what recurs daily from the store, before the log is read again', async () => {
    const config = { ...DEFAULT_CONFIG, engine: { ...DEFAULT_CONFIG.engine, output: join(dir, 'incidents') } };
    const rules = createRuleSet(BUILT_IN_RULES);
    const store = openStore(join(dir, 'rootwalk.db'));
    let nowMs = START_MS;
    const bus = new EmbeddedBus({ now: () => nowMs });
    const first = await startEngine({ config, bus, store, rules });
    const random = createRandom(1);
    const topic = topicsOf(config.bus.topicPrefix).input('call');
    for (let w = 0; w < WINDOWS; w++) {
      nowMs = START_MS + w * WINDOW_MS + 6_000;
      const count = poisson(random, 200);
      const batch = {
        type: 'call',
        environment: 'shop',
        collector: 'c1',
        windowStartMs: START_MS + w * WINDOW_MS,
        windowMs: WINDOW_MS,
        sequence: 0,
        records: [
          {
            caller: 'users',
            callee: 'web',
            side: 'server',
            protocol: 'http',
            operation: 'GET /',
            status: '200',
            count,
            errors: 0,
            durationSumUs: count * (w >= SLOW_FROM && w < SLOW_FROM + 12 ? 100_000 : 20_000),
          },
        ],
      } as unknown as AnyBatch;
      await bus.publish(topic, encodeBatch(batch, 'json'));
      if (w % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const end = Date.now() + 20_000;
    while (first.stats().windows < WINDOWS - 4 && Date.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 10));
    await first.stop();
    // There was an incident, long over: the log is read again from 45 minutes back at most, and five to spare.
    expect(store.incidents({ environment: 'shop' })).toMatchObject([{ state: 'resolved' }]);
    const lastMs = START_MS + WINDOWS * WINDOW_MS;
    expect(Number(store.state('anchorMs'))).toBeGreaterThan(lastMs - 51 * 60_000);
    const stored = store.state('past');
    const state = JSON.parse(stored ?? '{}') as {
      environments: [
        string,
        { rhythms: Record<string, { rows: object }[]>; drifts: Record<string, Record<string, string>> },
      ][];
    };
    expect(state.environments[0]?.[0]).toBe('shop');
    const { rhythms, drifts } = state.environments[0]![1];
    expect(Object.keys(rhythms.request_rate_per_s?.[0]?.rows ?? {})).toEqual(['web']);
    expect(Object.keys(rhythms.duration_mean_us?.[0]?.rows ?? {})).toEqual(['web']);
    expect(Object.keys(drifts.error_ratio ?? {})).toEqual(['web']);
    // Blocks of five minutes, three doubles each, but for those of the minute of trouble and around it.
    expect(Buffer.from(drifts.duration_mean_us?.web ?? '', 'base64').length / 24).toBeGreaterThan(6);

    const silent = new EmbeddedBus({ now: () => nowMs });
    const second = await startEngine({ config, bus: silent, store, rules });
    expect(second.pipeline.detector.exportPast()).toBe(stored);
    await second.stop();
    await bus.close();
    await silent.close();
    store.close();
  });

  it('rids its database of incidents that were over long ago, and keeps the others', async () => {
    const config = {
      ...DEFAULT_CONFIG,
      engine: { ...DEFAULT_CONFIG.engine, output: join(dir, 'incidents'), keepDays: 30 },
    };
    const store = openStore(join(dir, 'rootwalk.db'));
    const over = (id: string, days: number) => {
      const resolvedMs = START_MS - days * 86_400_000;
      return { ...incident(WORLD, { state: 'resolved', resolvedMs, updatedMs: resolvedMs }), id };
    };
    for (const one of [over('inc-old', 31), over('inc-late', 29)]) store.applyEffect({ incident: one });
    store.applyEffect({ incident: { ...over('inc-open', 31), state: 'open' } });
    const bus = new EmbeddedBus({ now: () => START_MS });
    const engine = await startEngine({ config, bus, store, rules: createRuleSet(BUILT_IN_RULES) });
    const value = Buffer.from('{"type":"health","machine":"m1","probes":[],"lost":{}}');
    await bus.publish(topicsOf(config.bus.topicPrefix).input('health'), [{ key: 'k', value, headers: {} }]);
    const end = Date.now() + 10_000;
    while (engine.stats().messages < 1 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
    await engine.stop();
    expect(store.incidents().map(({ id }) => id)).toEqual(['inc-late', 'inc-open']);
    store.close();
    await bus.close();
  });

  it('writes no dead letter again, and those of a topic made anew', async () => {
    const config = { ...DEFAULT_CONFIG, engine: { ...DEFAULT_CONFIG.engine, output: join(dir, 'incidents') } };
    const rules = createRuleSet(BUILT_IN_RULES);
    const store = openStore(join(dir, 'rootwalk.db'));
    const topics = topicsOf(config.bus.topicPrefix);
    const bad = (text: string) => ({ key: 'k', value: Buffer.from(text), headers: {} });
    const run = async (bus: EmbeddedBus, messages: number): Promise<string[]> => {
      const told: string[] = [];
      const engine = await startEngine({ config, bus, store, rules, onDeadLetter: ({ detail }) => told.push(detail) });
      const end = Date.now() + 10_000;
      while (engine.stats().messages < messages && Date.now() < end)
        await new Promise((resolve) => setTimeout(resolve, 5));
      await engine.stop();
      expect(engine.stats().deadLetters).toBe(told.length);
      return told;
    };
    let nowMs = START_MS;
    const open = (name: string): EmbeddedBus => new EmbeddedBus({ dir: join(dir, name), now: () => nowMs });
    const bus = open('bus');
    await bus.publish(topics.input('call'), [bad('not json'), bad('[1, 2]')]);
    const first = await run(bus, 2);
    expect(first.length).toBeGreaterThan(1);
    expect(await run(bus, 2)).toEqual([]);
    nowMs += 60_000;
    await bus.publish(topics.input('call'), [bad('{}')]);
    expect(await run(bus, 3)).toHaveLength(1);
    await bus.close();
    nowMs += 60_000;
    const anew = open('anew');
    await anew.publish(topics.input('call'), [bad('not json')]);
    expect(await run(anew, 1)).toHaveLength(1);
    await anew.close();
    store.close();
  });
});
