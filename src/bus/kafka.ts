/**
 * The bus on Apache Kafka. The only importer of kafkajs, which is unmaintained: what it does badly is guarded here
 * (a consumer that silently stops is restarted by a progress watchdog; its negative timeouts are kept quiet).
 */
import { readFileSync } from 'node:fs';
import type { Admin, Consumer, Kafka as KafkaClient, KafkaConfig, Producer } from 'kafkajs';
import kafkajs from 'kafkajs';
import { RcaError } from '../model/errors.ts';
import type { Bus, BusPosition, OutgoingMessage, SubscribeOptions, Subscription } from './bus.ts';
import { lz4Codec, snappyCodec, zstdCodec } from './kafka-codecs.ts';
import { toBusMessage } from './kafka-message.ts';
import { whileRetriable } from './kafka-retry.ts';
import { PartitionMerge } from './merge.ts';
import { isCompacted } from './topics.ts';

export interface KafkaOptions {
  readonly brokers: readonly string[];
  readonly clientId?: string;
  readonly tls?: boolean;
  readonly caFile?: string | null;
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  } | null;
  /** A consumer that is behind and has moved nothing for so long is restarted. */
  readonly watchdogMs?: number;
}

const { Kafka, CompressionCodecs, CompressionTypes, logLevel } = kafkajs;
Object.assign(CompressionCodecs, {
  [CompressionTypes.ZSTD]: zstdCodec,
  [CompressionTypes.LZ4]: lz4Codec,
  [CompressionTypes.Snappy]: snappyCodec,
});

const DEFAULT_WATCHDOG_MS = 60_000;
const HEARTBEAT_MS = 3_000;
/** One request to the broker; larger batches are split. */
const MAX_REQUEST_BYTES = 768 * 1024;

export class KafkaBus implements Bus {
  readonly kind = 'kafka';
  readonly #client: KafkaClient;
  readonly #options: KafkaOptions;
  readonly #known = new Set<string>();
  readonly #subscriptions = new Set<KafkaSubscription>();
  #admin: Promise<Admin> | undefined;
  #producer: Promise<Producer> | undefined;

  constructor(options: KafkaOptions) {
    this.#options = options;
    quietNegativeTimeouts();
    this.#client = new Kafka(clientConfig(options));
  }

  /** @throws {RcaError} RCA_BUS naming the brokers when none answers */
  async connect(): Promise<void> {
    await this.#connected(() => this.#getAdmin());
  }

  async publish(topic: string, messages: readonly OutgoingMessage[]): Promise<void> {
    if (messages.length === 0) return;
    await this.#ensureTopics([topic]);
    const producer = await this.#connected(() => {
      this.#producer ??= connect(this.#client.producer({ allowAutoTopicCreation: false, maxInFlightRequests: 1 }));
      return this.#producer;
    });
    for (const part of split(messages)) {
      await producer.send({
        topic,
        acks: -1,
        compression: CompressionTypes.ZSTD,
        messages: part.map(({ key, value, headers }) => ({
          key,
          value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
          headers: { ...headers },
        })),
      });
    }
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    await this.#ensureTopics(options.topics);
    const admin = await this.#getAdmin();
    const subscription = new KafkaSubscription(
      this.#client,
      admin,
      options,
      this.#options.watchdogMs ?? DEFAULT_WATCHDOG_MS,
    );
    this.#subscriptions.add(subscription);
    await subscription.start();
    return subscription;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.stop()));
    await (await this.#producer)?.disconnect();
    await (await this.#admin)?.disconnect();
  }

  #getAdmin(): Promise<Admin> {
    this.#admin ??= connect(this.#client.admin());
    return this.#admin;
  }

  async #connected<T>(open: () => Promise<T>): Promise<T> {
    try {
      return await open();
    } catch (cause) {
      this.#admin = undefined;
      this.#producer = undefined;
      const brokers = this.#options.brokers.join(', ');
      throw new RcaError(
        'RCA_BUS',
        `cannot reach Kafka at ${brokers}: ${(cause as Error).message}. Mend: check --brokers, TLS and SASL settings, and that the broker advertises an address this host can reach`,
        { brokers: this.#options.brokers },
        cause,
      );
    }
  }

  /** Creates what is missing with the broker's own defaults for partitions and replicas. */
  async #ensureTopics(topics: readonly string[]): Promise<void> {
    const wanted = topics.filter((topic) => !this.#known.has(topic));
    if (wanted.length === 0) return;
    const admin = await this.#connected(() => this.#getAdmin());
    const existing = new Set(await admin.listTopics());
    const missing = wanted.filter((topic) => !existing.has(topic));
    if (missing.length > 0) {
      await admin.createTopics({
        waitForLeaders: true,
        topics: missing.map((topic) => ({
          topic,
          numPartitions: -1,
          replicationFactor: -1,
          configEntries: isCompacted(topic) ? [{ name: 'cleanup.policy', value: 'compact,delete' }] : [],
        })),
      });
    }
    for (const topic of wanted) this.#known.add(topic);
  }
}

class KafkaSubscription implements Subscription {
  readonly #client: KafkaClient;
  readonly #admin: Admin;
  readonly #options: SubscribeOptions;
  readonly #watchdogMs: number;
  /** Next offset of every partition seen, `topic/partition` -> offset. */
  readonly #next = new Map<string, string>();
  readonly #merge: PartitionMerge;
  #consumer: Consumer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastProgress = 0;
  #busy = 0;
  #stopped = false;
  #partial = false;

  constructor(client: KafkaClient, admin: Admin, options: SubscribeOptions, watchdogMs: number) {
    this.#client = client;
    this.#admin = admin;
    this.#options = options;
    this.#watchdogMs = watchdogMs;
    this.#merge = new PartitionMerge(
      (messages) => {
        this.#lastProgress = Date.now();
        return options.onMessages(messages);
      },
      (error) => this.#fail(error),
    );
  }

  async start(): Promise<void> {
    const { start, topics, group } = this.#options;
    const committed =
      start === 'committed'
        ? await whileRetriable(() => this.#admin.fetchOffsets({ groupId: group, topics: [...topics] }))
        : [];
    for (const topic of topics) {
      // Topics that somebody else has just made may have no leader yet.
      const { since, ends } = await whileRetriable(async () => ({
        since: typeof start === 'object' ? await this.#admin.fetchTopicOffsetsByTimestamp(topic, start.sinceMs) : [],
        ends: await this.#admin.fetchTopicOffsets(topic),
      }));
      for (const { partition, low, high } of ends) {
        const stored = committed
          .find((entry) => entry.topic === topic)
          ?.partitions.find((entry) => entry.partition === partition)?.offset;
        const offset =
          start === 'latest'
            ? high
            : typeof start === 'object'
              ? (since.find((entry) => entry.partition === partition)?.offset ?? low)
              : stored !== undefined && stored !== '-1'
                ? stored
                : low;
        const key = `${topic}/${partition}`;
        this.#next.set(key, offset);
        this.#merge.expect(key, BigInt(offset), BigInt(high));
      }
    }
    await whileRetriable(() => this.#run());
    this.#timer = setInterval(() => void this.#watch(), Math.max(1_000, this.#watchdogMs / 4));
    this.#timer.unref();
  }

  async commit(positions: readonly BusPosition[]): Promise<void> {
    await this.#consumer?.commitOffsets(
      positions.map(({ topic, partition, offset }) => ({ topic, partition, offset })),
    );
  }

  async lag(): Promise<number | undefined> {
    let lag = 0;
    for (const topic of this.#options.topics) {
      for (const { partition, high, low } of await this.#admin.fetchTopicOffsets(topic)) {
        const next = this.#next.get(`${topic}/${partition}`) ?? low;
        lag += Math.max(0, Number(BigInt(high) - BigInt(next)));
      }
    }
    return lag;
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#merge.stop();
    await this.#consumer?.disconnect();
  }

  /** Joins the group and begins to fetch; leaves nothing behind when that fails. */
  async #run(): Promise<void> {
    if (this.#stopped) return;
    const consumer = this.#client.consumer({
      groupId: this.#options.group,
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: 500,
      // A killed engine holds its partitions until its session ends: the next one waits so long.
      sessionTimeout: 10_000,
      rebalanceTimeout: 15_000,
      retry: { retries: 8 },
    });
    this.#consumer = consumer;
    let isJoining = true;
    let crash: Error | undefined;
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      crash = payload.error;
      // kafkajs begins again by itself, but where it is not told from where to read: that is ours while it joins.
      if (!isJoining && !payload.restart) this.#fail(payload.error);
    });
    try {
      await connect(consumer);
      await consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true });
      await this.#fetch(consumer);
      for (const [key, offset] of this.#next) {
        if (crash !== undefined) throw crash;
        const slash = key.lastIndexOf('/');
        consumer.seek({ topic: key.slice(0, slash), partition: Number(key.slice(slash + 1)), offset });
      }
    } catch (error) {
      await consumer.disconnect().catch(() => undefined);
      throw crash ?? error;
    }
    isJoining = false;
  }

  async #fetch(consumer: Consumer): Promise<void> {
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => this.#share(payload.memberAssignment));
    this.#lastProgress = Date.now();
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: async ({ batch, resolveOffset, heartbeat, isRunning, isStale }) => {
        const key = `${batch.topic}/${batch.partition}`;
        const wanted = this.#next.get(key);
        const end = BigInt(batch.lastOffset()) + 1n;
        const messages = batch.messages
          .filter((message) => wanted === undefined || BigInt(message.offset) >= BigInt(wanted))
          .map((message) => toBusMessage(batch.topic, batch.partition, message, Date.now()));
        if (!isRunning() || isStale() || this.#stopped) return;
        const alive = setInterval(() => void heartbeat().catch(() => undefined), HEARTBEAT_MS);
        this.#busy++;
        try {
          await this.#merge.offer(key, messages, end);
        } catch (cause) {
          this.#fail(cause instanceof Error ? cause : new Error(String(cause)));
          return;
        } finally {
          clearInterval(alive);
          this.#busy--;
          this.#lastProgress = Date.now();
        }
        resolveOffset(batch.lastOffset());
        // A consumer that crashed and began again has what is committed once more: that is behind us.
        if (wanted === undefined || end > BigInt(wanted)) this.#next.set(key, end.toString());
        await heartbeat();
      },
    });
  }

  /** Two consumers of a group have half of the partitions each: whoever sees half of a system must not be silent about it. */
  #share(assignment: Readonly<Record<string, readonly number[]>>): void {
    const own = Object.values(assignment).reduce((sum, partitions) => sum + partitions.length, 0);
    const all = this.#next.size;
    if (own < all)
      console.error(
        `rootwalk: another consumer is in the group ${this.#options.group}: this one has ${own} of ${all} partitions and sees only a part of the system; stop one of them, or give it a group and a database of its own`,
      );
    else if (this.#partial) console.error(`rootwalk: this consumer has all ${all} partitions again`);
    this.#partial = own < all;
  }

  /** kafkajs can stop fetching without a word; being behind and standing still for long is how that shows. */
  async #watch(): Promise<void> {
    if (this.#stopped || this.#busy > 0 || Date.now() - this.#lastProgress < this.#watchdogMs) return;
    try {
      if ((await this.lag()) === 0) {
        this.#lastProgress = Date.now();
        return;
      }
      console.error(
        `rootwalk: the Kafka consumer made no progress for ${this.#watchdogMs / 1000} s; starting it again`,
      );
      await this.#consumer?.disconnect();
      await whileRetriable(() => this.#run());
    } catch (cause) {
      this.#fail(cause instanceof Error ? cause : new Error(String(cause)));
    }
  }

  #fail(error: Error): void {
    if (this.#stopped) return;
    void this.stop();
    if (this.#options.onError === undefined) console.error(`rootwalk: Kafka subscription ended: ${error.message}`);
    else this.#options.onError(error);
  }
}

function split(messages: readonly OutgoingMessage[]): OutgoingMessage[][] {
  const parts: OutgoingMessage[][] = [[]];
  let bytes = 0;
  for (const message of messages) {
    if (bytes > 0 && bytes + message.value.byteLength > MAX_REQUEST_BYTES) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)?.push(message);
    bytes += message.value.byteLength;
  }
  return parts;
}

async function connect<T extends { connect(): Promise<void> }>(client: T): Promise<T> {
  await client.connect();
  return client;
}

function clientConfig(options: KafkaOptions): KafkaConfig {
  const ca = options.caFile ? readFileSync(options.caFile, 'utf8') : undefined;
  return {
    clientId: options.clientId ?? 'rootwalk',
    brokers: [...options.brokers],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 5_000,
    retry: { retries: 5, initialRetryTime: 200 },
    ...(options.tls || ca ? { ssl: ca ? { ca: [ca] } : true } : {}),
    ...(options.sasl ? { sasl: options.sasl as NonNullable<KafkaConfig['sasl']> } : {}),
  };
}

let quiet = false;

/** kafkajs sets timers in the past, for which Node 24 warns each time; the timers themselves are harmless. */
function quietNegativeTimeouts(): void {
  if (quiet) return;
  quiet = true;
  const emit = process.emitWarning.bind(process) as (...args: unknown[]) => void;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    const name = typeof rest[0] === 'string' ? rest[0] : (rest[0] as { type?: string } | undefined)?.type;
    if (name !== 'TimeoutNegativeWarning') emit(warning, ...rest);
  }) as typeof process.emitWarning;
}
