/** The bus: topics with partitions and offsets. Two kinds, `embedded` (this process) and `kafka`, behind one interface. */

export interface OutgoingMessage {
  /** Messages of one key stay in order; null spreads them. */
  readonly key: string | null;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

export interface BusMessage {
  readonly topic: string;
  readonly partition: number;
  /** Decimal text: Kafka offsets exceed 2^53. */
  readonly offset: string;
  /** When the bus took it, epoch ms. */
  readonly timestampMs: number;
  readonly key: string | null;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** Next offset to read of one partition. */
export interface BusPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
}

/** Where a subscription begins: after the group's last commit, at the oldest message, or at a time. */
export type StartPoint = 'committed' | 'earliest' | 'latest' | { readonly sinceMs: number };

export interface SubscribeOptions {
  readonly topics: readonly string[];
  readonly group: string;
  readonly start: StartPoint;
  /**
   * Called with messages of one partition, in order; the next ones come when the promise settles (back-pressure).
   * Nothing is committed for you: call `commit` when the effect is durable. A rejection ends the subscription.
   */
  onMessages(messages: readonly BusMessage[]): Promise<void>;
  /** The subscription ended by itself: broken handler, lost broker, no progress. */
  onError?(error: Error): void;
}

export interface Subscription {
  commit(positions: readonly BusPosition[]): Promise<void>;
  /** Messages not yet handed out, summed over partitions; undefined: unknown. */
  lag(): Promise<number | undefined>;
  /** Waits for the handler that runs, then ends. */
  stop(): Promise<void>;
}

export interface Bus {
  readonly kind: 'embedded' | 'kafka';
  /** Resolves when the messages are stored (kafka: acknowledged by all in-sync replicas). */
  publish(topic: string, messages: readonly OutgoingMessage[]): Promise<void>;
  subscribe(options: SubscribeOptions): Promise<Subscription>;
  close(): Promise<void>;
}
