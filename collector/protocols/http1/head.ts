/** One pass over an HTTP/1.x head, without strings: where it ends and what it says about the body. */

export const HEAD_INCOMPLETE = 0;
export const HEAD_BAD = -1;

const LF = 10;
const CR = 13;
const SPACE = 32;
const TAB = 9;
const COLON = 58;

/** What the last scanned head said. One object is reused: heads are scanned one at a time. */
export interface HeadFacts {
  /** Content-Length, or -1. */
  contentLength: number;
  chunked: boolean;
  close: boolean;
  keepAlive: boolean;
  upgrade: boolean;
  expect: boolean;
}

export const facts: HeadFacts = {
  contentLength: -1,
  chunked: false,
  close: false,
  keepAlive: false,
  upgrade: false,
  expect: false,
};

/** Case-insensitive comparison of bytes at `at` with a lower-case ASCII word. */
function is(bytes: Buffer, at: number, end: number, word: string): boolean {
  if (end - at !== word.length) return false;
  for (let i = 0; i < word.length; i++) if ((bytes[at + i]! | 32) !== word.charCodeAt(i)) return false;
  return true;
}

/** True when the comma-separated list in [at, end) has `word`. */
function lists(bytes: Buffer, at: number, end: number, word: string): boolean {
  let from = at;
  for (let i = at; i <= end; i++) {
    if (i < end && bytes[i] !== 44) continue;
    let a = from;
    let b = i;
    while (a < b && (bytes[a] === SPACE || bytes[a] === TAB)) a++;
    while (b > a && (bytes[b - 1] === SPACE || bytes[b - 1] === TAB)) b--;
    if (is(bytes, a, b, word)) return true;
    from = i + 1;
  }
  return false;
}

function number(bytes: Buffer, at: number, end: number): number {
  let value = 0;
  if (at === end) return -1;
  for (let i = at; i < end; i++) {
    const digit = bytes[i]! - 48;
    if (digit < 0 || digit > 9) return i > at && (bytes[i] === SPACE || bytes[i] === 44) ? value : -1;
    value = value * 10 + digit;
    if (value > 2 ** 52) return -1;
  }
  return value;
}

function header(bytes: Buffer, name: number, colon: number, lineEnd: number): void {
  const length = colon - name;
  // Only names of these lengths matter: expect 6, upgrade 7, connection 10, content-length 14, transfer-encoding 17.
  if (length !== 14 && length !== 10 && length !== 17 && length !== 6) return;
  let a = colon + 1;
  let b = lineEnd;
  while (a < b && (bytes[a] === SPACE || bytes[a] === TAB)) a++;
  while (b > a && (bytes[b - 1] === SPACE || bytes[b - 1] === TAB || bytes[b - 1] === CR)) b--;
  if (length === 14) {
    if (is(bytes, name, colon, 'content-length')) facts.contentLength = number(bytes, a, b);
  } else if (length === 10) {
    if (is(bytes, name, colon, 'connection')) {
      if (lists(bytes, a, b, 'close')) facts.close = true;
      else if (lists(bytes, a, b, 'keep-alive')) facts.keepAlive = true;
      if (lists(bytes, a, b, 'upgrade')) facts.upgrade = true;
    }
  } else if (length === 17) {
    if (is(bytes, name, colon, 'transfer-encoding') && lists(bytes, a, b, 'chunked')) facts.chunked = true;
  } else if (is(bytes, name, colon, 'expect') && is(bytes, a, b, '100-continue')) {
    facts.expect = true;
  }
}

/** Index just behind the line that begins at `start` (its LF included), or -1 when it is not there yet. */
export function lineEnd(bytes: Buffer, start: number, end: number): number {
  for (let i = start; i < end; i++) if (bytes[i] === LF) return i + 1;
  return -1;
}

/**
 * Scans the header lines in [start, end), where `start` is just behind the first line, and fills `facts`.
 *
 * @returns index just behind the empty line, or HEAD_INCOMPLETE
 * Cost: O(bytes), no allocation.
 */
export function scanHeaders(bytes: Buffer, start: number, end: number): number {
  facts.contentLength = -1;
  facts.chunked = false;
  facts.close = false;
  facts.keepAlive = false;
  facts.upgrade = false;
  facts.expect = false;
  let line = start;
  let colon = -1;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === COLON && colon < 0) colon = i;
    else if (byte === LF) {
      if (i === line || (i === line + 1 && bytes[line] === CR)) return i + 1;
      if (colon > line) header(bytes, line, colon, i);
      line = i + 1;
      colon = -1;
    }
  }
  return HEAD_INCOMPLETE;
}
