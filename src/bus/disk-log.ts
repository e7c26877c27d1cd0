/**
 * The embedded bus on disk: one file of length-prefixed, checksummed entries. Entries are messages or commits. A torn or
 * corrupt tail (power cut, kill -9) is cut off on open; everything before it is kept.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { RcaError } from '../model/errors.ts';
import type { BusMessage } from './bus.ts';

export interface DiskLog {
  messages(): Iterable<BusMessage>;
  commits(): ReadonlyMap<string, number>;
  append(message: BusMessage): void;
  commit(key: string, offset: number): void;
  /** Makes what was appended durable. */
  flush(): void;
  /** Bytes cut off on open. */
  readonly truncatedBytes: number;
  close(): void;
}

const HEADER_BYTES = 8;

/** @throws {RcaError} RCA_BUS when the folder or file cannot be used */
export function openDiskLog(dir: string): DiskLog {
  const path = join(dir, 'bus.log');
  let fd: number;
  try {
    mkdirSync(dir, { recursive: true });
    fd = openSync(path, 'a+');
  } catch (cause) {
    throw new RcaError('RCA_BUS', `cannot open the bus log ${path}: ${(cause as Error).message}`, { path }, cause);
  }
  const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  const messages: BusMessage[] = [];
  const commits = new Map<string, number>();
  let at = 0;
  for (;;) {
    const entry = readEntry(bytes, at);
    if (entry === undefined) break;
    if (entry.meta.kind === 'commit') commits.set(entry.meta.key, entry.meta.offset);
    else messages.push({ ...entry.meta.message, value: entry.value });
    at = entry.next;
  }
  const truncatedBytes = bytes.length - at;
  if (truncatedBytes > 0) ftruncateSync(fd, at);
  let pending: Buffer[] = [];

  function add(meta: Meta, value: Uint8Array): void {
    const head = Buffer.from(JSON.stringify(meta));
    const body = Buffer.alloc(4 + head.length + value.length);
    body.writeUInt32LE(head.length, 0);
    head.copy(body, 4);
    body.set(value, 4 + head.length);
    const prefix = Buffer.alloc(HEADER_BYTES);
    prefix.writeUInt32LE(body.length, 0);
    prefix.writeUInt32LE(crc32(body), 4);
    pending.push(prefix, body);
  }

  return {
    truncatedBytes,
    messages: () => messages,
    commits: () => commits,
    append({ value, ...message }) {
      add({ kind: 'message', message }, value);
    },
    commit(key, offset) {
      add({ kind: 'commit', key, offset }, new Uint8Array(0));
    },
    flush() {
      if (pending.length === 0) return;
      writeSync(fd, Buffer.concat(pending));
      pending = [];
      fdatasyncSync(fd);
    },
    close() {
      this.flush();
      closeSync(fd);
    },
  };
}

type Meta =
  | { readonly kind: 'message'; readonly message: Omit<BusMessage, 'value'> }
  | { readonly kind: 'commit'; readonly key: string; readonly offset: number };

function readEntry(bytes: Buffer, at: number): { meta: Meta; value: Uint8Array; next: number } | undefined {
  if (at + HEADER_BYTES > bytes.length) return undefined;
  const length = bytes.readUInt32LE(at);
  const next = at + HEADER_BYTES + length;
  if (next > bytes.length || length < 4) return undefined;
  const body = bytes.subarray(at + HEADER_BYTES, next);
  if (crc32(body) !== bytes.readUInt32LE(at + 4)) return undefined;
  const headLength = body.readUInt32LE(0);
  const meta = JSON.parse(body.subarray(4, 4 + headLength).toString('utf8')) as Meta;
  return { meta, value: body.subarray(4 + headLength), next };
}
