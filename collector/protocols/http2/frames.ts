/** HTTP/2's frames (RFC 9113, sections 4 and 6): their header, and how strictly bytes must look like one. */

export const FRAME_HEADER = 9;
export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const WITH_PRIORITY = 32;

/** "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", what a client sends before its first frame. */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Flags that a frame of each known type may have. */
const FLAGS: readonly number[] = [
  END_STREAM | PADDED,
  END_STREAM | END_HEADERS | PADDED | WITH_PRIORITY,
  0,
  0,
  ACK,
  END_HEADERS | PADDED,
  ACK,
  0,
  0,
  END_HEADERS,
];
/** Longer frames have to be asked for, and hardly anybody does (the default is 16 KB). */
const MAX_LIKELY_FRAME = 64 * 1024;

export function frameLength(bytes: Buffer, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}

export function uint31(bytes: Buffer, at: number): number {
  return ((bytes[at]! & 127) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** True when the lengths and the stream number are those that frames of this type have. */
function fits(type: number, flags: number, length: number, stream: number): boolean {
  switch (type) {
    case DATA:
    case HEADERS:
    case PUSH_PROMISE:
    case CONTINUATION:
      return stream !== 0;
    case PRIORITY:
      return stream !== 0 && length === 5;
    case RST_STREAM:
      return stream !== 0 && length === 4;
    case SETTINGS:
      return stream === 0 && length % 6 === 0 && (length === 0 || (flags & ACK) === 0);
    case PING:
      return stream === 0 && length === 8;
    case GOAWAY:
      return stream === 0 && length >= 8;
    case WINDOW_UPDATE:
      return length === 4;
    default:
      return true;
  }
}

/** True when a frame's header may stand at `at`, of whatever type, for a reader who is in step. */
export function isFrame(bytes: Buffer, at: number): boolean {
  return (
    (bytes[at + 5]! & 128) === 0 && fits(bytes[at + 3]!, bytes[at + 4]!, frameLength(bytes, at), uint31(bytes, at + 5))
  );
}

/** True when at `at` stands what looks like nothing but a frame of a type, flags, length and stream that are in use. */
function isLikelyFrame(bytes: Buffer, at: number, maxStream: number): boolean {
  const stream = uint31(bytes, at + 5);
  return (
    isFrame(bytes, at) &&
    bytes[at + 3]! < FLAGS.length &&
    (bytes[at + 4]! & ~FLAGS[bytes[at + 3]!]!) === 0 &&
    frameLength(bytes, at) <= MAX_LIKELY_FRAME &&
    (stream === 0 || (stream % 2 === 1 && stream <= maxStream))
  );
}

/**
 * True when [start, end) begins with a likely frame, and goes on with likely frames as far as their headers are there:
 * after a loss this is all there is to go by. Of random bytes one in a million passes, and one in some billion where
 * `maxStream` is known.
 */
export function beginsFrames(bytes: Buffer, start: number, end: number, maxStream: number): boolean {
  let at = start;
  if (end - at < FRAME_HEADER) return false;
  while (end - at >= FRAME_HEADER) {
    if (!isLikelyFrame(bytes, at, maxStream)) return false;
    at += FRAME_HEADER + frameLength(bytes, at);
  }
  return true;
}

const ERROR_NAMES: readonly string[] = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
];

/** Name of the error code at `at` (RFC 9113, section 7); those that are not known or were not captured share one. */
export function errorName(bytes: Buffer, at: number, end: number): string {
  return (end - at < 4 ? undefined : ERROR_NAMES[bytes.readUInt32BE(at)]) ?? 'UNKNOWN_ERROR';
}
