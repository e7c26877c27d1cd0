/** Delivery: receivers, the worker, the topic publisher. */
import type { MessageType } from '../model/outbox.ts';

export const BODIES = ['native', 'alertmanager', 'cloudevents'] as const;
export type BodyKind = (typeof BODIES)[number];

/** One webhook receiver. The same shape as an item of `webhooks` in rootwalk.json. */
export interface Receiver {
  readonly name: string;
  readonly url: string;
  /** `whsec_…`, newest first; all of them sign. */
  readonly secrets?: readonly string[];
  readonly body?: BodyKind;
  readonly events?: readonly MessageType[];
  readonly environments?: readonly string[];
  /** Fault classes of the first cause. */
  readonly classes?: readonly string[];
  /** Of the first cause. */
  readonly minConfidence?: number;
  readonly allowPrivateAddresses?: boolean;
}

export interface Clock {
  now(): number;
  /** Resolves after `ms`, or at once when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export interface DeliveryCounters {
  readonly routed: number;
  readonly delivered: number;
  readonly failedAttempts: number;
  readonly givenUp: number;
  readonly filteredOut: number;
}

export interface DeliveryWorker {
  /** Routes new messages, makes every due attempt once, and returns how many attempts were made. */
  runOnce(): Promise<number>;
  /** Runs until stopped. */
  start(): void;
  /** Wakes a sleeping worker: call it after `applyEffect` queued a message. */
  wake(): void;
  /** Lets attempts in flight end (at most the timeout) and closes sockets. */
  stop(): Promise<void>;
  counters(): DeliveryCounters;
}
