/** What STDOUT, STDERR and END_REQUEST say of the outcome. */

const LF = 10;
const CR = 13;
const FATAL = /PHP (?:Recoverable fatal|Fatal|Parse) error:/;
const STATUS = Buffer.from('status:', 'latin1');
const LOCATION = Buffer.from('location:', 'latin1');

/** Names of the protocol status, which is an error unless it is 0. */
const PROTOCOL_STATUS = ['', 'CANT_MPX_CONN', 'OVERLOADED', 'UNKNOWN_ROLE'] as const;

/** The status of a response whose header block was not captured. */
export const UNSEEN = 'unknown';
/** Error type where only this much of a failure is known: what STDERR said. */
export const FATAL_ERROR = 'fatal_error';
/** Error type of a request that ended without a header block; a web server makes 502 of it. */
export const EMPTY_RESPONSE = 'empty_response';

const statusTexts: string[] = [];

function statusText(value: number): string {
  statusTexts[value] ??= String(value);
  return statusTexts[value];
}

/** True when [start, end) begins with the lower-case `word`, whatever its case. */
function begins(bytes: Buffer, start: number, end: number, word: Buffer): boolean {
  if (end - start < word.length) return false;
  for (let i = 0; i < word.length; i++) if ((bytes[start + i]! | 32) !== word[i]) return false;
  return true;
}

/** The three digits of a status line's value, 0 when there are none. */
function code(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] === 32) at++;
  if (at + 3 > end) return 0;
  let value = 0;
  for (let i = at; i < at + 3; i++) {
    const digit = bytes[i]! - 48;
    if (digit < 0 || digit > 9) return 0;
    value = value * 10 + digit;
  }
  return value >= 100 ? value : 0;
}

/**
 * The status of the CGI header block that begins at `start`: of its Status line; without one 302 where it has a Location,
 * else 200 (RFC 3875 section 6.3).
 *
 * @param whole true when no more of the block will be seen: what was seen decides then
 * @returns undefined when more must be seen
 */
export function headStatus(bytes: Buffer, start: number, end: number, whole: boolean): string | undefined {
  let line = start;
  let moved = false;
  for (let i = start; i < end; i++) {
    if (bytes[i] !== LF) continue;
    if (i === line || (i === line + 1 && bytes[line] === CR)) return moved ? '302' : '200';
    if (begins(bytes, line, i, STATUS)) {
      const value = code(bytes, line + STATUS.length, i);
      if (value > 0) return statusText(value);
    } else if (begins(bytes, line, i, LOCATION)) moved = true;
    line = i + 1;
  }
  if (!whole) return undefined;
  // The last line may be cut behind the code.
  const value = begins(bytes, line, end, STATUS) ? code(bytes, line + STATUS.length, end) : 0;
  if (value > 0) return statusText(value);
  // PHP writes its Status first: too little of the first line tells nothing.
  const little = Math.min(end - start, STATUS.length);
  if (line === start && begins(bytes, start, start + little, STATUS.subarray(0, little))) return UNSEEN;
  return moved ? '302' : '200';
}

/** True when a header line begins here: a name and a colon. */
export function beginsHead(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const low = bytes[i]! | 32;
    if (bytes[i] === 58) return i > start;
    if (!(low >= 97 && low <= 122) && bytes[i] !== 45 && !(bytes[i]! >= 48 && bytes[i]! <= 57)) return false;
  }
  return false;
}

/** True when what was written to STDERR tells of an error that ends a PHP script. */
export function saysFatal(bytes: Buffer, start: number, end: number): boolean {
  return FATAL.test(bytes.toString('latin1', start, end));
}

/** The name of a protocol status that is not 0. */
export function protocolStatus(value: number): string {
  return PROTOCOL_STATUS[value] ?? `PROTOCOL_STATUS_${value}`;
}

/** True for 5xx and for a protocol status. */
export function isFailure(status: string): boolean {
  if (status === UNSEEN) return false;
  const digits = status.length === 3 && status >= '100' && status <= '999';
  return digits ? status >= '500' : true;
}
