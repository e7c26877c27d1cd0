/** Delivery: signed webhooks and topics, from the outbox. The public face of the stage. */
export { nextAttemptMs, SCHEDULE_MS } from './backoff.ts';
export type { Body } from './bodies.ts';
export { MAX_BODY_BYTES, renderBody } from './bodies.ts';
export { systemClock } from './clock.ts';
export { TOPIC_TARGET } from './topic-target.ts';
export type { Clock, DeliveryCounters, DeliveryWorker, Receiver } from './types.ts';
export type { WorkerOptions } from './worker.ts';
export { createDeliveryWorker } from './worker.ts';
