/** What makes a redelivered batch recognisable. */
import { createHash } from 'node:crypto';
import type { DecodedBatch } from './types.ts';

/** Hash of a message's bytes, for BatchMeta.contentHash. About 1 GB/s. */
export function contentHash(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('base64');
}

/** Fallback when the bytes are gone: hash of the decoded content. */
export function decodedHash(batch: DecodedBatch): string {
  const hash = createHash('sha1');
  if ('records' in batch) {
    hash.update(JSON.stringify(batch.records));
  } else {
    for (const column of Object.values(batch)) {
      if (ArrayBuffer.isView(column)) hash.update(column as Uint8Array);
      else if (Array.isArray(column)) {
        for (const item of column as readonly unknown[]) {
          if (ArrayBuffer.isView(item)) hash.update(item as Uint8Array);
          else hash.update(`${String(item)}\0`);
        }
      }
    }
  }
  return hash.digest('base64');
}
