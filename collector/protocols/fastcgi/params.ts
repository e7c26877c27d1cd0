/** Name-value pairs of PARAMS: what a request is called and whether a body follows. */
import { httpOperation } from '../http1/operation.ts';
import { OperationCache } from '../operation-cache.ts';
import { MAX_TEXT_BYTES } from '../protocol.ts';

/** What the operation is called when the captured bytes hold neither method nor path: by the role asked for. */
export const ROLE_NAMES = ['', 'RESPONDER', 'AUTHORIZER', 'FILTER'] as const;

const MAX_METHOD = 16;
const QUESTION = 63;
const SPACE = 32;

const REQUEST_METHOD = Buffer.from('REQUEST_METHOD', 'latin1');
const CONTENT_LENGTH = Buffer.from('CONTENT_LENGTH', 'latin1');
/** In the order of preference. */
const PATHS = ['REQUEST_URI', 'DOCUMENT_URI', 'SCRIPT_NAME'].map((name) => Buffer.from(name, 'latin1'));
const POST = Buffer.from('POST', 'latin1');

/** Where a value stands; `from` is -1 when it was not found. */
interface Span {
  from: number;
  to: number;
}

const method: Span = { from: -1, to: -1 };
const body: Span = { from: -1, to: -1 };
const paths: readonly Span[] = PATHS.map(() => ({ from: -1, to: -1 }));

const operations = new OperationCache();
const key = Buffer.allocUnsafe(MAX_METHOD + 1 + MAX_TEXT_BYTES);

/** What the pairs scanned last said. One object is reused. */
export const request = {
  operation: '',
  /** Bytes of the body that are read before the work begins: PHP does so with what is posted. */
  bodyBytes: 0,
};

function is(bytes: Buffer, from: number, to: number, word: Buffer): boolean {
  return to - from === word.length && bytes.compare(word, 0, word.length, from, to) === 0;
}

/** Takes one value of which [from, end) is at hand; `to` is where it ends. */
function take(bytes: Buffer, nameFrom: number, from: number, to: number, end: number): void {
  const path = PATHS.findIndex((name) => is(bytes, nameFrom, from, name));
  if (path >= 0) {
    // The route is known when the whole path is: a query may be cut.
    let pathEnd = from;
    const stop = Math.min(to, end, from + MAX_TEXT_BYTES);
    while (pathEnd < stop && bytes[pathEnd] !== QUESTION) pathEnd++;
    if (pathEnd > from && (pathEnd < stop || pathEnd === to || pathEnd === from + MAX_TEXT_BYTES)) {
      paths[path]!.from = from;
      paths[path]!.to = pathEnd;
    }
  } else if (to > end || to === from) return;
  else if (is(bytes, nameFrom, from, REQUEST_METHOD)) set(method, from, to);
  else if (is(bytes, nameFrom, from, CONTENT_LENGTH)) set(body, from, to);
}

function set(span: Span, from: number, to: number): void {
  span.from = from;
  span.to = to;
}

/** A length of one byte, or of four when its first bit is set; -1 when it is cut. `cursor.at` moves behind it. */
const cursor = { at: 0 };
function length(bytes: Buffer, end: number): number {
  const { at } = cursor;
  if (at >= end) return -1;
  if (bytes[at]! < 128) {
    cursor.at = at + 1;
    return bytes[at]!;
  }
  if (at + 4 > end) return -1;
  cursor.at = at + 4;
  return bytes.readUInt32BE(at) & 0x7fffffff;
}

function isMethod(bytes: Buffer, { from, to }: Span): boolean {
  if (from < 0 || to - from > MAX_METHOD) return false;
  for (let i = from; i < to; i++) if (bytes[i]! < 65 || bytes[i]! > 90) return false;
  return true;
}

function decimal(bytes: Buffer, { from, to }: Span): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = bytes[i]! - 48;
    if (digit < 0 || digit > 9 || value > 2 ** 48) return 0;
    value = value * 10 + digit;
  }
  return value;
}

function makeOperation(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('latin1', start, end);
  const space = text.indexOf(' ');
  const path = text.slice(space + 1);
  return path === '' ? text.slice(0, space) : httpOperation(text.slice(0, space), path).trimStart();
}

/**
 * Scans the pairs in [start, end), which may be cut anywhere, and fills `request`. The operation is the method and the
 * route of REQUEST_URI, else of DOCUMENT_URI, else of SCRIPT_NAME; what is cut off counts as not there, and what is not
 * there is left out: `GET` alone, the route alone, or the role's name.
 *
 * Cost: O(bytes); makes no string of a method and path that were seen before.
 */
export function scanParams(bytes: Buffer, start: number, end: number, role: number): void {
  method.from = -1;
  body.from = -1;
  for (const span of paths) span.from = -1;
  cursor.at = start;
  while (cursor.at < end) {
    const nameLength = length(bytes, end);
    const valueLength = nameLength < 0 ? -1 : length(bytes, end);
    if (valueLength < 0) break;
    const name = cursor.at;
    const value = name + nameLength;
    if (value > end) break;
    take(bytes, name, value, value + valueLength, end);
    cursor.at = value + valueLength;
  }
  const path = paths.find((span) => span.from >= 0);
  const known = isMethod(bytes, method);
  let n = 0;
  if (known) n += bytes.copy(key, 0, method.from, method.to);
  key[n++] = SPACE;
  if (path !== undefined) n += bytes.copy(key, n, path.from, path.to);
  request.operation = n > 1 ? operations.get(key, 0, n, makeOperation) : ROLE_NAMES[role]!;
  const posted = known && is(bytes, method.from, method.to, POST);
  request.bodyBytes = posted && body.from >= 0 ? decimal(bytes, body) : 0;
}
