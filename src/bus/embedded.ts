/**
 * The bus in this process: one partition a topic, offsets from 0, an optional append-only log on disk that survives
 * kill -9 (a torn last entry is cut off on open). Memory is bounded: without a log the oldest messages go once every
 * subscriber has passed them, and a publisher waits while the slowest subscriber is `maxBytes` behind.
 */
import { RcaError } from '../model/errors.ts';
import type {
  Bus,
  BusMessage,
  BusPosition,
  OutgoingMessage,
  StartPoint,
  SubscribeOptions,
  Subscription,
} from './bus.ts';
import type { DiskLog } from './disk-log.ts';
import { openDiskLog } from './disk-log.ts';

export interface EmbeddedOptions {
  /** Folder of the durable log; absent: memory only. */
  readonly dir?: string;
  /** Bytes a subscriber may be behind before publishers wait. */
  readonly maxBytes?: number;
  /** Messages handed out at once. */
  readonly maxBatch?: number;
  /** Bus time of a message; the wall clock unless a test says otherwise. */
  readonly now?: () => number;
}

interface Topic {
  readonly name: string;
  /** Offset of `messages[0]`. */
  first: number;
  messages: BusMessage[];
  /** Position of each message in the order of the whole bus. */
  order: number[];
  bytes: number;
}

interface Reader {
  readonly options: SubscribeOptions;
  readonly next: Map<string, number>;
  running: boolean;
  stopped: boolean;
  idle: Promise<void>;
}

const DEFAULT_MAX_BYTES = 256 * 1024 * 1024;

export class EmbeddedBus implements Bus {
  readonly kind = 'embedded';
  readonly #topics = new Map<string, Topic>();
  readonly #readers = new Set<Reader>();
  readonly #committed = new Map<string, number>();
  readonly #waiting: (() => void)[] = [];
  readonly #maxBytes: number;
  readonly #maxBatch: number;
  readonly #now: () => number;
  readonly #log: DiskLog | undefined;
  #order = 0;
  #closed = false;

  constructor(options: EmbeddedOptions = {}) {
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    this.#maxBatch = options.maxBatch ?? 64;
    this.#now = options.now ?? Date.now;
    if (options.dir !== undefined) {
      this.#log = openDiskLog(options.dir);
      for (const message of this.#log.messages()) this.#store(message);
      for (const [key, offset] of this.#log.commits()) this.#committed.set(key, offset);
    }
  }

  async publish(topic: string, messages: readonly OutgoingMessage[]): Promise<void> {
    while (!this.#closed && this.#backlogBytes(topic) > this.#maxBytes) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#closed) throw new RcaError('RCA_BUS', `cannot publish to ${topic}: the bus is closed`);
    const target = this.#topic(topic);
    for (const { key, value, headers } of messages) {
      const offset = target.first + target.messages.length;
      const message = { topic, partition: 0, offset: String(offset), timestampMs: this.#now(), key, value, headers };
      this.#log?.append(message);
      this.#store(message);
    }
    this.#log?.flush();
    for (const reader of this.#readers) this.#wake(reader);
  }

  subscribe(options: SubscribeOptions): Promise<Subscription> {
    const next = new Map<string, number>();
    for (const name of options.topics)
      next.set(name, this.#startOffset(this.#topic(name), options.group, options.start));
    const reader: Reader = { options, next, running: false, stopped: false, idle: Promise.resolve() };
    this.#readers.add(reader);
    this.#wake(reader);
    return Promise.resolve({
      commit: (positions: readonly BusPosition[]) => {
        for (const { topic, offset } of positions) {
          const key = `${options.group}/${topic}`;
          this.#committed.set(key, Math.max(this.#committed.get(key) ?? 0, Number(offset)));
          this.#log?.commit(key, Number(offset));
        }
        this.#log?.flush();
        return Promise.resolve();
      },
      lag: () => Promise.resolve(this.#lag(reader)),
      stop: async () => {
        reader.stopped = true;
        await reader.idle;
        this.#readers.delete(reader);
        this.#release();
      },
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#release();
    for (const reader of this.#readers) {
      reader.stopped = true;
      await reader.idle;
    }
    this.#readers.clear();
    this.#log?.close();
  }

  #topic(name: string): Topic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = { name, first: 0, messages: [], order: [], bytes: 0 };
      this.#topics.set(name, topic);
    }
    return topic;
  }

  #store(message: BusMessage): void {
    const topic = this.#topic(message.topic);
    topic.messages.push(message);
    topic.order.push(this.#order++);
    topic.bytes += message.value.byteLength;
  }

  #startOffset(topic: Topic, group: string, start: StartPoint): number {
    if (start === 'earliest') return topic.first;
    if (start === 'latest') return topic.first + topic.messages.length;
    if (start === 'committed')
      return Math.max(topic.first, this.#committed.get(`${group}/${topic.name}`) ?? topic.first);
    const index = topic.messages.findIndex((message) => message.timestampMs >= start.sinceMs);
    return topic.first + (index < 0 ? topic.messages.length : index);
  }

  #wake(reader: Reader): void {
    if (reader.running || reader.stopped) return;
    reader.running = true;
    reader.idle = this.#drain(reader).finally(() => {
      reader.running = false;
      this.#trim();
      this.#release();
      // Published between the last look and this moment: nobody else would wake the reader.
      if (!reader.stopped && this.#take(reader).length > 0) this.#wake(reader);
    });
  }

  /** Hands out messages of all topics in the order in which they were published, so that types of one window arrive together. */
  async #drain(reader: Reader): Promise<void> {
    for (;;) {
      const batch = this.#take(reader);
      if (batch.length === 0 || reader.stopped) return;
      try {
        await reader.options.onMessages(batch);
      } catch (cause) {
        reader.stopped = true;
        this.#readers.delete(reader);
        reader.options.onError?.(cause instanceof Error ? cause : new Error(String(cause)));
        return;
      }
      const topic = this.#topic(batch[0]?.topic ?? '');
      reader.next.set(topic.name, (reader.next.get(topic.name) ?? topic.first) + batch.length);
      this.#trim();
      this.#release();
    }
  }

  #take(reader: Reader): BusMessage[] {
    let chosen: Topic | undefined;
    let earliest = Number.POSITIVE_INFINITY;
    let second = Number.POSITIVE_INFINITY;
    for (const name of reader.options.topics) {
      const topic = this.#topic(name);
      const order = topic.order[(reader.next.get(name) ?? topic.first) - topic.first];
      if (order === undefined) continue;
      if (order < earliest) {
        second = earliest;
        earliest = order;
        chosen = topic;
      } else if (order < second) second = order;
    }
    if (chosen === undefined) return [];
    const from = (reader.next.get(chosen.name) ?? chosen.first) - chosen.first;
    let to = from + 1;
    while (to < chosen.order.length && to - from < this.#maxBatch && (chosen.order[to] ?? second) < second) to++;
    return chosen.messages.slice(from, to);
  }

  #lag(reader: Reader): number {
    let lag = 0;
    for (const [name, next] of reader.next) {
      const topic = this.#topic(name);
      lag += topic.first + topic.messages.length - next;
    }
    return lag;
  }

  #backlogBytes(name: string): number {
    const readers = [...this.#readers].filter((reader) => reader.next.has(name));
    if (readers.length === 0) return 0;
    return this.#topic(name).bytes;
  }

  /** Memory only: forgets what every subscriber has passed. With no subscriber only the newest megabytes stay. */
  #trim(): void {
    for (const topic of this.#topics.values()) {
      const readers = [...this.#readers].filter((reader) => reader.next.has(topic.name));
      const passed = Math.min(...readers.map((reader) => reader.next.get(topic.name) ?? 0));
      const drop = Math.min(topic.messages.length, Math.max(0, passed - topic.first));
      if (readers.length === 0 || drop < 1024) continue;
      for (const message of topic.messages.splice(0, drop)) topic.bytes -= message.value.byteLength;
      topic.order.splice(0, drop);
      topic.first += drop;
    }
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
