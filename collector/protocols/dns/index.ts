/**
 * DNS over UDP (RFC 1035): header and first question of a message. One question is one call, its answer found by the id.
 *
 * That a name does not exist is an answer like any other, because resolvers try names in several domains, and so is that the
 * server will not answer, because it may have no records of a type and nobody to ask for them (AAAA). Both are errors where the
 * same question was answered with records before. What says that the server failed always is.
 * NOERROR without records (the name has none of the type) and answers that were cut (asked again over TCP) are none.
 */
import { OperationCache } from '../operation-cache.ts';
import type { DatagramMessage, DatagramProtocol, Flow } from '../protocol.ts';
import { REQUEST, RESPONSE } from '../protocol.ts';
import { questionOperation } from './operation.ts';

const HEADER_BYTES = 12;
const MAX_LABEL = 63;
const MAX_NAME = 255;
const QUERY = 0;
const OTHER_OPCODES: Readonly<Record<number, string>> = { 4: 'NOTIFY', 5: 'UPDATE' };
const RCODES: readonly string[] = [
  'NOERROR',
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'YXDOMAIN',
  'YXRRSET',
  'NXRRSET',
  'NOTAUTH',
  'NOTZONE',
];
const ERRORS: ReadonlySet<string> = new Set(['FORMERR', 'SERVFAIL', 'NOTIMP']);
/** Who asked several servers takes these from the first one, and waits for the others where a server did not say. */
const ENOUGH: ReadonlySet<string> = new Set(['NOERROR', 'NXDOMAIN']);
const ERRORS_OF_KNOWN: ReadonlySet<string> = new Set(['NXDOMAIN', 'REFUSED']);
/** Questions remembered that were answered with records. */
const MAX_ANSWERED = 8_192;

interface Message {
  flow: Flow;
  key: number;
  operation: string;
  status: string;
  errorType: string | undefined;
  isEnough: boolean;
}

/** The end of the first question, undefined when there is no whole one. */
function questionEnd(bytes: Buffer, start: number, end: number): number | undefined {
  let at = start;
  for (;;) {
    const length = bytes[at];
    // Compressed names point backwards, and nothing is there yet.
    if (at >= end || length === undefined || length > MAX_LABEL) return undefined;
    at += length + 1;
    if (at - start > MAX_NAME) return undefined;
    if (length === 0) return at + 4 <= end ? at + 4 : undefined;
  }
}

export class Dns implements DatagramProtocol {
  readonly name = 'dns';
  readonly #operations = new OperationCache();
  /** Name and type as on the wire, in lower case; the one seen last stays longest. */
  readonly #answered = new Set<string>();
  readonly #maxAnswered: number;
  readonly #message: Message = {
    flow: REQUEST,
    key: 0,
    operation: '',
    status: '',
    errorType: undefined,
    isEnough: false,
  };

  constructor(maxAnswered: number = MAX_ANSWERED) {
    this.#maxAnswered = maxAnswered;
  }

  read(bytes: Buffer, start: number, end: number): DatagramMessage | undefined {
    if (end - start < HEADER_BYTES) return undefined;
    const flags = bytes.readUInt16BE(start + 2);
    const flow = (flags & 0x8000) === 0 ? REQUEST : RESPONSE;
    const opcode = (flags >> 11) & 15;
    const other = OTHER_OPCODES[opcode];
    if (opcode !== QUERY && other === undefined) return undefined;
    const from = start + HEADER_BYTES;
    const hasQuestion = bytes.readUInt16BE(start + 4) > 0;
    const to = hasQuestion ? questionEnd(bytes, from, end) : undefined;
    if (to === undefined && (hasQuestion || flow === REQUEST)) return undefined;

    const message = this.#message;
    message.flow = flow;
    message.key = bytes.readUInt16BE(start);
    message.operation = '';
    message.status = '';
    message.errorType = undefined;
    message.isEnough = false;
    // The class is left out: it is always IN.
    if (to !== undefined) message.operation = other ?? this.#operations.get(bytes, from, to - 2, questionOperation);
    if (flow === RESPONSE) {
      const rcode = flags & 15;
      message.status = RCODES[rcode] ?? `RCODE${rcode}`;
      message.isEnough = ENOUGH.has(message.status);
      const hasRecords = bytes.readUInt16BE(start + 6) > 0;
      const isKnown = to !== undefined && this.#judge(bytes, from, to - 2, message.status, hasRecords);
      if (isKnown || ERRORS.has(message.status)) message.errorType = message.status;
    }
    return message;
  }

  /** Remembers a question that is answered with records; true where such a one is no longer. */
  #judge(bytes: Buffer, from: number, to: number, status: string, hasRecords: boolean): boolean {
    const isAnswered = status === 'NOERROR' && hasRecords;
    if (!isAnswered && !ERRORS_OF_KNOWN.has(status)) return false;
    const question = bytes.toString('latin1', from, to).toLowerCase();
    if (!isAnswered) return this.#answered.has(question);
    this.#answered.delete(question);
    if (this.#answered.size >= this.#maxAnswered) {
      const [oldest] = this.#answered;
      if (oldest !== undefined) this.#answered.delete(oldest);
    }
    this.#answered.add(question);
    return false;
  }
}
