/** Reads a recording, after checking it against its manifest. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { zstdDecompressSync } from 'node:zlib';
import type { BusMessage } from '../bus/index.ts';
import { RcaError } from '../model/errors.ts';
import type { Manifest } from './format.ts';
import { decodeEntry, MAGIC } from './format.ts';
import { readInput } from './input-file.ts';

export function manifestPath(file: string): string {
  return `${file}.manifest.json`;
}

/** @returns undefined when there is no manifest beside the file */
export function readManifest(file: string): Manifest | undefined {
  const path = manifestPath(file);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Manifest) : undefined;
}

/**
 * All messages of a recording, in the order the bus had them.
 * @throws {RcaError} RCA_BAD_INPUT when the file is missing, not a recording, cut off, or not the one of its manifest
 */
export function readRecording(file: string): readonly BusMessage[] {
  const fail = (what: string, cause?: unknown): RcaError =>
    new RcaError('RCA_BAD_INPUT', `${file}: ${what}`, { file }, cause);
  const compressed = readInput(file);
  const manifest = readManifest(file);
  const sha256 = createHash('sha256').update(compressed).digest('hex');
  if (manifest !== undefined && manifest.sha256 !== sha256) {
    throw fail(
      `not the recording of its manifest (sha256 ${sha256.slice(0, 12)}…, expected ${manifest.sha256.slice(0, 12)}…); it was cut off or changed: fetch it again or record anew`,
    );
  }
  let bytes: Buffer;
  try {
    bytes = zstdDecompressSync(compressed);
  } catch (cause) {
    throw fail('not a complete zstd stream: the file is cut off or no recording', cause);
  }
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw fail('not a rootwalk recording (magic bytes are missing)');
  const messages: BusMessage[] = [];
  let at = MAGIC.length;
  while (at < bytes.length) {
    const entry = decodeEntry(bytes, at);
    if (entry === undefined) throw fail(`the last message is cut off after ${messages.length} messages`);
    messages.push(entry.message);
    at = entry.next;
  }
  return messages;
}
