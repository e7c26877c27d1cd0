/** A JSON file that is read again when it changes. Polled: a file of a few bytes, five times a second. */
import { readFileSync, statSync } from 'node:fs';

const POLL_MS = 200;

export class WatchedJson<T> {
  readonly #path: string;
  #changed: () => void = () => undefined;
  #stamp = '';
  #value: T;

  /** @param changed  called for each new version after the first */
  constructor(path: string, absent: T, changed: () => void = () => undefined) {
    this.#path = path;
    this.#value = absent;
    this.#refresh();
    this.#changed = changed;
    setInterval(() => this.#refresh(), POLL_MS).unref();
  }

  get value(): T {
    return this.#value;
  }

  #refresh(): void {
    try {
      const { mtimeMs, size, ino } = statSync(this.#path);
      const stamp = `${mtimeMs}:${size}:${ino}`;
      if (stamp === this.#stamp) return;
      this.#value = JSON.parse(readFileSync(this.#path, 'utf8')) as T;
      this.#stamp = stamp;
      this.#changed();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
