import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EmbeddedBus } from '../../src/bus/index.ts';
import type { Clock, DeliveryWorker, Receiver } from '../../src/deliver/index.ts';
import { createDeliveryWorker, SCHEDULE_MS } from '../../src/deliver/index.ts';
import type { Report } from '../../src/model/report.ts';
import type { Store } from '../../src/store/index.ts';
import { messageIdOf, openStore } from '../../src/store/index.ts';
import { sampleReport } from '../report/fixtures.ts';
import type { TestReceiver } from './receiver.ts';
import { startReceiver } from './receiver.ts';

const SECRET = `whsec_${Buffer.from('a secret of 32 bytes for the test').subarray(0, 32).toString('base64')}`;
const OLD_SECRET = `whsec_${Buffer.from('an older secret of 32 bytes, too!').subarray(0, 32).toString('base64')}`;

class TestClock implements Clock {
  time: number;
  constructor(time: number) {
    this.time = time;
  }
  now(): number {
    return this.time;
  }
  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (!signal.aborted) this.time += ms;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

let dir: string;
let store: Store;
let receiver: TestReceiver;
let report: Report;
let clock: TestClock;
const workers: DeliveryWorker[] = [];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'deliver-'));
  store = openStore(join(dir, 'db'));
  receiver = await startReceiver();
  report = await sampleReport();
  // The Standard Webhooks library checks against the real clock.
  clock = new TestClock(Date.now());
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
  await receiver.close();
  store.close();
  rmSync(dir, { recursive: true });
});

function worker(more: Partial<Receiver> | readonly Receiver[] = {}, options: object = {}): DeliveryWorker {
  const one = { name: 'r', url: receiver.url, secrets: [SECRET], allowPrivateAddresses: true };
  const receivers = Array.isArray(more) ? (more as readonly Receiver[]) : [{ ...one, ...more }];
  const made = createDeliveryWorker({ outbox: store, receivers, clock, random: () => 0, timeoutMs: 2_000, ...options });
  workers.push(made);
  return made;
}

function headersOf(i: number): Record<string, string> {
  return receiver.received[i]!.headers as Record<string, string>;
}

describe('a webhook', () => {
  it('verifies with the public library; a changed body does not', async () => {
    store.applyEffect({ report });
    expect(await worker().runOnce()).toBe(1);
    const { body } = receiver.received[0]!;
    const verified = new Webhook(SECRET).verify(body, headersOf(0)) as {
      type: string;
      timestamp: string;
      data: Report;
    };
    expect(verified.type).toBe('incident.opened');
    expect(verified.timestamp).toBe(new Date(report.reportedMs).toISOString());
    expect(verified.data.id).toBe(report.id);
    expect(verified.data.causes[0]?.facts).toBeUndefined();
    expect(headersOf(0)['webhook-id']).toBe(messageIdOf(report.id));
    expect(() => new Webhook(SECRET).verify(body.replace('packet_loss', 'packet_gain'), headersOf(0))).toThrow();
    expect(await worker().runOnce()).toBe(0);
  });

  it('is signed by every secret during a rotation', async () => {
    store.applyEffect({ report });
    await worker({ secrets: [SECRET, OLD_SECRET] }).runOnce();
    expect(headersOf(0)['webhook-signature']?.split(' ')).toHaveLength(2);
    for (const secret of [SECRET, OLD_SECRET]) {
      expect(() => new Webhook(secret).verify(receiver.received[0]!.body, headersOf(0))).not.toThrow();
    }
  });

  it('is retried on the published schedule with one id, and given up after the last attempt', async () => {
    receiver.answers = () => ({ status: 500, body: 'out of order' });
    store.applyEffect({ report });
    const one = worker();
    const start = clock.time;
    const at: number[] = [];
    for (;;) {
      const due = store.nextDueMs();
      if (due === undefined && at.length > 0) break;
      clock.time = Math.max(clock.time, due ?? clock.time);
      if ((await one.runOnce()) > 0) at.push(clock.time - start);
    }
    const expected = SCHEDULE_MS.map((_, i) => SCHEDULE_MS.slice(0, i + 1).reduce((sum, ms) => sum + ms, 0));
    expect(at).toEqual(expected);
    expect(new Set(receiver.received.map((r) => r.headers['webhook-id'])).size).toBe(1);
    expect(new Set(receiver.received.map((r) => r.body)).size).toBe(1);
    const [delivery] = store.deliveries({ limit: 1 });
    expect(delivery).toMatchObject({
      state: 'failed',
      attempts: 10,
      lastStatus: 500,
      lastError: 'answered 500: out of order',
    });
    expect(one.counters()).toMatchObject({ delivered: 0, failedAttempts: 10, givenUp: 1 });
  });

  it('adds jitter from the given source, never shortening the wait', async () => {
    receiver.answers = () => ({ status: 500 });
    store.applyEffect({ report });
    await worker({}, { random: () => 0.5 }).runOnce();
    expect(store.nextDueMs()! - clock.time).toBe(5_500);
  });

  it('obeys Retry-After in seconds and as a date, and holds the receiver meanwhile', async () => {
    receiver.answers = () => ({ status: 429, headers: { 'retry-after': '120' } });
    store.applyEffect({ report });
    store.applyEffect({ report: await sampleReport({ previous: report }) });
    const one = worker();
    expect(await one.runOnce()).toBe(1);
    expect(store.nextDueMs()).toBe(clock.time);
    expect(await one.runOnce()).toBe(0);
    clock.time += 119_000;
    expect(await one.runOnce()).toBe(0);
    const date = new Date(clock.time + 600_000).toUTCString();
    receiver.answers = () => ({ status: 503, headers: { 'retry-after': date } });
    clock.time += 1_000;
    expect(await one.runOnce()).toBe(1);
    clock.time = Date.parse(date) - 1_000;
    expect(await one.runOnce()).toBe(0);
    clock.time += 2_000;
    receiver.answers = () => ({ status: 200 });
    expect(await one.runOnce()).toBe(2);
  });

  it('stops for good at 410, until a person enables the receiver and asks again', async () => {
    receiver.answers = () => ({ status: 410 });
    store.applyEffect({ report });
    const one = worker();
    await one.runOnce();
    expect([...store.disabledReceivers().keys()]).toEqual(['r']);
    store.applyEffect({ report: await sampleReport({ previous: report }) });
    clock.time += 10 * 86_400_000;
    expect(await one.runOnce()).toBe(0);
    receiver.answers = () => ({ status: 200 });
    store.enableReceiver('r');
    const first = store.deliveries({ limit: 9 }).find((d) => d.messageId === messageIdOf(report.id))!;
    expect(first.state).toBe('cancelled');
    expect(store.redeliver(first.id, clock.time)).toBe(true);
    expect(await one.runOnce()).toBe(2);
    expect(store.attempts(first.id).map((a) => [a.status, a.manual])).toEqual([
      [410, false],
      [200, true],
    ]);
    expect(store.redeliver(99, clock.time)).toBe(false);
  });

  it('follows no redirect', async () => {
    const elsewhere = await startReceiver();
    receiver.answers = () => ({ status: 307, headers: { location: elsewhere.url } });
    store.applyEffect({ report });
    await worker().runOnce();
    expect(elsewhere.received).toHaveLength(0);
    expect(store.deliveries({ limit: 1 })[0]).toMatchObject({
      state: 'pending',
      lastStatus: 307,
      lastError: expect.stringContaining('redirects are not followed'),
    });
    await elsewhere.close();
  });

  it('gives a silent receiver up at the timeout, and others do not wait for it', async () => {
    const quick = await startReceiver();
    receiver.answers = () => ({ status: 200, hang: true });
    store.applyEffect({ report });
    const both = worker(
      [
        { name: 'slow', url: receiver.url, allowPrivateAddresses: true },
        { name: 'quick', url: quick.url, allowPrivateAddresses: true },
      ],
      { timeoutMs: 300 },
    );
    expect(await both.runOnce()).toBe(2);
    expect(quick.received).toHaveLength(1);
    expect(store.deliveries({ receiver: 'slow', limit: 1 })[0]).toMatchObject({
      state: 'pending',
      lastStatus: null,
      lastError: 'no answer within 300 ms',
    });
    await quick.close();
  });

  it('goes only to receivers whose filters fit', async () => {
    store.applyEffect({ report });
    const wants = (name: string, filter: Partial<Receiver>): Receiver => ({
      name,
      url: receiver.url,
      allowPrivateAddresses: true,
      ...filter,
    });
    const many = worker([
      wants('all', {}),
      wants('class', { classes: ['packet_loss'] }),
      wants('other-class', { classes: ['oom_kill'] }),
      wants('sure', { minConfidence: 0.9 }),
      wants('surer', { minConfidence: 0.999 }),
      wants('resolved', { events: ['incident.resolved'] }),
      wants('elsewhere', { environments: ['prod'] }),
    ]);
    expect(await many.runOnce()).toBe(3);
    expect(
      store
        .deliveries({ limit: 9 })
        .map((d) => d.receiver)
        .sort(),
    ).toEqual(['all', 'class', 'sure']);
    expect(many.counters()).toMatchObject({ routed: 1, delivered: 3, filteredOut: 4 });
  });

  it('to a receiver that was taken out of the configuration is cancelled', async () => {
    store.applyEffect({ report });
    store.route(messageIdOf(report.id), ['gone'], clock.time);
    expect(await worker().runOnce()).toBe(1);
    expect(store.deliveries({ limit: 1 })[0]).toMatchObject({
      state: 'cancelled',
      lastError: 'receiver "gone" is not configured any more',
    });
  });
});

describe('addresses', () => {
  it.each([
    'http://127.0.0.1:9/',
    'http://[::1]:9/',
    'http://169.254.169.254/',
    'http://0x7f.1/',
    'http://[::ffff:10.0.0.1]/',
  ])('refuses %s unless private addresses are allowed', async (url) => {
    store.applyEffect({ report });
    await worker({ url, allowPrivateAddresses: false }).runOnce();
    expect(store.deliveries({ limit: 1 })[0]?.lastError).toMatch(/is the private address .*allowPrivateAddresses/);
  });

  it('refuses a name that resolves inside', async () => {
    store.applyEffect({ report });
    const url = receiver.url.replace('127.0.0.1', 'localhost');
    await worker({ url, allowPrivateAddresses: false }).runOnce();
    expect(receiver.received).toHaveLength(0);
    expect(store.deliveries({ limit: 1 })[0]?.lastError).toMatch(/localhost is the private address/);
    await worker({ url }).runOnce();
  });
});

describe('restart', () => {
  it('in the middle of the retries delivers with the same id and body', async () => {
    receiver.answers = (n) => ({ status: n < 3 ? 502 : 200 });
    store.applyEffect({ report });
    const first = worker();
    await first.runOnce();
    await first.stop();
    store.close();
    store = openStore(join(dir, 'db'));
    clock.time += 6_000;
    const second = worker();
    expect(await second.runOnce()).toBe(1);
    await second.stop();
    store.close();
    store = openStore(join(dir, 'db'));
    clock.time += 400_000;
    expect(await worker().runOnce()).toBe(1);
    expect(receiver.received.map((r) => r.headers['webhook-id'])).toEqual(Array(3).fill(messageIdOf(report.id)));
    expect(new Set(receiver.received.map((r) => r.body)).size).toBe(1);
    expect(store.deliveries({ limit: 1 })[0]).toMatchObject({ state: 'delivered', attempts: 3 });
  });

  it('after kill -9 of the process in the middle of an attempt delivers with the same id', async () => {
    receiver.answers = (n) => ({ status: 200, hang: n === 1 });
    store.applyEffect({ report });
    store.close();
    const source = (path: string): string =>
      JSON.stringify(fileURLToPath(new URL(`../../src/${path}`, import.meta.url)));
    writeFileSync(
      join(dir, 'worker.ts'),
      `import { openStore } from ${source('store/index.ts')};
       import { createDeliveryWorker } from ${source('deliver/index.ts')};
       const receivers = [{ name: 'r', url: ${JSON.stringify(receiver.url)}, allowPrivateAddresses: true }];
       createDeliveryWorker({ outbox: openStore(${JSON.stringify(join(dir, 'db'))}), receivers }).start();`,
    );
    const child = spawn(process.execPath, [join(dir, 'worker.ts')], { stdio: 'inherit' });
    await expect.poll(() => receiver.received.length, { timeout: 10_000 }).toBe(1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    store = openStore(join(dir, 'db'));
    expect(store.deliveries({ limit: 1 })[0]).toMatchObject({ state: 'pending', attempts: 0 });
    clock.time = Math.max(clock.time, Date.now());
    expect(await worker().runOnce()).toBe(1);
    expect(receiver.received.map((r) => r.headers['webhook-id'])).toEqual(Array(2).fill(messageIdOf(report.id)));
    expect(store.deliveries({ limit: 1 })[0]).toMatchObject({ state: 'delivered', attempts: 1 });
  });

  it('after an attempt that was not written down repeats it with the same id', async () => {
    store.applyEffect({ report });
    const crashing = {
      ...store,
      recordAttempt: () => {
        throw new Error('killed here');
      },
    };
    for (const key of ['unroutedMessages', 'route', 'dueDeliveries', 'nextDueMs', 'message', 'reportJson'] as const) {
      Object.assign(crashing, { [key]: store[key] });
    }
    await expect(worker({}, { outbox: crashing }).runOnce()).rejects.toThrow('killed here');
    expect(await worker().runOnce()).toBe(1);
    expect(receiver.received.map((r) => r.headers['webhook-id'])).toEqual(Array(2).fill(messageIdOf(report.id)));
  });

  it('the running worker sleeps to the next attempt and wakes for a new message', async () => {
    receiver.answers = (n) => ({ status: n === 1 ? 500 : 200 });
    store.applyEffect({ report });
    const one = worker();
    one.start();
    await expect.poll(() => receiver.received.length, { timeout: 5_000 }).toBe(2);
    store.applyEffect({ report: await sampleReport({ previous: report }) });
    one.wake();
    await expect.poll(() => receiver.received.length, { timeout: 5_000 }).toBe(3);
    await one.stop();
    expect(store.deliveries({ state: 'delivered', limit: 9 })).toHaveLength(2);
  });
});

describe('the bus', () => {
  it('gets CloudEvents of reports and incidents, from the same outbox', async () => {
    const bus = new EmbeddedBus();
    const seen: { topic: string; key: string | null; event: Record<string, unknown>; type: string | undefined }[] = [];
    const subscription = await bus.subscribe({
      topics: ['t.reports', 't.incidents'],
      group: 'g',
      start: 'earliest',
      onMessages: async (messages) => {
        for (const m of messages) {
          seen.push({
            topic: m.topic,
            key: m.key,
            type: m.headers['content-type'],
            event: JSON.parse(new TextDecoder().decode(m.value)) as Record<string, unknown>,
          });
        }
      },
    });
    store.applyEffect({ report });
    await worker([], { bus, topicPrefix: 't' }).runOnce();
    await expect.poll(() => seen.length).toBe(2);
    seen.sort((a, b) => (a.topic < b.topic ? -1 : 1));
    expect(seen.map((s) => [s.topic, s.key, s.type])).toEqual([
      ['t.incidents', 'test/inc_7f3a', 'application/cloudevents+json; charset=utf-8'],
      ['t.reports', 'test/inc_7f3a', 'application/cloudevents+json; charset=utf-8'],
    ]);
    expect(seen[1]?.event).toMatchObject({
      specversion: '1.0',
      id: messageIdOf(report.id),
      type: 'dev.rootwalk.incident.opened',
      subject: 'inc_7f3a',
      source: '/rootwalk/test',
    });
    expect(seen[1]?.event.data).toMatchObject({ id: report.id });
    expect(seen[0]?.event.data).toMatchObject({ incidentId: 'inc_7f3a', cause: { faultClass: 'packet_loss' } });
    await subscription.stop();
    await bus.close();
  });
});

describe('configuration', () => {
  it.each([
    [{ url: 'ftp://x/' }, /expected http or https/],
    [{ url: 'nonsense' }, /not a URL/],
    [{ url: 'https://user:pass@x/' }, /credentials/],
    [{ secrets: ['plain'] }, /whsec_/],
    [{ secrets: ['whsec_AAAA'] }, /24 to 64 bytes/],
  ])('refuses %j', (more, message) => {
    expect(() => worker(more)).toThrow(message);
  });

  it('refuses two receivers of one name', () => {
    const twin = { name: 'r', url: 'https://example.org/' };
    expect(() => worker([twin, twin])).toThrow(/two webhook receivers are called "r"/);
  });
});
