import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startKafka } from '../../lab/kafka.ts';
import type { BusMessage } from '../../src/bus/index.ts';
import { KafkaBus } from '../../src/bus/kafka.ts';

let kafka: Awaited<ReturnType<typeof startKafka>>;
const buses: KafkaBus[] = [];

function open(): KafkaBus {
  const bus = new KafkaBus({ brokers: kafka.brokers });
  buses.push(bus);
  return bus;
}

const text = (value: Uint8Array): string => Buffer.from(value).toString('utf8');
const outgoing = (value: string) => ({
  key: 'k',
  value: Buffer.from(value),
  headers: { 'content-type': 'text/plain' },
});

async function until(condition: () => boolean, ms = 20_000): Promise<void> {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error('the condition did not become true in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(async () => {
  for (const bus of buses) await bus.close();
  await kafka.stop();
});

describe('KafkaBus on a real broker', () => {
  it('delivers a backlog of several topics in the order of bus time, with keys and headers', async () => {
    const bus = open();
    const sent: string[] = [];
    for (let i = 0; i < 20; i++) {
      const topic = `order.t${i % 3}`;
      await bus.publish(topic, [outgoing(`${i}`)]);
      sent.push(`${i}`);
    }
    const got: BusMessage[] = [];
    const subscription = await bus.subscribe({
      topics: ['order.t0', 'order.t1', 'order.t2'],
      group: 'order',
      start: 'earliest',
      onMessages: (messages) => {
        got.push(...messages);
        return Promise.resolve();
      },
    });
    await until(() => got.length >= 20);
    expect(got.map((message) => text(message.value))).toEqual(sent);
    expect(got[0]).toMatchObject({ key: 'k', headers: { 'content-type': 'text/plain' }, offset: '0' });
    expect(await subscription.lag()).toBe(0);
    await bus.publish('order.t1', [outgoing('live')]);
    await until(() => got.length === 21);
    await subscription.stop();
  });

  it('hands out again what was not committed, and only that', async () => {
    const bus = open();
    await bus.publish('again.t', ['a', 'b', 'c', 'd'].map(outgoing));
    const first: string[] = [];
    const one = await bus.subscribe({
      topics: ['again.t'],
      group: 'again',
      start: 'committed',
      onMessages: (messages) => {
        first.push(...messages.map((message) => text(message.value)));
        return Promise.resolve();
      },
    });
    await until(() => first.length === 4);
    await one.commit([{ topic: 'again.t', partition: 0, offset: '2' }]);
    await one.stop();
    const second: string[] = [];
    const two = await bus.subscribe({
      topics: ['again.t'],
      group: 'again',
      start: 'committed',
      onMessages: (messages) => {
        second.push(...messages.map((message) => text(message.value)));
        return Promise.resolve();
      },
    });
    await until(() => second.length >= 2);
    expect(second).toEqual(['c', 'd']);
    await two.stop();
  });

  it('starts at a time', async () => {
    const bus = open();
    await bus.publish('since.t', [outgoing('old')]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const sinceMs = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await bus.publish('since.t', [outgoing('new')]);
    const got: string[] = [];
    const subscription = await bus.subscribe({
      topics: ['since.t'],
      group: 'since',
      start: { sinceMs },
      onMessages: (messages) => {
        got.push(...messages.map((message) => text(message.value)));
        return Promise.resolve();
      },
    });
    await until(() => got.length >= 1);
    expect(got).toEqual(['new']);
    await subscription.stop();
  });

  it('says that it sees a part only while another consumer is in its group, and when it has all again', async () => {
    const said: string[] = [];
    const spy = vi.spyOn(console, 'error').mockImplementation((line: string) => {
      said.push(line);
    });
    try {
      const [one, two] = [open(), open()];
      for (const topic of ['shared.a', 'shared.b']) await one.publish(topic, [outgoing('x')]);
      const join = (bus: KafkaBus) =>
        bus.subscribe({
          topics: ['shared.a', 'shared.b'],
          group: 'shared',
          start: 'earliest',
          onMessages: () => Promise.resolve(),
        });
      const first = await join(one);
      expect(said).toEqual([]);
      const second = await join(two);
      await until(() => said.filter((line) => line.includes('another consumer is in the group shared')).length >= 2);
      await second.stop();
      await until(() => said.some((line) => /has all \d+ partitions again/.test(line)));
      await first.stop();
    } finally {
      spy.mockRestore();
    }
  });

  it('begins everywhere at once on a broker that has just started and has no topics', async () => {
    const fresh = await startKafka();
    const parts = Array.from({ length: 3 }, () => new KafkaBus({ brokers: fresh.brokers }));
    const topics = Array.from({ length: 24 }, (_, i) => `fresh.t${`${i}`.padStart(2, '0')}`);
    try {
      const got = await Promise.all(
        parts.map(async (bus, i) => {
          const messages: string[] = [];
          await bus.connect();
          await bus.subscribe({
            topics,
            group: `fresh-${i}`,
            start: i % 2 === 0 ? 'earliest' : { sinceMs: Date.now() - 60_000 },
            onMessages: (some) => {
              messages.push(...some.map(({ value }) => text(value)));
              return Promise.resolve();
            },
          });
          return messages;
        }),
      );
      await Promise.all(topics.map((topic) => parts[0]!.publish(topic, [outgoing(topic)])));
      await until(() => got.every((messages) => messages.length === topics.length));
      for (const messages of got) expect(messages.toSorted()).toEqual(topics);
    } finally {
      await Promise.all(parts.map((bus) => bus.close()));
      await fresh.stop();
    }
  }, 60_000);

  it('ends the subscription with the error of a broken handler', async () => {
    const bus = open();
    await bus.publish('broken.t', [outgoing('x')]);
    const errors: string[] = [];
    await bus.subscribe({
      topics: ['broken.t'],
      group: 'broken',
      start: 'earliest',
      onMessages: () => Promise.reject(new Error('disk full')),
      onError: (error) => errors.push(error.message),
    });
    await until(() => errors.length > 0);
    expect(errors).toEqual(['disk full']);
  });

  it('says which brokers it cannot reach and what to check', async () => {
    const bus = new KafkaBus({ brokers: ['127.0.0.1:1'] });
    await expect(bus.connect()).rejects.toThrow(/cannot reach Kafka at 127\.0\.0\.1:1.*--brokers/s);
  });
});
