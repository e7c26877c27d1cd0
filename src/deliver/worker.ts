/**
 * The worker between outbox and receivers. A message is routed once, to the receivers that want it; each delivery is tried
 * until it succeeds, its schedule ends, or its receiver says 410. Receivers do not wait for one another; one receiver gets
 * one request at a time. An attempt is written down after it was made: a crash in between repeats it with the same id.
 */
import type { Bus } from '../bus/index.ts';
import { RcaError } from '../model/errors.ts';
import type { AttemptOutcome, Delivery, DeliveryAttempt, Outbox } from '../model/outbox.ts';
import type { Report } from '../model/report.ts';
import { nextAttemptMs } from './backoff.ts';
import { systemClock } from './clock.ts';
import type { SendResult, Target } from './target.ts';
import { createTopicTarget } from './topic-target.ts';
import type { Clock, DeliveryCounters, DeliveryWorker, Receiver } from './types.ts';
import { createWebhookTarget } from './webhook-target.ts';

const BATCH = 100;
/** Longest sleep: another process may have queued something (`rootwalk deliveries`). */
const MAX_SLEEP_MS = 30_000;
const MIN_SLEEP_MS = 10;

export interface WorkerOptions {
  readonly outbox: Outbox;
  readonly receivers: readonly Receiver[];
  /** Publish CloudEvents here as well. */
  readonly bus?: Bus;
  readonly topicPrefix?: string;
  readonly clock?: Clock;
  /** Uniform in [0, 1), for jitter. */
  readonly random?: () => number;
  readonly timeoutMs?: number;
  /** Called after each attempt is in the log. */
  readonly onAttempt?: (attempt: DeliveryAttempt, outcome: AttemptOutcome) => void;
  /** Called when the outbox itself fails; the worker tries again later. */
  readonly onError?: (error: unknown) => void;
}

/** @throws {RcaError} RCA_BAD_CONFIG for two receivers of one name, a bad URL or a bad secret */
export function createDeliveryWorker(options: WorkerOptions): DeliveryWorker {
  const { outbox, clock = systemClock, random = Math.random, onAttempt = () => {}, onError = () => {} } = options;
  const targets = targetsOf(options);
  const held = new Map<string, number>();
  const counters = { routed: 0, delivered: 0, failedAttempts: 0, givenUp: 0, filteredOut: 0 };
  const stopping = new AbortController();
  let sleeping = new AbortController();
  let woken = false;
  let loop: Promise<void> | undefined;

  function reportOf(delivery: { readonly reportId: string }): Report | undefined {
    const json = outbox.reportJson(delivery.reportId);
    return json === undefined ? undefined : (JSON.parse(json) as Report);
  }

  function routeAll(): void {
    for (let batch = outbox.unroutedMessages(BATCH); batch.length > 0; batch = outbox.unroutedMessages(BATCH)) {
      for (const message of batch) {
        const report = reportOf(message);
        const wanted = report === undefined ? [] : targetList().filter((target) => target.accepts(message, report));
        outbox.route(
          message.id,
          wanted.map((target) => target.name),
          clock.now(),
        );
        counters.routed++;
        counters.filteredOut += targets.size - wanted.length;
      }
    }
  }

  function targetList(): Target[] {
    return [...targets.values()];
  }

  async function attempt(delivery: Delivery): Promise<SendResult> {
    const startedMs = clock.now();
    const target = targets.get(delivery.receiver);
    const message = outbox.message(delivery.messageId);
    const report = message === undefined ? undefined : reportOf(message);
    const result =
      target === undefined
        ? lost(`receiver "${delivery.receiver}" is not configured any more`)
        : message === undefined || report === undefined
          ? lost('the report is no longer stored')
          : await target.send(message, report, startedMs);
    const made: DeliveryAttempt = {
      deliveryId: delivery.id,
      messageId: delivery.messageId,
      receiver: delivery.receiver,
      attempt: delivery.attempts + 1,
      atMs: startedMs,
      status: result.status,
      durationMs: Math.max(0, clock.now() - startedMs),
      error: result.error,
    };
    const outcome = outcomeOf(delivery, result, target === undefined || report === undefined);
    outbox.recordAttempt(made, outcome);
    if (outcome.state === 'delivered') counters.delivered++;
    else counters.failedAttempts++;
    if (outcome.state === 'failed' || outcome.state === 'cancelled') counters.givenUp++;
    onAttempt(made, outcome);
    return result;
  }

  function outcomeOf(delivery: Delivery, result: SendResult, hopeless: boolean): AttemptOutcome {
    const now = clock.now();
    if (result.ok) return { state: 'delivered', nextAttemptMs: now };
    if (result.gone) {
      const why = 'the receiver answered 410 Gone; enable it again when it is back';
      return { state: 'cancelled', nextAttemptMs: now, disableReceiver: why };
    }
    if (hopeless) return { state: 'cancelled', nextAttemptMs: now };
    const next = nextAttemptMs(delivery.attempts + 1, now, random, result.retryAfterMs);
    if (next === null) return { state: 'failed', nextAttemptMs: now };
    if (result.throttled) held.set(delivery.receiver, next);
    return { state: 'pending', nextAttemptMs: next };
  }

  async function serve(receiver: string, deliveries: readonly Delivery[]): Promise<number> {
    let made = 0;
    for (const delivery of deliveries) {
      if (stopping.signal.aborted || (held.get(receiver) ?? 0) > clock.now()) break;
      const result = await attempt(delivery);
      made++;
      if (result.gone) break;
    }
    return made;
  }

  async function runOnce(): Promise<number> {
    routeAll();
    const byReceiver = new Map<string, Delivery[]>();
    const now = clock.now();
    const waiting = [...held].filter(([, at]) => at > now).map(([receiver]) => receiver);
    for (const delivery of outbox.dueDeliveries(now, BATCH, waiting)) {
      byReceiver.set(delivery.receiver, [...(byReceiver.get(delivery.receiver) ?? []), delivery]);
    }
    const made = await Promise.all([...byReceiver].map(([receiver, deliveries]) => serve(receiver, deliveries)));
    return made.reduce((sum, count) => sum + count, 0);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      let made = 0;
      let waitMs = MAX_SLEEP_MS;
      try {
        made = await runOnce();
        waitMs = sleepMs();
      } catch (error) {
        onError(error);
      }
      if (made > 0 || woken) {
        woken = false;
        continue;
      }
      sleeping = new AbortController();
      await clock.sleep(waitMs, AbortSignal.any([stopping.signal, sleeping.signal]));
      woken = false;
    }
  }

  function sleepMs(): number {
    const now = clock.now();
    const due = outbox.nextDueMs() ?? now + MAX_SLEEP_MS;
    const released = Math.min(...[...held.values()].filter((at) => at > now), Number.POSITIVE_INFINITY);
    const next = due > now ? due : Math.min(released, now + MAX_SLEEP_MS);
    return Math.min(MAX_SLEEP_MS, Math.max(MIN_SLEEP_MS, next - now));
  }

  return {
    runOnce,
    start() {
      loop ??= run();
    },
    wake() {
      woken = true;
      sleeping.abort();
    },
    async stop() {
      stopping.abort();
      await loop;
      await Promise.all(targetList().map((target) => target.close()));
    },
    counters: (): DeliveryCounters => ({ ...counters }),
  };
}

function targetsOf(options: WorkerOptions): Map<string, Target> {
  const targets = new Map<string, Target>();
  const all = options.receivers.map((receiver) => createWebhookTarget(receiver, options.timeoutMs));
  if (options.bus !== undefined) all.push(createTopicTarget(options.bus, options.topicPrefix ?? 'rootwalk'));
  for (const target of all) {
    if (targets.has(target.name)) {
      throw new RcaError('RCA_BAD_CONFIG', `two webhook receivers are called "${target.name}": give each its own name`);
    }
    targets.set(target.name, target);
  }
  return targets;
}

function lost(error: string): SendResult {
  return { ok: false, status: null, error, retryAfterMs: null, gone: false, throttled: false };
}
