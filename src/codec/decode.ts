/** A message on the bus -> batches, or a rejection with its reason. Never throws on the content of a message. */
import { DEFAULT_WINDOW_MS } from '../model/units.ts';
import { ENVELOPE_FIELD } from './column-fields.ts';
import type { Header } from './decode-columns.ts';
import { decodeCallColumns, decodeTcpColumns } from './decode-columns.ts';
import { decodeRows } from './proto-rows.ts';
import type { DecodedBatch, DecodeResult } from './result.ts';
import { CodecProblem, reject } from './result.ts';
import { lastToken, tokenEpoch } from './text-cache.ts';
import { guessesFor, remember, sourceOf } from './text-guesses.ts';
import { checkEnvelope, SCHEMA_VERSION, toBatch } from './validate.ts';
import { WireReader } from './wire-reader.ts';

export const CONTENT_TYPE_JSON = 'application/json';
export const CONTENT_TYPE_PROTOBUF = 'application/x-protobuf';
export const SCHEMA_HEADER = 'rootwalk-schema';
/** Larger messages are refused unread: ours are 16-64 KB. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/**
 * @param value    bytes of the message
 * @param headers  lower-case names; without `content-type` the first byte decides (`{` or `[` means JSON)
 */
export function decodeMessage(value: Uint8Array, headers: Readonly<Record<string, string>>): DecodeResult {
  if (value.byteLength > MAX_MESSAGE_BYTES) {
    return reject(
      'too_large',
      `expected at most ${MAX_MESSAGE_BYTES} bytes, found ${value.byteLength}; send batches of 16-64 KB`,
    );
  }
  const version = headers[SCHEMA_HEADER];
  if (version !== undefined && version !== String(SCHEMA_VERSION)) {
    return reject('unknown_version', `header ${SCHEMA_HEADER}: expected ${SCHEMA_VERSION}, found ${version}`);
  }
  try {
    return isJson(value, headers['content-type']) ? { ok: true, batches: decodeJson(value) } : decodeProtobuf(value);
  } catch (problem) {
    if (problem instanceof CodecProblem) return reject(problem.reason, problem.message);
    return reject('bad_encoding', `cannot decode: ${(problem as Error).message}`);
  }
}

function isJson(value: Uint8Array, contentType: string | undefined): boolean {
  if (contentType !== undefined) {
    const type = contentType.split(';')[0]?.trim().toLowerCase();
    if (type === CONTENT_TYPE_JSON) return true;
    if (type === CONTENT_TYPE_PROTOBUF || type === 'application/protobuf') return false;
    throw new CodecProblem(
      'bad_encoding',
      `header content-type: expected ${CONTENT_TYPE_JSON} or ${CONTENT_TYPE_PROTOBUF}, found ${contentType}`,
    );
  }
  const first = value.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d);
  return first === 0x7b || first === 0x5b;
}

function decodeJson(value: Uint8Array): DecodedBatch[] {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(value);
  } catch {
    throw new CodecProblem('bad_encoding', 'not UTF-8 text');
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new CodecProblem('bad_encoding', `not JSON: ${(cause as Error).message}`);
  }
  return (Array.isArray(parsed) ? parsed : [parsed]).map((item: unknown) => toBatch(item, DEFAULT_WINDOW_MS));
}

/** Calls and TCP counters become columns, the rest rows. */
function decodeProtobuf(value: Uint8Array): DecodeResult {
  const reader = new WireReader(value);
  const strings: string[] = [];
  const tokens: number[] = [];
  const epoch = tokenEpoch();
  const head = {
    schemaVersion: 0,
    type: '',
    environment: '',
    collector: '',
    windowStartMs: 0,
    windowMs: 0,
    sequence: 0,
    rows: 0,
  };
  /** Number of the collector's name in the cache of texts, and the message's place among its messages. */
  let collector = -1;
  let source = -1;
  let body: WireReader | undefined;
  let bodyField = 0;
  while (reader.next()) {
    const { field } = reader;
    if (field === ENVELOPE_FIELD.strings) {
      if (strings.length === 0) source = sourceOf(collector, head.type === 'call', head.sequence);
      reader.texts(strings, tokens, guessesFor(source));
    } else if (field === ENVELOPE_FIELD.type) head.type = reader.string();
    else if (field === ENVELOPE_FIELD.environment) head.environment = reader.string();
    else if (field === ENVELOPE_FIELD.collector) {
      head.collector = reader.string();
      collector = lastToken();
    } else if (field === ENVELOPE_FIELD.windowStartMs) head.windowStartMs = reader.double();
    else if (field === ENVELOPE_FIELD.windowMs) head.windowMs = reader.uint32();
    else if (field === ENVELOPE_FIELD.sequence) head.sequence = reader.uint32();
    else if (field === ENVELOPE_FIELD.rows) head.rows = reader.uint32();
    else if (field === ENVELOPE_FIELD.schemaVersion) head.schemaVersion = reader.uint32();
    else if (field === ENVELOPE_FIELD.call || field === ENVELOPE_FIELD.tcp) {
      body = reader.message();
      bodyField = field;
    } else reader.skip();
  }
  if (head.schemaVersion !== SCHEMA_VERSION)
    throw new CodecProblem(
      'unknown_version',
      `schema_version: expected ${SCHEMA_VERSION}, found ${head.schemaVersion}`,
    );
  if (head.type !== 'call' && head.type !== 'tcp') {
    return { ok: true, batches: [toBatch(decodeRows(value), DEFAULT_WINDOW_MS)] };
  }
  checkEnvelope(head);
  if (head.rows > value.byteLength)
    throw new CodecProblem('bad_encoding', `rows: ${head.rows} rows do not fit ${value.byteLength} bytes`);
  if (bodyField !== ENVELOPE_FIELD[head.type])
    throw new CodecProblem('missing_field', `${head.type}: the columns are missing`);
  if (strings[0] !== '') strings[0] = strings[0] === undefined ? '' : fail();
  if (tokens.length === 0) tokens.push(-1);
  if (epoch === tokenEpoch()) remember(source, tokens, epoch);
  // The cache started anew meanwhile: numbers of two epochs do not mix.
  const known = epoch === tokenEpoch() ? { tokens: { epoch, of: tokens } } : {};
  const header: Header = { ...head, schemaVersion: SCHEMA_VERSION, strings, ...known };
  const lease = body!.loadColumns();
  try {
    const batch = head.type === 'call' ? decodeCallColumns(header, body!) : decodeTcpColumns(header, body!);
    return { ok: true, batches: [batch], lease };
  } catch (problem) {
    lease.release();
    throw problem;
  }
}

function fail(): never {
  throw new CodecProblem('bad_encoding', 'strings[0]: expected the empty string');
}
