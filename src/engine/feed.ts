/** A bus message -> decoded batches -> the pipeline; what cannot be used becomes a dead letter. */
import type { BusMessage } from '../bus/index.ts';
import type { DeadLetter } from '../codec/index.ts';
import { deadLetter, decodeMessage } from '../codec/index.ts';
import type { Pipeline, WindowOutcome } from '../pipeline.ts';

export interface FeedResult {
  readonly outcomes: readonly WindowOutcome[];
  readonly deadLetters: readonly DeadLetter[];
}

export async function feed(pipeline: Pipeline, message: BusMessage): Promise<FeedResult> {
  const decoded = decodeMessage(message.value, message.headers);
  if (!decoded.ok) return { outcomes: [], deadLetters: [deadLetter(message, decoded.reason, decoded.detail)] };
  const outcomes: WindowOutcome[] = [];
  const deadLetters: DeadLetter[] = [];
  const origin = `${message.topic}/${message.partition}/${message.offset}`;
  for (const batch of decoded.batches) {
    const { push, outcomes: found } = await pipeline.accept(batch, { origin, receivedMs: message.timestampMs });
    outcomes.push(...found);
    if (push.outcome === 'rejected')
      deadLetters.push(deadLetter(message, push.reason ?? 'bad_window', push.message ?? ''));
  }
  return { outcomes, deadLetters };
}
