/** Finished batches on their way to the bus: a bounded number waits, what comes while it does not keep up is counted. */
import type { AnyBatch } from '../src/model/records.ts';

export type Publish = (batch: AnyBatch) => Promise<void>;

/** About a quarter of an hour's. */
const MAX_WAITING = 1_000;

export class Outbox {
  /** Records that the bus refused or that found no room. */
  lost = 0;
  readonly #publish: Publish;
  readonly #maxWaiting: number;
  readonly #waiting = new Set<Promise<void>>();

  constructor(publish: Publish, maxWaiting = MAX_WAITING) {
    this.#publish = publish;
    this.#maxWaiting = maxWaiting;
  }

  get size(): number {
    return this.#waiting.size;
  }

  put(batch: AnyBatch): void {
    if (this.#waiting.size >= this.#maxWaiting) {
      this.lost += batch.records.length;
      return;
    }
    const sent: Promise<void> = this.#publish(batch)
      .catch(() => {
        this.lost += batch.records.length;
      })
      .finally(() => this.#waiting.delete(sent));
    this.#waiting.add(sent);
  }

  /** Resolves when all that waits is stored or lost. */
  async drain(): Promise<void> {
    await Promise.all(this.#waiting);
  }
}
