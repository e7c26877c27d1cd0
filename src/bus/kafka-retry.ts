/** Waiting for a cluster that is not there yet: just started, topics just made, a leader or coordinator being chosen. */
import { setTimeout as sleep } from 'node:timers/promises';

/** How long what may pass by itself is tried again. */
const PATIENCE_MS = 30_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/** kafkajs marks its errors; who gave up after retries says so in the cause. */
export function isRetriable(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause)
    if ((at as { retriable?: unknown }).retriable === true || at.name === 'KafkaJSNumberOfRetriesExceeded') return true;
  return false;
}

/**
 * Runs `action` until it succeeds, fails for good, or `patienceMs` are over; pauses from 0.1 to 2 s between.
 *
 * @throws the last error of `action`
 */
export async function whileRetriable<T>(action: () => Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
  const endMs = Date.now() + patienceMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    try {
      return await action();
    } catch (error) {
      if (!isRetriable(error) || Date.now() + pauseMs > endMs) throw error;
    }
    await sleep(pauseMs);
  }
}
