/** FastCGI records: an 8-byte header, content, padding. */

export const BEGIN_REQUEST = 1;
export const ABORT_REQUEST = 2;
export const END_REQUEST = 3;
export const PARAMS = 4;
export const STDIN = 5;
export const STDOUT = 6;
export const STDERR = 7;
export const DATA = 8;
export const GET_VALUES = 9;
export const GET_VALUES_RESULT = 10;
export const UNKNOWN_TYPE = 11;

export const HEADER = 8;
/** Content of BEGIN_REQUEST and of END_REQUEST. */
export const FIXED_CONTENT = 8;
const VERSION = 1;

/** The header read last. One object is reused: headers are read one at a time. */
export const record = { type: 0, id: 0, contentLength: 0, length: 0 };

/**
 * Reads the header at `at` into `record`; the 8 bytes must be there.
 *
 * @returns false when no record begins here
 */
export function readHeader(bytes: Buffer, at: number): boolean {
  record.type = bytes[at + 1]!;
  record.id = (bytes[at + 2]! << 8) | bytes[at + 3]!;
  record.contentLength = (bytes[at + 4]! << 8) | bytes[at + 5]!;
  record.length = HEADER + record.contentLength + bytes[at + 6]!;
  return bytes[at] === VERSION && record.type >= BEGIN_REQUEST && record.type <= UNKNOWN_TYPE;
}

/** True when the bytes [at, end) begin with the record that begins a request, as far as they go behind its header. */
export function beginsRequest(bytes: Buffer, at: number, end: number): boolean {
  if (end - at < HEADER || !readHeader(bytes, at) || record.type !== BEGIN_REQUEST) return false;
  if (record.id === 0 || record.contentLength !== FIXED_CONTENT || bytes[at + 7] !== 0) return false;
  return end - at < HEADER + 2 || (bytes[at + HEADER] === 0 && isRole(bytes[at + HEADER + 1]!));
}

/** Responder, authorizer, filter. */
export function isRole(role: number): boolean {
  return role >= 1 && role <= 3;
}
