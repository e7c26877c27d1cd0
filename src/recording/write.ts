/** Writes a recording: a zstd stream, then the manifest when it is closed. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { finished, pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import type { BusMessage } from '../bus/index.ts';
import type { Manifest } from './format.ts';
import { encodeEntry, MAGIC, RECORDING_VERSION } from './format.ts';
import { manifestPath } from './read.ts';

export interface RecordingWriter {
  add(message: BusMessage): void;
  readonly messages: number;
  /** Finishes the stream, gives the file its name and writes the manifest. */
  close(more?: { readonly note?: string; readonly truth?: unknown }): Promise<Manifest>;
}

const COMPRESSION_LEVEL = 15;

/** The file appears under its name only when it is complete. */
export function writeRecording(file: string): RecordingWriter {
  mkdirSync(dirname(file), { recursive: true });
  const partial = `${file}.partial`;
  const compress = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: COMPRESSION_LEVEL } });
  const done = pipeline(compress, createWriteStream(partial));
  done.catch(() => undefined);
  compress.write(MAGIC);
  const byTopic = new Map<string, number>();
  let messages = 0;
  let fromMs = Number.POSITIVE_INFINITY;
  let toMs = Number.NEGATIVE_INFINITY;
  return {
    get messages() {
      return messages;
    },
    add(message) {
      compress.write(encodeEntry(message));
      messages++;
      byTopic.set(message.topic, (byTopic.get(message.topic) ?? 0) + 1);
      fromMs = Math.min(fromMs, message.timestampMs);
      toMs = Math.max(toMs, message.timestampMs);
    },
    async close(more = {}) {
      compress.end();
      await done;
      renameSync(partial, file);
      const hash = createHash('sha256');
      let bytes = 0;
      const reader = createReadStream(file);
      reader.on('data', (chunk) => {
        hash.update(chunk);
        bytes += chunk.length;
      });
      await finished(reader);
      const manifest: Manifest = {
        version: RECORDING_VERSION,
        file: basename(file),
        sha256: hash.digest('hex'),
        bytes,
        messages,
        messagesByTopic: Object.fromEntries([...byTopic].sort()),
        fromMs: messages > 0 ? fromMs : null,
        toMs: messages > 0 ? toMs : null,
        ...more,
      };
      writeFileSync(manifestPath(file), `${JSON.stringify(manifest, null, 2)}\n`);
      return manifest;
    },
  };
}
