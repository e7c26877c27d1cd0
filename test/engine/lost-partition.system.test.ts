/**
 * A topic's partitions are gone for the engine (another consumer of its group has them) while the services go on as
 * before: nothing may open, and the engine says what does not arrive.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { busPublisher } from '../../collector/publisher.ts';
import { startKafka } from '../../lab/kafka.ts';
import { topicsOf } from '../../src/bus/index.ts';
import { KafkaBus } from '../../src/bus/kafka.ts';
import { createRuleSet } from '../../src/classify/index.ts';
import { DEFAULT_CONFIG } from '../../src/config.ts';
import { BUILT_IN_RULES } from '../../src/engine/create.ts';
import { startEngine } from '../../src/engine/runtime.ts';
import { openStore } from '../../src/store/index.ts';
import { shop, T0, WINDOW_MS } from '../ingest/shop.ts';

let kafka: Awaited<ReturnType<typeof startKafka>>;
let dir = '';
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'rootwalk-partition-'));
  kafka = await startKafka();
});
afterAll(async () => {
  await kafka.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function until(condition: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

it('partitions that another consumer takes are told, and no service is called silent', async () => {
  const config = {
    ...DEFAULT_CONFIG,
    engine: { ...DEFAULT_CONFIG.engine, output: join(dir, 'incidents') },
    bus: { ...DEFAULT_CONFIG.bus, group: 'shared' },
  };
  const topics = topicsOf(config.bus.topicPrefix);
  const producer = new KafkaBus({ brokers: kafka.brokers });
  const consumer = new KafkaBus({ brokers: kafka.brokers });
  const rival = new KafkaBus({ brokers: kafka.brokers });
  const publish = busPublisher(producer);
  const store = openStore(join(dir, 'rootwalk.db'));
  const lines: string[] = [];
  const batches = shop({ windows: 90 });
  const send = async (from: number, to: number): Promise<void> => {
    for (const batch of batches) {
      const w = (batch.windowStartMs - T0) / WINDOW_MS;
      if (w >= from && w < to) await publish(batch);
    }
  };
  await send(0, 40);
  const engine = await startEngine({
    config,
    bus: consumer,
    store,
    rules: createRuleSet(BUILT_IN_RULES),
    onTelemetry: (line) => lines.push(line),
  });
  const shared = { group: 'shared', start: 'latest', onMessages: () => Promise.resolve() } as const;
  try {
    await until(() => engine.stats().windows >= 36, 'the first windows');
    expect(lines).toEqual([]);
    const taken = await rival.subscribe({ ...shared, topics: topics.inputs });
    await send(40, 75);
    await until(() => engine.stats().windows >= 70, 'windows from half of the partitions');
    // The broker deals the topics out in turn: either calls or TCP counters (and health) went to the other one.
    expect(lines.join('\n')).toMatch(/(call|tcp) records get lost .* of \d+ collectors: /);
    expect(engine.stats().reports).toBe(0);
    expect(engine.pipeline.detector.incidents()).toEqual([]);
    await taken.stop();
  } finally {
    await engine.stop();
    for (const bus of [producer, consumer, rival]) await bus.close();
    store.close();
  }
});
