/**
 * Puts the partitions of a backlog into the order of their bus time, so that the records of one window arrive together
 * whatever their topic. A partition is waited for until it has passed the end it had when the subscription began; from
 * then on messages go on as they come. Memory is bounded: when `maxBytes` wait, the order gives way.
 */
import type { BusMessage } from './bus.ts';

interface Lane {
  queue: BusMessage[];
  at: number;
  /** Offset the partition must reach before it is live. */
  readonly end: bigint;
  /** Next offset to arrive. */
  next: bigint;
}

const DEFAULT_MAX_BYTES = 128 * 1024 * 1024;

export class PartitionMerge {
  readonly #lanes = new Map<string, Lane>();
  readonly #deliver: (messages: readonly BusMessage[]) => Promise<void>;
  readonly #fail: (error: Error) => void;
  readonly #maxBytes: number;
  #bytes = 0;
  #running: Promise<void> | undefined;
  #stopped = false;

  /** @param fail  called once when a delivery is rejected; nothing is delivered after that */
  constructor(
    deliver: (messages: readonly BusMessage[]) => Promise<void>,
    fail: (error: Error) => void,
    maxBytes: number = DEFAULT_MAX_BYTES,
  ) {
    this.#deliver = deliver;
    this.#fail = fail;
    this.#maxBytes = maxBytes;
  }

  /** Announces a partition: where reading begins and where its backlog ends. */
  expect(key: string, next: bigint, end: bigint): void {
    this.#lanes.set(key, { queue: [], at: 0, end, next });
  }

  /** Takes messages of one partition that end before `nextOffset`; resolves when there is room for more. */
  async offer(key: string, messages: readonly BusMessage[], nextOffset: bigint): Promise<void> {
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { queue: [], at: 0, end: 0n, next: 0n };
      this.#lanes.set(key, lane);
    }
    for (const message of messages) {
      lane.queue.push(message);
      this.#bytes += message.value.byteLength;
    }
    if (nextOffset > lane.next) lane.next = nextOffset;
    const running = this.#pump();
    if (this.#bytes > this.#maxBytes) await running;
  }

  /** Nothing more is delivered; resolves when a delivery under way is done. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  #pump(): Promise<void> {
    this.#running ??= this.#drain()
      .catch((cause: unknown) => {
        this.#stopped = true;
        this.#fail(cause instanceof Error ? cause : new Error(String(cause)));
      })
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  async #drain(): Promise<void> {
    while (!this.#stopped) {
      const run = this.#nextRun();
      if (run === undefined) return;
      await this.#deliver(run.messages);
      const { lane } = run;
      lane.at += run.messages.length;
      for (const message of run.messages) this.#bytes -= message.value.byteLength;
      if (lane.at >= lane.queue.length) {
        lane.queue = [];
        lane.at = 0;
      }
    }
  }

  /** The messages of the earliest lane up to the next lane's time; undefined when a backlog lane must be waited for. */
  #nextRun(): { readonly lane: Lane; readonly messages: BusMessage[] } | undefined {
    let first: Lane | undefined;
    let firstMs = Number.POSITIVE_INFINITY;
    let secondMs = Number.POSITIVE_INFINITY;
    const mayWait = this.#bytes <= this.#maxBytes;
    for (const lane of this.#lanes.values()) {
      const head = lane.queue[lane.at];
      if (head === undefined) {
        if (mayWait && lane.next < lane.end) return undefined;
        continue;
      }
      if (head.timestampMs < firstMs) {
        secondMs = firstMs;
        firstMs = head.timestampMs;
        first = lane;
      } else if (head.timestampMs < secondMs) secondMs = head.timestampMs;
    }
    if (first === undefined) return undefined;
    let to = first.at + 1;
    while (to < first.queue.length && (first.queue[to]?.timestampMs ?? 0) <= secondMs) to++;
    return { lane: first, messages: first.queue.slice(first.at, to) };
  }
}
