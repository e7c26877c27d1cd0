/**
 * Redis RESP2 and RESP3: pipelining, inline commands, nil (status `NIL`: a cache miss), errors, push messages.
 * Subscriptions (RESP2), MONITOR and replication turn the connection into a stream without answers: parsing stops.
 */
import type { Flow, MatchQueue, OrderedProtocol, Session } from '../protocol.ts';
import { BEGIN, DESYNC, END, MAX_TEXT_BYTES, NEED_MORE, ONE_WAY, REQUEST, RESPONSE, STOP } from '../protocol.ts';
import {
  BLOCK,
  blocks,
  commandName,
  isCommand,
  isCommonCommand,
  isOffer,
  mayBlock,
  opensStream,
  takesSubcommand,
} from './commands.ts';

const STAR = 42;
const DOLLAR = 36;
const PLUS = 43;
const MINUS = 45;
const COLON = 58;
const PUSH = 62;
const CR = 13;
const LF = 10;
/** Nesting of replies; deeper ones are garbage. */
const MAX_DEPTH = 16;
const MAX_LINE = 64 * 1024;
const MAX_BULK = 2 ** 29;
/** Types of RESP3 whose line is the whole value: null, boolean, double, big number. */
const SCALARS = new Set([..._('+-:_#,(')]);
const AGGREGATES = new Set([..._('*%~>|')]);
const BULKS = new Set([..._('$!=')]);

function _(types: string): number[] {
  return [...types].map((type) => type.charCodeAt(0));
}

/** Index of the LF that ends the line at `start`, or -1. */
function lineFeed(bytes: Buffer, start: number, end: number): number {
  const stop = Math.min(end, start + MAX_LINE);
  for (let i = start; i < stop; i++) if (bytes[i] === LF) return i;
  return -1;
}

/** Signed decimal between `at` and the CR before `lf`; NaN when it is none. */
function decimal(bytes: Buffer, at: number, lf: number): number {
  const stop = bytes[lf - 1] === CR ? lf - 1 : lf;
  const negative = bytes[at] === MINUS;
  let value = 0;
  let i = negative ? at + 1 : at;
  if (i >= stop || stop - i > 12) return Number.NaN;
  for (; i < stop; i++) {
    const digit = bytes[i]! - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return negative ? -value : value;
}

class RedisSession implements Session {
  mark = 0;
  operation = '';
  kind = 0;
  status = '';
  errorType: string | undefined = undefined;
  /** Arguments of the current command still to come, and which one is next. */
  #argumentsLeft = 0;
  #argument = 0;
  #resp3 = false;
  /** Elements still to come per open aggregate of the reply. */
  readonly #open: number[] = [];
  readonly #queue: MatchQueue;
  #isPush = false;

  constructor(queue: MatchQueue) {
    this.#queue = queue;
  }

  advance(flow: Flow, bytes: Buffer, start: number, end: number, more: boolean): number {
    this.mark = 0;
    return flow === REQUEST ? this.#request(bytes, start, end, more) : this.#response(bytes, start, end, more);
  }

  resync(flow: Flow, bytes: Buffer, start: number, end: number): boolean {
    const first = bytes[start]!;
    const lf = lineFeed(bytes, start, end);
    if (lf < 0) return false;
    if (flow === REQUEST) {
      if (first !== STAR || bytes[lf + 1] !== DOLLAR) return false;
      this.#argumentsLeft = 0;
      return decimal(bytes, start + 1, lf) > 0;
    }
    if (bytes[lf - 1] !== CR) return false;
    this.#open.length = 0;
    if (first === PLUS || first === MINUS) return true;
    return (first === STAR || first === DOLLAR || first === COLON) && !Number.isNaN(decimal(bytes, start + 1, lf));
  }

  mayAbandon(): boolean {
    return false;
  }

  #request(bytes: Buffer, start: number, end: number, more: boolean): number {
    const first = bytes[start]!;
    if (this.#argumentsLeft === 0 && (first === CR || first === LF)) return 1;
    const lf = lineFeed(bytes, start, end);
    if (lf < 0) return more && end - start < MAX_LINE ? NEED_MORE : DESYNC;
    if (this.#argumentsLeft > 0) return this.#argumentUnit(bytes, start, lf, end, more);
    if (first === STAR) {
      const count = decimal(bytes, start + 1, lf);
      if (!(count >= 1 && count <= 1_048_576)) return count === 0 || count === -1 ? lf + 1 - start : DESYNC;
      this.#argumentsLeft = count;
      this.#argument = 0;
      this.operation = 'UNKNOWN';
      this.kind = 0;
      this.mark = BEGIN;
      return lf + 1 - start;
    }
    return this.#inline(bytes, start, lf);
  }

  #argumentUnit(bytes: Buffer, start: number, lf: number, end: number, more: boolean): number {
    if (bytes[start] !== DOLLAR) return DESYNC;
    const length = decimal(bytes, start + 1, lf);
    if (!(length >= 0 && length <= MAX_BULK)) return DESYNC;
    const from = lf + 1;
    // The name, and for some commands the first argument, are read; the rest is skipped by its length.
    if (this.#argument < 2 && length <= 32) {
      if (end - from < length) {
        if (more) return NEED_MORE;
      } else if (this.#argument === 0) this.operation = commandName(bytes, from, from + length);
      else this.#firstArgument(bytes, from, from + length);
    }
    if (length === BLOCK.length && end - from >= length && mayBlock(this.operation, this.#argument)) {
      if (commandName(bytes, from, from + length) === BLOCK) this.operation = `${this.operation} ${BLOCK}`;
    }
    this.#argument++;
    this.#argumentsLeft--;
    if (this.#argumentsLeft === 0) this.#commandEnd();
    return from - start + length + 2;
  }

  #firstArgument(bytes: Buffer, start: number, end: number): void {
    if (takesSubcommand(this.operation) && isCommand(bytes, start, end)) {
      this.operation = `${this.operation} ${bytes.toString('latin1', start, end).toUpperCase()}`;
    } else if (this.operation === 'HELLO') this.#resp3 = end - start === 1 && bytes[start] === 51;
  }

  #commandEnd(): void {
    this.mark |= END;
    if (!opensStream(this.operation)) return;
    // In RESP3 the confirmation of a subscription is a push message, not a reply.
    this.mark |= this.#resp3 && this.operation.endsWith('SUBSCRIBE') ? ONE_WAY : ONE_WAY | STOP;
  }

  #inline(bytes: Buffer, start: number, lf: number): number {
    let stop = start;
    while (stop < lf && bytes[stop]! > 32) stop++;
    if (!isCommand(bytes, start, stop)) return DESYNC;
    this.operation = commandName(bytes, start, stop);
    this.kind = 0;
    this.mark = BEGIN;
    this.#commandEnd();
    return lf + 1 - start;
  }

  #response(bytes: Buffer, start: number, end: number, more: boolean): number {
    const type = bytes[start]!;
    const lf = lineFeed(bytes, start, end);
    if (lf < 0) {
      const plausible = SCALARS.has(type) || AGGREGATES.has(type) || BULKS.has(type);
      return more && plausible && end - start < MAX_LINE ? NEED_MORE : DESYNC;
    }
    const top = this.#open.length === 0;
    if (top) this.#isPush = type === PUSH;
    const length = lf + 1 - start;
    if (SCALARS.has(type)) {
      if (top) this.#begin(type, bytes, start, lf);
      this.#valueEnd();
      return length;
    }
    const count = decimal(bytes, start + 1, lf);
    if (Number.isNaN(count) || count < -1 || count > MAX_BULK) return DESYNC;
    if (BULKS.has(type)) {
      if (type === 33 && top && more && end - lf - 1 < Math.min(count, MAX_TEXT_BYTES)) return NEED_MORE;
      if (top) this.#beginBulk(type, bytes, lf + 1, Math.min(end, lf + 1 + count), count);
      this.#valueEnd();
      return count < 0 ? length : length + count + 2;
    }
    if (!AGGREGATES.has(type)) return DESYNC;
    return this.#aggregate(type, count, top, length);
  }

  #aggregate(type: number, count: number, top: boolean, length: number): number {
    if (top && type !== 124) this.#set(count < 0 ? 'NIL' : 'OK', undefined);
    if (count <= 0 && type !== 124) {
      this.#valueEnd();
      return length;
    }
    if (this.#open.length >= MAX_DEPTH) return DESYNC;
    // Maps and attributes hold pairs; the value an attribute speaks of follows it.
    const pairs = type === 37 || type === 124;
    this.#open.push(count * (pairs ? 2 : 1) + (type === 124 ? 1 : 0));
    if (top && type === 124) this.#set('OK', undefined);
    return length;
  }

  #begin(type: number, bytes: Buffer, start: number, lf: number): void {
    if (type === MINUS) this.#error(bytes, start + 1, lf);
    else this.#set(type === 95 ? 'NIL' : 'OK', undefined);
  }

  #beginBulk(type: number, bytes: Buffer, start: number, end: number, count: number): void {
    if (type === 33) this.#error(bytes, start, end);
    else this.#set(count < 0 ? 'NIL' : 'OK', undefined);
  }

  #error(bytes: Buffer, start: number, end: number): void {
    let stop = start;
    while (stop < end && stop - start < 24 && bytes[stop]! >= 65 && bytes[stop]! <= 90) stop++;
    const word = stop > start ? bytes.toString('latin1', start, stop) : 'ERR';
    // Redirections are part of a cluster's normal life; an offer that an older server does not know is declined.
    const isDeclined = word === 'ERR' && isOffer(this.#queue.head()?.operation ?? '');
    if (word === 'MOVED' || word === 'ASK') this.#set(word, undefined);
    else if (isDeclined) this.#set('DECLINED', undefined);
    else this.#set('ERR', word);
  }

  #set(status: string, errorType: string | undefined): void {
    if (this.#isPush) return;
    this.status = status;
    this.errorType = errorType;
    this.mark |= BEGIN;
  }

  /** A value is complete; so are the aggregates it was the last element of. */
  #valueEnd(): void {
    const open = this.#open;
    while (open.length > 0) {
      open[open.length - 1]!--;
      if (open[open.length - 1]! > 0) return;
      open.pop();
    }
    if (!this.#isPush) this.mark |= END;
  }
}

export const redis: OrderedProtocol = {
  name: 'redis',
  match: 'in-order',
  infer(bytes, start, end) {
    const first = bytes[start]!;
    const lf = lineFeed(bytes, start, end);
    if (lf < start + 2) return undefined;
    // An array of bulk strings may be a command or the reply to HGETALL: its first word tells.
    if (first === STAR && decimal(bytes, start + 1, lf) > 0 && bytes[lf + 1] === DOLLAR) {
      const word = lineFeed(bytes, lf + 1, end) + 1;
      return word > lf + 2 && isCommonCommand(bytes, word, lineFeed(bytes, word, end) - 1) ? REQUEST : undefined;
    }
    if (first === PLUS && bytes[lf - 1] === CR) return RESPONSE;
    return undefined;
  },
  open: (queue) => new RedisSession(queue),
  isError: (status) => status === 'ERR',
  waitsOn: blocks,
};
