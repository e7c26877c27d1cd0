/** JSON Schema (2020-12) of a batch, from the same field table that validates it. */
import type { RecordType } from '../model/records.ts';
import { RECORD_TYPES } from '../model/records.ts';
import type { Field } from './fields.ts';
import { FIELDS } from './fields.ts';

type Json = Record<string, unknown>;

const ID = 'https://rootwalk.dev/schemas/batch.schema.json';
const COUNT = { type: 'number', minimum: 0 };
const NAME = { type: 'string', minLength: 1, maxLength: 1024 };

/** A batch with `records`, or one record with the envelope's fields beside its own. */
export function batchSchema(): Json {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: ID,
    title: 'rootwalk telemetry batch',
    description:
      'Records of one type from one collector and one window. Absent means unknown, never zero. Written from src/codec/fields.ts.',
    oneOf: RECORD_TYPES.flatMap((type) => [{ $ref: `#/$defs/${type}Batch` }, { $ref: `#/$defs/${type}Event` }]),
    $defs: Object.fromEntries(
      RECORD_TYPES.flatMap((type) => [
        [`${type}Record`, { title: `one ${type} record`, ...object(properties(type), required(type)) }],
        [
          `${type}Batch`,
          {
            title: `a batch of ${type} records`,
            ...object({ ...envelope(type), records: { type: 'array', items: { $ref: `#/$defs/${type}Record` } } }, [
              'type',
              'environment',
              'windowStartMs',
              'records',
            ]),
          },
        ],
        [
          `${type}Event`,
          {
            title: `one ${type} record as a message of its own`,
            ...object({ ...envelope(type), ...properties(type) }, [
              'type',
              'environment',
              'windowStartMs',
              ...required(type),
            ]),
          },
        ],
      ]),
    ),
  };
}

function envelope(type: RecordType): Json {
  return {
    schemaVersion: { const: 1, description: '1 when absent' },
    type: { const: type },
    environment: { ...NAME, description: 'deployment.environment.name' },
    collector: { ...NAME, description: 'who saw it; "json" when absent' },
    windowStartMs: {
      type: 'integer',
      minimum: 0,
      description: 'start of the window, epoch ms, a multiple of windowMs',
    },
    windowMs: { type: 'integer', minimum: 1, description: 'length of the window, ms; 5000 when absent' },
    sequence: {
      type: 'integer',
      minimum: 0,
      description: 'tells several batches of one type, collector and window apart; 0 when absent',
    },
  };
}

function object(props: Json, needed: readonly string[]): Json {
  return { type: 'object', additionalProperties: false, required: needed, properties: props };
}

function required(type: RecordType): string[] {
  return Object.entries(FIELDS[type])
    .filter(([, field]) => field.required)
    .map(([name]) => name);
}

function properties(type: RecordType): Json {
  return Object.fromEntries(
    Object.entries(FIELDS[type]).map(([name, field]) => [name, { ...shape(field), description: field.about }]),
  );
}

function shape({ kind }: Field): Json {
  if (typeof kind !== 'string') return { enum: kind };
  switch (kind) {
    case 'name':
      return NAME;
    case 'text':
      return { type: 'string' };
    case 'count':
      return COUNT;
    case 'number':
      return { type: 'number' };
    case 'counts':
      return { type: 'object', additionalProperties: COUNT };
    case 'numbers':
      return { type: 'object', additionalProperties: { type: 'number' } };
    case 'names':
      return { type: 'array', items: NAME };
    case 'texts':
      return { type: 'object', additionalProperties: { type: 'string' } };
    case 'histogram':
      return {
        type: 'object',
        required: ['scale', 'offset', 'counts'],
        properties: {
          scale: { type: 'integer' },
          offset: { type: 'integer' },
          counts: { type: 'array', items: COUNT },
          zeroCount: COUNT,
        },
      };
    case 'probes':
      return {
        type: 'array',
        items: {
          type: 'object',
          required: ['name', 'state'],
          properties: { name: NAME, state: { enum: ['attached', 'missing'] }, reason: { type: 'string' } },
        },
      };
  }
}
