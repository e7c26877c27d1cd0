import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { decodeMessage } from '../../src/codec/index.ts';
import { batchSchema } from '../../src/codec/json-schema.ts';
import { REJECT_REASONS } from '../../src/codec/result.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const validate = new Ajv2020({ allErrors: false, strict: false }).compile(batchSchema());

/** The published schema and the engine's own validation must agree. */
function agree(value: unknown, expected: boolean): void {
  expect([validate(value), decodeMessage(Buffer.from(JSON.stringify(value)), {}).ok]).toEqual([expected, expected]);
}

describe('schemas/batch.schema.json', () => {
  it('is what schemas/generate.ts writes', () => {
    expect(readFileSync(`${root}/schemas/batch.schema.json`, 'utf8')).toBe(
      `${JSON.stringify(batchSchema(), null, 2)}\n`,
    );
  });

  it.each(readdirSync(`${root}/examples/events`))('accepts examples/events/%s, as the engine does', (name) => {
    agree(JSON.parse(readFileSync(`${root}/examples/events/${name}`, 'utf8')), true);
  });

  it('accepts every line of examples/shop-with-fault.jsonl', () => {
    for (const line of readFileSync(`${root}/examples/shop-with-fault.jsonl`, 'utf8').trim().split('\n'))
      agree(JSON.parse(line), true);
  });

  const good = JSON.parse(readFileSync(`${root}/examples/events/call.json`, 'utf8')) as Record<string, unknown>;
  it.each([
    ['a missing field', { ...good, callee: undefined }],
    ['an unknown field', { ...good, durationSum: 1 }],
    ['a negative count', { ...good, count: -1 }],
    ['text for a number', { ...good, count: '1' }],
    ['an unknown type', { ...good, type: 'calls' }],
    ['an unknown version', { ...good, schemaVersion: 2 }],
    ['an empty name', { ...good, caller: '' }],
    ['a wrong side', { ...good, side: 'both' }],
  ])('refuses %s, as the engine does', (_name, value) => {
    agree(JSON.parse(JSON.stringify(value)), false);
  });

  it('the AsyncAPI document names every reject reason and every input topic', () => {
    const text = readFileSync(`${root}/schemas/asyncapi.yaml`, 'utf8');
    for (const reason of REJECT_REASONS) expect(text).toContain(reason);
    for (const topic of [
      'calls',
      'tcp',
      'resources',
      'topology',
      'changes',
      'logs',
      'samples',
      'health',
      'reports',
      'incidents',
      'dead-letter',
    ])
      expect(text).toContain(`rootwalk.${topic}`);
  });
});
