import { expect, it } from 'vitest';
import { busPublisher } from '../../collector/publisher.ts';
import type { BusMessage } from '../../src/bus/index.ts';
import { EmbeddedBus } from '../../src/bus/index.ts';
import { decodeMessage } from '../../src/codec/index.ts';
import type { Batch } from '../../src/model/records.ts';

it.each(['protobuf', 'json'] as const)('a batch arrives on its topic as it was, as %s', async (encoding) => {
  const bus = new EmbeddedBus();
  const batch: Batch<'change'> = {
    schemaVersion: 1,
    type: 'change',
    environment: 'test',
    collector: 'host',
    windowStartMs: 1_700_000_000_000,
    windowMs: 5000,
    sequence: 0,
    records: [{ atMs: 1_700_000_000_123, change: 'process_exit', entityKind: 'instance', entity: 'cart-1', signal: 9 }],
  };
  await busPublisher(bus, 'rw', encoding)(batch);
  const received: BusMessage[] = [];
  const subscription = await bus.subscribe({
    topics: ['rw.changes'],
    group: 'g',
    start: 'earliest',
    onMessages: async (messages) => {
      received.push(...messages);
    },
  });
  for (let i = 0; i < 100 && received.length === 0; i++) await new Promise((resolve) => setTimeout(resolve, 5));
  await subscription.stop();
  await bus.close();
  const message = received[0];
  expect(received).toHaveLength(1);
  expect(message === undefined ? undefined : decodeMessage(message.value, message.headers)).toEqual({
    ok: true,
    batches: [batch],
  });
});
