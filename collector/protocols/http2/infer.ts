/** Which side of an HTTP/2 connection sends bytes that begin so. */
import type { Flow } from '../protocol.ts';
import { REQUEST, RESPONSE } from '../protocol.ts';
import * as frames from './frames.ts';

const MAX_STREAM = 2 ** 31 - 1;

/** Static entry that a header block's first field names: 1 … 14 are the pseudo-fields, which come first. */
function firstField(bytes: Buffer, start: number, end: number): number {
  const flags = bytes[start + 4]!;
  let at = start + frames.FRAME_HEADER;
  if ((flags & frames.PADDED) !== 0) at++;
  if ((flags & frames.WITH_PRIORITY) !== 0) at += 5;
  if (at >= end) return 0;
  const byte = bytes[at]!;
  return byte >= 128 ? byte & 127 : byte >= 64 ? byte & 63 : byte & 15;
}

/** The preface is the client's; of a header block the first field tells. Other frames are sent by both. */
export function senderOf(bytes: Buffer, start: number, end: number): Flow | undefined {
  const there = Math.min(frames.PREFACE.length, end - start);
  if (there >= 8 && frames.PREFACE.compare(bytes, start, start + there, 0, there) === 0) return REQUEST;
  if (!frames.beginsFrames(bytes, start, end, MAX_STREAM)) return undefined;
  if (bytes[start + 3] !== frames.HEADERS) return undefined;
  const field = firstField(bytes, start, end);
  if (field >= 8 && field <= 14) return RESPONSE;
  return field >= 1 && field <= 7 ? REQUEST : undefined;
}
