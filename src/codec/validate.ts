/** Validation of a batch of rows against the field table. */
import { nearestName } from '../model/nearest.ts';
import type { AnyBatch, RecordType } from '../model/records.ts';
import { RECORD_TYPES } from '../model/records.ts';
import type { Field } from './fields.ts';
import { FIELDS } from './fields.ts';
import { CodecProblem } from './result.ts';

export const SCHEMA_VERSION = 1;
export const DEFAULT_COLLECTOR = 'json';
const MAX_NAME_LENGTH = 1_024;
const ENVELOPE = [
  'schemaVersion',
  'type',
  'environment',
  'collector',
  'windowStartMs',
  'windowMs',
  'sequence',
  'records',
];

type Json = Readonly<Record<string, unknown>>;

/**
 * Checks a parsed JSON value and fills in what may be left out: schemaVersion 1, windowMs 5000, sequence 0, collector
 * "json". A value without `records` is one record with the envelope's fields beside its own.
 * @throws {CodecProblem} naming the path, what was expected and what was found
 */
export function toBatch(value: unknown, defaultWindowMs: number): AnyBatch {
  if (!isJson(value)) throw new CodecProblem('bad_type', `expected a JSON object (a batch), found ${kindOf(value)}`);
  const {
    schemaVersion = SCHEMA_VERSION,
    type,
    environment,
    collector = DEFAULT_COLLECTOR,
    windowStartMs,
    windowMs = defaultWindowMs,
    sequence = 0,
  } = value;
  if (schemaVersion !== SCHEMA_VERSION) {
    throw new CodecProblem(
      'unknown_version',
      `schemaVersion: expected ${SCHEMA_VERSION}, found ${show(schemaVersion)}`,
    );
  }
  if (type === undefined) throw new CodecProblem('missing_field', `type: expected one of ${RECORD_TYPES.join(', ')}`);
  if (!RECORD_TYPES.includes(type as RecordType)) {
    const near = typeof type === 'string' ? nearestName(type, RECORD_TYPES) : undefined;
    throw new CodecProblem(
      'bad_type',
      `type: expected one of ${RECORD_TYPES.join(', ')}, found ${show(type)}${near ? `; did you mean "${near}"?` : ''}`,
    );
  }
  checkEnvelope({ environment, collector, windowStartMs, windowMs, sequence });
  const fields = FIELDS[type as RecordType];
  const records = value['records'] ?? [withoutEnvelope(value, fields)];
  if (!Array.isArray(records)) throw new CodecProblem('bad_type', `records: expected a list, found ${kindOf(records)}`);
  if (value['records'] !== undefined) {
    const unknown = Object.keys(value).find((key) => !ENVELOPE.includes(key));
    if (unknown !== undefined) throw unknownField('', unknown, ENVELOPE);
  }
  records.forEach((record: unknown, index) => {
    checkRecord(record, fields, `records[${index}]`);
  });
  return {
    schemaVersion: SCHEMA_VERSION,
    type,
    environment,
    collector,
    windowStartMs,
    windowMs,
    sequence,
    records,
  } as unknown as AnyBatch;
}

export function checkEnvelope(envelope: Json): void {
  for (const key of ['environment', 'collector']) checkName(envelope[key], key);
  for (const key of ['windowStartMs', 'windowMs', 'sequence']) {
    checkNumber(envelope[key], key, true);
    if (!Number.isInteger(envelope[key]))
      throw new CodecProblem('bad_value', `${key}: expected a whole number, found ${show(envelope[key])}`);
  }
  const { windowStartMs, windowMs } = envelope as { windowStartMs: number; windowMs: number };
  if (windowMs < 1) throw new CodecProblem('bad_value', 'windowMs: expected at least 1');
  if (windowStartMs % windowMs !== 0) {
    throw new CodecProblem(
      'bad_window',
      `windowStartMs: expected a multiple of windowMs (${windowMs}), found ${windowStartMs}; use ${windowStartMs - (windowStartMs % windowMs)}`,
    );
  }
}

function checkRecord(record: unknown, fields: Readonly<Record<string, Field>>, path: string): void {
  if (!isJson(record)) throw new CodecProblem('bad_type', `${path}: expected an object, found ${kindOf(record)}`);
  for (const key in record) {
    const field = fields[key];
    if (field === undefined) throw unknownField(path, key, Object.keys(fields));
    checkField(record[key], field, `${path}.${key}`);
  }
  for (const key in fields) {
    if (fields[key]?.required && record[key] === undefined) {
      throw new CodecProblem('missing_field', `${path}.${key}: missing; it is ${fields[key]?.about}`);
    }
  }
  if (
    typeof record['errors'] === 'number' &&
    typeof record['count'] === 'number' &&
    record['errors'] > record['count']
  ) {
    throw new CodecProblem(
      'bad_value',
      `${path}.errors: expected at most count (${record['count']}), found ${record['errors']}`,
    );
  }
}

function checkField(value: unknown, field: Field, path: string): void {
  const { kind } = field;
  if (typeof kind !== 'string') {
    if (!kind.includes(value as string))
      throw new CodecProblem('bad_value', `${path}: expected one of ${kind.join(', ')}, found ${show(value)}`);
    return;
  }
  switch (kind) {
    case 'name':
      checkName(value, path);
      return;
    case 'text':
      if (typeof value !== 'string')
        throw new CodecProblem('bad_type', `${path}: expected text, found ${kindOf(value)}`);
      return;
    case 'count':
      checkNumber(value, path, true);
      return;
    case 'number':
      checkNumber(value, path, false);
      return;
    case 'counts':
    case 'numbers':
      for (const [key, item] of entries(value, path)) checkNumber(item, `${path}.${key}`, kind === 'counts');
      return;
    case 'texts':
      for (const [key, item] of entries(value, path)) {
        if (typeof item !== 'string')
          throw new CodecProblem('bad_type', `${path}.${key}: expected text, found ${kindOf(item)}`);
      }
      return;
    case 'names':
      if (!Array.isArray(value)) throw new CodecProblem('bad_type', `${path}: expected a list, found ${kindOf(value)}`);
      value.forEach((item: unknown, index) => {
        checkName(item, `${path}[${index}]`);
      });
      return;
    case 'histogram':
      checkHistogram(value, path);
      return;
    case 'probes':
      checkProbes(value, path);
      return;
  }
}

function checkHistogram(value: unknown, path: string): void {
  if (!isJson(value))
    throw new CodecProblem('bad_type', `${path}: expected {scale, offset, counts}, found ${kindOf(value)}`);
  checkNumber(value['scale'], `${path}.scale`, false);
  checkNumber(value['offset'], `${path}.offset`, false);
  if (!Array.isArray(value['counts']))
    throw new CodecProblem('bad_type', `${path}.counts: expected a list of counts, found ${kindOf(value['counts'])}`);
  value['counts'].forEach((item, index) => {
    checkNumber(item, `${path}.counts[${index}]`, true);
  });
  if (value['zeroCount'] !== undefined) checkNumber(value['zeroCount'], `${path}.zeroCount`, true);
}

function checkProbes(value: unknown, path: string): void {
  if (!Array.isArray(value)) throw new CodecProblem('bad_type', `${path}: expected a list, found ${kindOf(value)}`);
  value.forEach((probe: unknown, index) => {
    const at = `${path}[${index}]`;
    if (!isJson(probe))
      throw new CodecProblem('bad_type', `${at}: expected {name, state, reason}, found ${kindOf(probe)}`);
    checkName(probe['name'], `${at}.name`);
    checkField(probe['state'], { kind: ['attached', 'missing'], required: true, about: '' }, `${at}.state`);
  });
}

function checkName(value: unknown, path: string): void {
  if (value === undefined) throw new CodecProblem('missing_field', `${path}: missing`);
  if (typeof value !== 'string') throw new CodecProblem('bad_type', `${path}: expected text, found ${kindOf(value)}`);
  if (value === '')
    throw new CodecProblem(
      'bad_value',
      `${path}: expected a name, found empty text; leave the field out when it is unknown`,
    );
  if (value.length > MAX_NAME_LENGTH)
    throw new CodecProblem(
      'bad_value',
      `${path}: expected at most ${MAX_NAME_LENGTH} characters, found ${value.length}`,
    );
}

function checkNumber(value: unknown, path: string, nonNegative: boolean): void {
  if (value === undefined) throw new CodecProblem('missing_field', `${path}: missing`);
  if (typeof value !== 'number')
    throw new CodecProblem('bad_type', `${path}: expected a number, found ${kindOf(value)}`);
  if (!Number.isFinite(value)) throw new CodecProblem('bad_value', `${path}: expected a finite number, found ${value}`);
  if (nonNegative && value < 0) throw new CodecProblem('bad_value', `${path}: expected 0 or more, found ${value}`);
}

function entries(value: unknown, path: string): [string, unknown][] {
  if (!isJson(value)) throw new CodecProblem('bad_type', `${path}: expected an object, found ${kindOf(value)}`);
  return Object.entries(value);
}

function unknownField(path: string, key: string, known: readonly string[]): CodecProblem {
  const near = nearestName(key, known);
  const where = path === '' ? key : `${path}.${key}`;
  return new CodecProblem('unknown_field', `${where}: unknown field${near ? `; did you mean "${near}"?` : ''}`);
}

function withoutEnvelope(value: Json, fields: Readonly<Record<string, Field>>): Json {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !ENVELOPE.includes(key) || key in fields));
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  return value === null
    ? 'null'
    : Array.isArray(value)
      ? 'a list'
      : value === undefined
        ? 'nothing'
        : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
}

function show(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 60) ?? 'nothing';
}
