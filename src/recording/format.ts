/**
 * A recording (`.rwrec`): a stretch of the bus in one file, a zstd stream of length-prefixed entries, one per message:
 * u32 length of the head, u32 length of the value, head as JSON (topic, partition, offset, timestampMs, key, headers),
 * value as it was. Beside it `<file>.manifest.json` with the sha256, counts and span.
 */
import type { BusMessage } from '../bus/index.ts';

export const RECORDING_VERSION = 1;
export const MAGIC = Buffer.from('RWREC1\n', 'latin1');
export const PREFIX_BYTES = 8;

export interface Manifest {
  readonly version: typeof RECORDING_VERSION;
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly messages: number;
  readonly messagesByTopic: Readonly<Record<string, number>>;
  readonly fromMs: number | null;
  readonly toMs: number | null;
  readonly note?: string;
  /** What was really wrong, when it is known (lab recordings). */
  readonly truth?: unknown;
}

export function encodeEntry(message: BusMessage): Buffer {
  const { value, ...head } = message;
  const text = Buffer.from(JSON.stringify(head), 'utf8');
  const entry = Buffer.alloc(PREFIX_BYTES + text.length + value.byteLength);
  entry.writeUInt32LE(text.length, 0);
  entry.writeUInt32LE(value.byteLength, 4);
  text.copy(entry, PREFIX_BYTES);
  entry.set(value, PREFIX_BYTES + text.length);
  return entry;
}

/** @returns the message at `at` and where the next one begins, or undefined when the bytes end before it does */
export function decodeEntry(
  bytes: Buffer,
  at: number,
): { readonly message: BusMessage; readonly next: number } | undefined {
  if (at + PREFIX_BYTES > bytes.length) return undefined;
  const headLength = bytes.readUInt32LE(at);
  const valueLength = bytes.readUInt32LE(at + 4);
  const next = at + PREFIX_BYTES + headLength + valueLength;
  if (next > bytes.length) return undefined;
  const head = JSON.parse(bytes.toString('utf8', at + PREFIX_BYTES, at + PREFIX_BYTES + headLength)) as Omit<
    BusMessage,
    'value'
  >;
  return { message: { ...head, value: bytes.subarray(at + PREFIX_BYTES + headLength, next) }, next };
}
