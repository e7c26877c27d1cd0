/**
 * Dead letters onto their topic, once each: a restart reads the log again and meets the same bad messages. The store knows
 * the last one of every partition; a topic that was made anew starts at offset 0 with later times and is not mistaken.
 * A kill between publishing and storing may write the last one twice; its origin tells.
 */
import type { Bus, BusMessage } from '../bus/index.ts';
import type { DeadLetter } from '../codec/index.ts';
import type { Store } from '../store/index.ts';

export class DeadLetters {
  readonly #bus: Bus;
  readonly #store: Store;
  readonly #topic: string;

  constructor(bus: Bus, store: Store, topic: string) {
    this.#bus = bus;
    this.#store = store;
    this.#topic = topic;
  }

  /** @returns false when they stand on the topic already */
  async publish(message: BusMessage, letters: readonly DeadLetter[]): Promise<boolean> {
    const key = `deadLetter/${message.topic}/${message.partition}`;
    const [offset, timestampMs] = (this.#store.state(key) ?? '').split(' ');
    if (offset && BigInt(message.offset) <= BigInt(offset) && message.timestampMs <= Number(timestampMs)) return false;
    await this.#bus.publish(
      this.#topic,
      letters.map((letter) => ({
        key: message.key,
        value: Buffer.from(JSON.stringify(letter)),
        headers: { 'content-type': 'application/json', reason: letter.reason },
      })),
    );
    this.#store.applyEffect({ state: { [key]: `${message.offset} ${message.timestampMs}` } });
    return true;
  }
}
