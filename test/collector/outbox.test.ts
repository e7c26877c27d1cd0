import { expect, it } from 'vitest';
import { Outbox } from '../../collector/outbox.ts';
import type { AnyBatch } from '../../src/model/records.ts';

const batch = (records: number): AnyBatch => ({
  ...{ schemaVersion: 1, environment: 'test', collector: 'host', windowStartMs: 0, windowMs: 5000, sequence: 0 },
  type: 'log',
  records: Array.from({ length: records }, () => ({ instance: 'a', template: 't', level: 'info', count: 1 })),
});

it('keeps a bounded number of batches while the bus does not answer, and counts the others', async () => {
  const answers: (() => void)[] = [];
  const outbox = new Outbox(() => new Promise((done) => answers.push(done)), 3);
  for (let i = 0; i < 5; i++) outbox.put(batch(7));
  expect([outbox.size, outbox.lost, answers.length]).toEqual([3, 14, 3]);
  for (const answer of answers) answer();
  await outbox.drain();
  outbox.put(batch(7));
  expect([outbox.size, outbox.lost]).toEqual([1, 14]);
});

it('counts what the bus refuses', async () => {
  const outbox = new Outbox(() => Promise.reject(new Error('no')));
  outbox.put(batch(4));
  await outbox.drain();
  expect([outbox.size, outbox.lost]).toEqual([0, 4]);
});
