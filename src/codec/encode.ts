/** A batch -> messages for the bus. */
import type { AnyBatch } from '../model/records.ts';
import { CONTENT_TYPE_JSON, CONTENT_TYPE_PROTOBUF, SCHEMA_HEADER } from './decode.ts';
import { encodeCalls, encodeTcp } from './encode-columns.ts';
import { encodeRows } from './proto-rows.ts';
import { SCHEMA_VERSION } from './validate.ts';

export type Encoding = 'protobuf' | 'json';

export interface EncodedMessage {
  readonly key: string;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** Target size of a message before compression. */
export const TARGET_MESSAGE_BYTES = 64 * 1024;

/**
 * Splits what is larger than 64 KB; the parts get consecutive sequence numbers from the batch's own, so that a reader
 * can tell a missing part. Key: environment and collector, so that one collector's windows stay in order.
 */
export function encodeBatch(batch: AnyBatch, encoding: Encoding): readonly EncodedMessage[] {
  const messages: EncodedMessage[] = [];
  const pending: AnyBatch[] = [batch];
  while (pending.length > 0) {
    const part = { ...pending.pop()!, sequence: batch.sequence + messages.length } as AnyBatch;
    const value = encodeOne(part, encoding);
    if (value.byteLength > TARGET_MESSAGE_BYTES && part.records.length > 1) {
      const middle = part.records.length >> 1;
      pending.push(
        { ...part, records: part.records.slice(middle) } as AnyBatch,
        { ...part, records: part.records.slice(0, middle) } as AnyBatch,
      );
    } else {
      messages.push({
        key: keyOf(part),
        value,
        headers: {
          'content-type': encoding === 'json' ? CONTENT_TYPE_JSON : CONTENT_TYPE_PROTOBUF,
          [SCHEMA_HEADER]: String(SCHEMA_VERSION),
        },
      });
    }
  }
  return messages;
}

/** The topology topic is compacted: parts of one window must not replace one another, the next window's should. */
function keyOf(batch: AnyBatch): string {
  const key = `${batch.environment}/${batch.collector}`;
  return batch.type === 'topology' ? `${key}/${batch.sequence}` : key;
}

function encodeOne(batch: AnyBatch, encoding: Encoding): Uint8Array {
  if (encoding === 'json') return Buffer.from(JSON.stringify(batch), 'utf8');
  if (batch.type === 'call') return encodeCalls(batch);
  if (batch.type === 'tcp') return encodeTcp(batch);
  return encodeRows(batch);
}
