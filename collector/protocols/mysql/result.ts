/**
 * Follows the packets of one response of the command phase until its last one: OK, ERR, result set (with and without
 * CLIENT_DEPRECATE_EOF, several result sets), prepared statement. One packet at a time, on its first bytes.
 */
import { COM_FIELD_LIST, COM_STATISTICS, COM_STMT_FETCH, COM_STMT_PREPARE } from './commands.ts';

const FIRST = 0;
const COLUMNS = 1;
const AFTER_COLUMNS = 2;
const ROWS = 3;
const DEFINITIONS = 4;

const MORE_RESULTS = 0x0008;
const CURSOR_EXISTS = 0x0040;

/** Value and size of a length-encoded integer; size 0 when it is cut or no integer. */
export function lengthEncoded(bytes: Buffer, at: number, end: number): readonly [number, number] {
  const first = at < end ? bytes[at]! : 0xff;
  if (first < 0xfb) return [first, 1];
  const size = first === 0xfc ? 2 : first === 0xfd ? 3 : first === 0xfe ? 6 : 0;
  if (size === 0 || at + 1 + size > end) return [0, 0];
  return [bytes.readUIntLE(at + 1, size), first === 0xfe ? 9 : size + 1];
}

/** Status flags of an OK packet (header 0x00 or 0xfe, two length-encoded integers, flags). */
function okFlags(bytes: Buffer, at: number, end: number): number {
  let i = at + 1;
  for (let k = 0; k < 2; k++) {
    const size = lengthEncoded(bytes, i, end)[1];
    if (size === 0) return 0;
    i += size;
  }
  return i + 1 < end ? bytes[i]! | (bytes[i + 1]! << 8) : 0;
}

export class ResultFollower {
  #phase = FIRST;
  #left = 0;
  /** `OK` or SQLSTATE; `errorCode` is the server's number of an error. */
  status = 'OK';
  errorCode = 0;

  reset(): void {
    this.#phase = FIRST;
    this.status = 'OK';
    this.errorCode = 0;
  }

  /**
   * Takes the packet with the payload [at, end) of `length` bytes (of which `end - at` are at hand).
   *
   * @returns true when it was the response's last
   */
  packet(command: number, bytes: Buffer, at: number, end: number, length: number): boolean {
    const first = at < end ? bytes[at]! : 0;
    if (first === 0xff && length >= 3) {
      this.#error(bytes, at, end);
      return true;
    }
    switch (this.#phase) {
      case FIRST:
        return this.#first(command, first, bytes, at, end, length);
      case COLUMNS:
        this.#left--;
        if (this.#left <= 0) this.#phase = AFTER_COLUMNS;
        return false;
      case AFTER_COLUMNS:
        this.#phase = ROWS;
        // An EOF packet has 5 bytes; the OK that ends an empty result with DEPRECATE_EOF has at least 7.
        if (first === 0xfe && length === 5) return this.#cursor(bytes, at, end);
        return this.#row(first, bytes, at, end, length);
      case ROWS:
        return this.#row(first, bytes, at, end, length);
      default:
        return this.#definition(first, length);
    }
  }

  #first(command: number, first: number, bytes: Buffer, at: number, end: number, length: number): boolean {
    if (command === COM_STATISTICS) return true;
    if (command === COM_FIELD_LIST || command === COM_STMT_FETCH) {
      this.#phase = ROWS;
      return this.#row(first, bytes, at, end, length);
    }
    if (first === 0x00) {
      if (command === COM_STMT_PREPARE && length >= 9) return this.#prepared(bytes, at, end);
      return (okFlags(bytes, at, end) & MORE_RESULTS) === 0;
    }
    if (first === 0xfe && length < 9) return true;
    // LOCAL INFILE: the client sends the file, then comes an OK or ERR.
    if (first === 0xfb) return false;
    const columns = lengthEncoded(bytes, at, end)[0];
    this.#left = columns;
    this.#phase = columns > 0 ? COLUMNS : ROWS;
    return false;
  }

  #prepared(bytes: Buffer, at: number, end: number): boolean {
    if (at + 9 > end) return true;
    const columns = bytes.readUInt16LE(at + 5);
    const parameters = bytes.readUInt16LE(at + 7);
    this.#left = columns + parameters;
    // Without DEPRECATE_EOF each list ends with an EOF; the one behind the last list is trailing and is ignored.
    this.#phase = DEFINITIONS;
    return this.#left === 0;
  }

  #definition(first: number, length: number): boolean {
    if (first !== 0xfe || length !== 5) this.#left--;
    return this.#left <= 0;
  }

  #row(first: number, bytes: Buffer, at: number, end: number, length: number): boolean {
    if (first !== 0xfe || length >= 0xffffff) return false;
    const flags = length === 5 ? (at + 4 < end ? bytes[at + 3]! | (bytes[at + 4]! << 8) : 0) : okFlags(bytes, at, end);
    this.#phase = FIRST;
    return (flags & MORE_RESULTS) === 0;
  }

  /** With an open cursor the rows are fetched later: the EOF after the columns is the end. */
  #cursor(bytes: Buffer, at: number, end: number): boolean {
    const flags = at + 4 < end ? bytes[at + 3]! | (bytes[at + 4]! << 8) : 0;
    return (flags & CURSOR_EXISTS) !== 0;
  }

  #error(bytes: Buffer, at: number, end: number): void {
    if (at + 3 <= end) this.errorCode = bytes[at + 1]! | (bytes[at + 2]! << 8);
    const hasState = at + 9 <= end && bytes[at + 3] === 35;
    const state = hasState ? bytes.toString('latin1', at + 4, at + 9) : '';
    this.status = /^[0-9A-Z]{5}$/.test(state) ? state : 'ERR';
  }
}
