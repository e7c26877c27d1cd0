/**
 * PostgreSQL protocol 3.0: startup, SSLRequest, simple and extended query, COPY. One call is one request cycle that
 * ReadyForQuery ends: a simple Query, or everything up to a Sync (a libpq pipeline between two Syncs is one call, named
 * after its first statement). The startup and authentication are one call, `CONNECT`.
 */
import { OperationCache } from '../operation-cache.ts';
import type { Flow, MatchQueue, OrderedProtocol, Session } from '../protocol.ts';
import { BEGIN, DESYNC, END, MAX_TEXT_BYTES, NEED_MORE, ONE_WAY, REQUEST, RESPONSE, STOP } from '../protocol.ts';
import { POSTGRESQL_DIALECT, sqlFingerprint } from '../sql/fingerprint.ts';

const PROTOCOL_3 = 196608;
const CANCEL = 80877102;
const SSL = 80877103;
const GSS = 80877104;
/** Prepared statement and portal names remembered per connection. */
const MAX_NAMES = 1024;
const MAX_MESSAGE = 2 ** 30;

const KIND_STARTUP = 1;

const REQUEST_TYPES = new Set([...'QPBDECSHXpdcfF'].map((type) => type.charCodeAt(0)));
const RESPONSE_TYPES = new Set([...'RKSZTDCEIN123AnstGHWVcdv'].map((type) => type.charCodeAt(0)));

const AT_START = 0;
const AT_MESSAGE = 1;
const AT_NEGOTIATION = 2;

const Q = 81;
const P = 80;
const B = 66;
const E = 69;
const S = 83;
const X = 88;
const F = 70;
const Z = 90;
const N = 78;
const A = 65;

const fingerprints = new OperationCache();

function makeFingerprint(bytes: Buffer, start: number, end: number): string {
  return sqlFingerprint(bytes.toString('utf8', start, end), POSTGRESQL_DIALECT) || '(empty)';
}

/** Index of the zero byte that ends the string at `at`; `end` when it is cut. */
function zero(bytes: Buffer, at: number, end: number): number {
  let i = at;
  while (i < end && bytes[i] !== 0) i++;
  return i;
}

function int32(bytes: Buffer, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** Drivers send it together with the first statement of a transaction, which says what is asked. */
const OPENS = /^(begin|start transaction)\b/;

class PostgresqlSession implements Session {
  mark = 0;
  operation = '';
  kind = 0;
  status = '';
  errorType: string | undefined = undefined;
  readonly #queue: MatchQueue;
  readonly #state: [number, number] = [AT_START, AT_START];
  /** Statement and portal name -> fingerprint. */
  readonly #statements = new Map<string, string>();
  readonly #portals = new Map<string, string>();
  #inCycle = false;
  #executed = false;
  #answering = false;

  constructor(queue: MatchQueue) {
    this.#queue = queue;
  }

  advance(flow: Flow, bytes: Buffer, start: number, end: number, more: boolean): number {
    this.mark = 0;
    const have = end - start;
    if (flow === REQUEST) {
      if (this.#state[REQUEST] !== AT_MESSAGE) {
        const first = bytes[start]!;
        if (first === 0) return this.#startup(bytes, start, have, more);
        this.#state[REQUEST] = AT_MESSAGE;
      }
    } else if (this.#state[RESPONSE] === AT_NEGOTIATION) {
      return this.#negotiation(bytes[start]!);
    }
    if (have < 5) return more && this.#known(flow, bytes[start]!) ? NEED_MORE : DESYNC;
    const length = int32(bytes, start + 1);
    const type = bytes[start]!;
    if (length < 4 || length > MAX_MESSAGE || !this.#known(flow, type)) return DESYNC;
    const total = length + 1;
    const wanted = Math.min(total, 5 + MAX_TEXT_BYTES);
    const looks = flow === REQUEST ? type === Q || type === P || type === B || type === E : type === E;
    if (looks && have < wanted && more) return NEED_MORE;
    const stop = Math.min(end, start + total, start + wanted);
    if (flow === REQUEST) this.#request(type, bytes, start + 5, stop);
    else this.#response(type, bytes, start + 5, stop);
    return total;
  }

  resync(flow: Flow, bytes: Buffer, start: number, end: number): boolean {
    if (end - start < 5) return false;
    const length = int32(bytes, start + 1);
    if (!this.#known(flow, bytes[start]!) || length < 4 || length > MAX_MESSAGE) return false;
    const next = start + 1 + length;
    if (next < end && !this.#known(flow, bytes[next]!)) return false;
    // Inside a cut message any byte may look like a type: a flow is trusted again where a cycle can begin or end.
    if (flow === REQUEST && ![Q, P, B, X].includes(bytes[start]!)) return false;
    this.#state[flow] = AT_MESSAGE;
    if (flow === REQUEST) this.#inCycle = false;
    else this.#answering = false;
    return true;
  }

  mayAbandon(): boolean {
    return false;
  }

  #known(flow: Flow, type: number): boolean {
    return flow === REQUEST ? REQUEST_TYPES.has(type) : RESPONSE_TYPES.has(type);
  }

  #startup(bytes: Buffer, start: number, have: number, more: boolean): number {
    if (have < 8) return more ? NEED_MORE : DESYNC;
    const length = int32(bytes, start);
    const code = int32(bytes, start + 4);
    if (length < 8 || length > 10_000) return DESYNC;
    if (code === SSL || code === GSS) {
      this.#state[RESPONSE] = AT_NEGOTIATION;
    } else if (code === PROTOCOL_3 || code >>> 16 === 3) {
      this.#state[REQUEST] = AT_MESSAGE;
      this.operation = 'CONNECT';
      this.kind = KIND_STARTUP;
      this.mark = BEGIN | END;
    } else if (code === CANCEL) {
      this.operation = 'CANCEL';
      this.mark = BEGIN | END | ONE_WAY | STOP;
    } else return DESYNC;
    return length;
  }

  #negotiation(answer: number): number {
    this.#state[RESPONSE] = AT_MESSAGE;
    if (answer === N) return 1;
    this.mark = STOP;
    return answer === S || answer === 71 ? 1 : DESYNC;
  }

  #request(type: number, bytes: Buffer, at: number, end: number): void {
    if (type === Q) {
      this.operation = fingerprints.get(bytes, at, zero(bytes, at, end), makeFingerprint);
      this.kind = 0;
      this.mark = BEGIN | END;
      this.#inCycle = false;
    } else if (type === F) {
      this.operation = 'FUNCTION CALL';
      this.kind = 0;
      this.mark = BEGIN | END;
    } else if (type === P || type === B || type === E || type === 68 || type === 67) {
      this.#extended(type, bytes, at, end);
    } else if (type === S) {
      // A lone Sync is answered by ReadyForQuery too.
      if (!this.#inCycle) this.operation = 'SYNC';
      this.mark = this.#inCycle ? END : BEGIN | END;
      this.#inCycle = false;
    } else if (type === X) {
      this.operation = 'TERMINATE';
      this.mark = BEGIN | END | ONE_WAY;
    }
  }

  #extended(type: number, bytes: Buffer, at: number, end: number): void {
    if (!this.#inCycle) {
      this.#inCycle = true;
      this.#executed = false;
      this.operation = 'SYNC';
      this.kind = 0;
      this.mark = BEGIN;
    }
    if (type === P) {
      const name = zero(bytes, at, end);
      const from = Math.min(name + 1, end);
      const fingerprint = fingerprints.get(bytes, from, zero(bytes, from, end), makeFingerprint);
      remember(this.#statements, bytes.toString('latin1', at, name), fingerprint);
      if (!this.#executed) this.operation = `PREPARE ${fingerprint}`;
    } else if (type === B) {
      const portal = zero(bytes, at, end);
      const from = Math.min(portal + 1, end);
      const statement = bytes.toString('latin1', from, zero(bytes, from, end));
      const fingerprint = this.#statements.get(statement) ?? 'EXECUTE (unknown statement)';
      remember(this.#portals, bytes.toString('latin1', at, portal), fingerprint);
    } else if (type === E && (!this.#executed || OPENS.test(this.operation))) {
      const portal = bytes.toString('latin1', at, zero(bytes, at, end));
      this.operation = this.#portals.get(portal) ?? 'EXECUTE (unknown statement)';
      this.#executed = true;
    }
  }

  #response(type: number, bytes: Buffer, at: number, end: number): void {
    // Parameter status, notices and notifications come at any time, and belong to no request.
    if ((type === S || type === N || type === A) && !this.#answering) return;
    if (!this.#answering) {
      this.#answering = true;
      this.status = 'OK';
      this.errorType = undefined;
      this.mark = BEGIN;
    }
    if (type === E) {
      const fatal = this.#error(bytes, at, end);
      if (fatal || this.#queue.head()?.kind === KIND_STARTUP) this.#finish();
    } else if (type === Z) this.#finish();
  }

  #finish(): void {
    this.#answering = false;
    this.mark |= END;
  }

  /** Reads an ErrorResponse's fields; the first error of a cycle names it. True when the session is over. */
  #error(bytes: Buffer, at: number, end: number): boolean {
    let fatal = false;
    let code = 'ERR';
    for (let i = at; i < end && bytes[i] !== 0; ) {
      const stop = zero(bytes, i + 1, end);
      if (bytes[i] === 67 && stop - i === 6) code = bytes.toString('latin1', i + 1, stop);
      if (bytes[i] === 86 || bytes[i] === S) {
        const severity = bytes.toString('latin1', i + 1, stop);
        if (severity === 'FATAL' || severity === 'PANIC') fatal = true;
      }
      i = stop + 1;
    }
    if (this.status === 'OK') {
      this.status = /^[0-9A-Z]{5}$/.test(code) ? code : 'ERR';
      this.errorType = this.status;
    }
    return fatal;
  }
}

function remember(names: Map<string, string>, name: string, fingerprint: string): void {
  if (names.size >= MAX_NAMES && !names.has(name)) names.delete(names.keys().next().value ?? '');
  names.set(name, fingerprint);
}

export const postgresql: OrderedProtocol = {
  name: 'postgresql',
  match: 'in-order',
  infer(bytes, start, end) {
    if (end - start < 5) return undefined;
    const length = int32(bytes, start);
    if (end - start >= 8) {
      const code = int32(bytes, start + 4);
      if (code === PROTOCOL_3 && length >= 8 && length < 10_000) return REQUEST;
      if ((code === SSL || code === GSS) && length === 8) return REQUEST;
      if (code === CANCEL && length === 16) return REQUEST;
    }
    const body = int32(bytes, start + 1);
    if (body < 4 || body > 2 ** 24) return undefined;
    const type = bytes[start]!;
    if (type === Q && body > 5 && printable(bytes, start + 5, Math.min(end, start + body))) return REQUEST;
    if ((type === P || type === B) && end - start > 8 && endsInSync(bytes, start, end)) return REQUEST;
    if (type === Z && body === 5 && end - start >= 6) return RESPONSE;
    if (type === 82 && (body === 8 || body === 12) && int32(bytes, start + 5) <= 12) return RESPONSE;
    return undefined;
  },
  open: (queue) => new PostgresqlSession(queue),
  isError: (status) => status !== 'OK',
};

function printable(bytes: Buffer, at: number, end: number): boolean {
  for (let i = at; i < end; i++) if (bytes[i]! < 9) return false;
  return end > at;
}

/** An extended-query write normally ends with Sync (or Flush), whole. */
function endsInSync(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < 10) return false;
  const type = bytes[end - 5]!;
  return (type === S || type === 72) && int32(bytes, end - 4) === 4;
}
