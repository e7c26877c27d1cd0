/**
 * MySQL and MariaDB: handshake (one call, `CONNECT`), COM_QUERY, prepared statements, OK/ERR/result sets.
 * status is `OK` or the SQLSTATE, errorType the server's error number (1205 lock wait timeout, 1213 deadlock, …).
 */
import { OperationCache } from '../operation-cache.ts';
import type { Flow, MatchQueue, OrderedProtocol, Session } from '../protocol.ts';
import { BEGIN, DESYNC, END, MAX_TEXT_BYTES, NEED_MORE, ONE_WAY, REQUEST, RESPONSE, STOP } from '../protocol.ts';
import { MYSQL_DIALECT, sqlFingerprint } from '../sql/fingerprint.ts';
import {
  COM_BINLOG_DUMP,
  COM_BINLOG_DUMP_GTID,
  COM_CHANGE_USER,
  COM_QUERY,
  COM_QUIT,
  COM_STMT_CLOSE,
  COM_STMT_EXECUTE,
  COM_STMT_PREPARE,
  commandName,
  isOneWay,
  KIND_CONNECT,
} from './commands.ts';
import { ResultFollower } from './result.ts';

const CLIENT_SSL = 0x0800;
const CLIENT_PROTOCOL_41 = 0x0200;
const MAX_STATEMENTS = 1024;
const MAX_PACKET = 0xffffff;
const HEADER = 4;

const fingerprints = new OperationCache();

function makeFingerprint(bytes: Buffer, start: number, end: number): string {
  return sqlFingerprint(bytes.toString('utf8', start, end), MYSQL_DIALECT) || '(empty)';
}

function packetLength(bytes: Buffer, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
}

class MysqlSession implements Session {
  mark = 0;
  operation = '';
  kind = 0;
  status = '';
  errorType: string | undefined = undefined;
  readonly #queue: MatchQueue;
  /** True from the greeting until the server's OK or ERR. */
  #connecting = false;
  #sentLogin = false;
  #answering = false;
  /** A packet of 2^24-1 bytes goes on in the next one. */
  readonly #continues: [boolean, boolean] = [false, false];
  readonly #result = new ResultFollower();
  /** Statements being prepared, in order, and by id. */
  readonly #preparing: string[] = [];
  readonly #statements = new Map<number, string>();

  constructor(queue: MatchQueue) {
    this.#queue = queue;
  }

  advance(flow: Flow, bytes: Buffer, start: number, end: number, more: boolean): number {
    this.mark = 0;
    const have = end - start;
    if (have < HEADER) return more ? NEED_MORE : DESYNC;
    const length = packetLength(bytes, start);
    const continued = this.#continues[flow];
    const wanted = Math.min(HEADER + length, HEADER + MAX_TEXT_BYTES);
    if (have < wanted && more && !continued) return NEED_MORE;
    this.#continues[flow] = length === MAX_PACKET;
    if (continued) return HEADER + length;
    const stop = Math.min(end, start + wanted);
    const good =
      flow === REQUEST ? this.#request(bytes, start, stop, length) : this.#response(bytes, start, stop, length);
    return good ? HEADER + length : DESYNC;
  }

  resync(flow: Flow, bytes: Buffer, start: number, end: number): boolean {
    if (end - start < HEADER + 1) return false;
    const length = packetLength(bytes, start);
    const sequence = bytes[start + 3]!;
    if (flow === REQUEST) {
      if (sequence !== 0 || length === 0 || commandName(bytes[start + HEADER]!) === undefined) return false;
      this.#connecting = false;
    } else {
      // The first packet of a response has sequence 1; a fully seen packet must end where the next begins.
      if (sequence !== 1 || length === 0 || this.#queue.head() === undefined) return false;
      this.#answering = false;
    }
    this.#continues[flow] = false;
    return true;
  }

  mayAbandon(): boolean {
    return false;
  }

  #request(bytes: Buffer, start: number, end: number, length: number): boolean {
    const sequence = bytes[start + 3]!;
    if (this.#connecting) return this.#login(bytes, start + HEADER, end, length);
    // Packets of an authentication switch or of LOCAL INFILE go on with the server's numbering.
    if (sequence !== 0) {
      if (sequence === 1 && !this.#answering && this.#looksLikeLogin(bytes, start + HEADER, end, length)) {
        return this.#login(bytes, start + HEADER, end, length);
      }
      return true;
    }
    const at = start + HEADER;
    const command = at < end ? bytes[at]! : 0xff;
    const name = length > 0 ? commandName(command) : undefined;
    if (name === undefined) return false;
    this.operation = this.#operation(command, name, bytes, at + 1, end);
    this.kind = command;
    this.mark = BEGIN | END;
    if (isOneWay(command)) this.mark |= ONE_WAY;
    else if (command === COM_BINLOG_DUMP || command === COM_BINLOG_DUMP_GTID) this.mark |= ONE_WAY | STOP;
    else if (command === COM_CHANGE_USER) this.#connecting = false;
    return true;
  }

  #operation(command: number, name: string, bytes: Buffer, at: number, end: number): string {
    if (command === COM_QUERY) return fingerprints.get(bytes, this.#textStart(bytes, at, end), end, makeFingerprint);
    if (command === COM_STMT_PREPARE) {
      const fingerprint = fingerprints.get(bytes, at, end, makeFingerprint);
      if (this.#preparing.length < 64) this.#preparing.push(fingerprint);
      return `PREPARE ${fingerprint}`;
    }
    if (command === COM_STMT_EXECUTE && at + 4 <= end) {
      return this.#statements.get(bytes.readUInt32LE(at)) ?? 'EXECUTE (unknown statement)';
    }
    if (command === COM_STMT_CLOSE && at + 4 <= end) this.#statements.delete(bytes.readUInt32LE(at));
    return name;
  }

  /** With CLIENT_QUERY_ATTRIBUTES the text follows `parameter_count parameter_set_count` = 0 1. */
  #textStart(bytes: Buffer, at: number, end: number): number {
    return at + 2 < end && bytes[at] === 0 && bytes[at + 1] === 1 ? at + 2 : at;
  }

  #looksLikeLogin(bytes: Buffer, at: number, end: number, length: number): boolean {
    return length >= 32 && end - at >= 4 && (bytes.readUInt32LE(at) & CLIENT_PROTOCOL_41) !== 0;
  }

  #login(bytes: Buffer, at: number, end: number, length: number): boolean {
    if (this.#sentLogin) return true;
    if (end - at < 4) return false;
    const capabilities = bytes.readUInt32LE(at);
    if ((capabilities & CLIENT_SSL) !== 0 && length === 32) {
      this.mark = STOP;
      return true;
    }
    this.#sentLogin = true;
    this.#connecting = true;
    this.operation = 'CONNECT';
    this.kind = KIND_CONNECT;
    this.mark = BEGIN | END;
    return true;
  }

  #response(bytes: Buffer, start: number, end: number, length: number): boolean {
    const at = start + HEADER;
    const first = at < end ? bytes[at]! : 0;
    const sequence = bytes[start + 3]!;
    const command = this.#queue.head()?.kind;
    if (sequence === 0 && command === undefined && (first === 10 || first === 9)) {
      this.#connecting = true;
      return true;
    }
    if (this.#connecting || command === KIND_CONNECT) return this.#loginAnswer(first, bytes, at, end, length);
    if (!this.#answering) {
      // A response begins with sequence 1; what follows its last counted packet (an EOF) is trailing.
      if (sequence !== 1) return true;
      this.#answering = true;
      this.#result.reset();
      this.mark = BEGIN;
    }
    if (command === COM_STMT_PREPARE && this.mark === BEGIN) this.#rememberStatement(first, bytes, at, end);
    if (this.#result.packet(command ?? COM_QUERY, bytes, at, end, length)) {
      this.#answering = false;
      this.mark |= END;
    }
    this.#takeStatus();
    return true;
  }

  #loginAnswer(first: number, bytes: Buffer, at: number, end: number, length: number): boolean {
    // 0xfe asks to switch the method, 0x01 carries more of it: the answer is still to come.
    if (first !== 0x00 && first !== 0xff) return true;
    this.#connecting = false;
    this.#result.reset();
    this.#result.packet(COM_QUIT, bytes, at, end, length);
    this.mark = BEGIN | END;
    this.#takeStatus();
    return true;
  }

  #takeStatus(): void {
    this.status = this.#result.status;
    this.errorType = this.status === 'OK' ? undefined : String(this.#result.errorCode || 'ERR');
  }

  #rememberStatement(first: number, bytes: Buffer, at: number, end: number): void {
    const fingerprint = this.#preparing.shift();
    if (first !== 0 || fingerprint === undefined || at + 5 > end) return;
    if (this.#statements.size >= MAX_STATEMENTS) this.#statements.delete(this.#statements.keys().next().value ?? 0);
    this.#statements.set(bytes.readUInt32LE(at + 1), fingerprint);
  }
}

export const mysql: OrderedProtocol = {
  name: 'mysql',
  match: 'in-order',
  infer(bytes, start, end) {
    if (end - start < HEADER + 1) return undefined;
    const length = packetLength(bytes, start);
    const sequence = bytes[start + 3]!;
    const first = bytes[start + HEADER]!;
    const whole = end - start === HEADER + length;
    if (sequence !== 0 || length === 0) return undefined;
    // The greeting: version 10, then a printable server version that ends with a zero.
    if (first === 10 && length > 40 && bytes[start + 5]! >= 48 && bytes[start + 5]! <= 57) return RESPONSE;
    if (!whole && length <= end - start - HEADER) return undefined;
    if (first === COM_QUERY || first === COM_STMT_PREPARE) {
      return length > 4 && letters(bytes, start + HEADER + 1, end) ? REQUEST : undefined;
    }
    if (first === COM_STMT_EXECUTE) return whole && length >= 10 ? REQUEST : undefined;
    return whole && length === 1 && first === 0x0e ? REQUEST : undefined;
  },
  open: (queue) => new MysqlSession(queue),
  isError: (status) => status !== 'OK',
};

function letters(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  if (bytes[at] === 0 && bytes[at + 1] === 1) at += 2;
  for (let i = at; i < Math.min(end, at + 4); i++) {
    const low = bytes[i]! | 32;
    if (!(low >= 97 && low <= 122) && ![32, 9, 10, 13, 40, 42, 45, 47].includes(bytes[i]!)) return false;
  }
  return at < end;
}
