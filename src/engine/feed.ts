/** A bus message -> decoded batches -> the pipeline; what cannot be used becomes a dead letter. */
import type { BusMessage } from '../bus/index.ts';
import type { DeadLetter } from '../codec/index.ts';
import { deadLetter, decodeMessage } from '../codec/index.ts';
import { contentHash } from '../ingest/index.ts';
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
  const meta = {
    origin: `${message.topic}/${message.partition}/${message.offset}`,
    receivedMs: message.timestampMs,
    // The bytes tell a redelivery of one batch; those of a JSON list share the message, their content tells them apart.
    ...(decoded.batches.length === 1 ? { contentHash: contentHash(message.value) } : {}),
  };
  try {
    for (const batch of decoded.batches) {
      const { push, outcomes: found } = await pipeline.accept(batch, meta);
      outcomes.push(...found);
      if (push.outcome === 'rejected')
        deadLetters.push(deadLetter(message, push.reason ?? 'bad_window', push.message ?? ''));
    }
  } finally {
    decoded.lease?.release();
  }
  return { outcomes, deadLetters };
}
