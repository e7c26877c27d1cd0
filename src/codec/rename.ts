/** The same message in another environment: only the envelope changes, rows and columns stay as they are. */
import { ENVELOPE_FIELD } from './column-fields.ts';
import { WireReader } from './wire-reader.ts';
import { WireWriter } from './wire-writer.ts';

/** @throws on bytes that do not decode; check with decodeMessage first */
export function withEnvironment(value: Uint8Array, environment: string): Uint8Array {
  const first = value[0];
  if (first === 0x7b || first === 0x5b) {
    const parsed: unknown = JSON.parse(Buffer.from(value).toString('utf8'));
    const renamed = Array.isArray(parsed)
      ? parsed.map((batch: object) => ({ ...batch, environment }))
      : { ...(parsed as object), environment };
    return Buffer.from(JSON.stringify(renamed), 'utf8');
  }
  const reader = new WireReader(value);
  const writer = new WireWriter();
  writer.string(ENVELOPE_FIELD.environment, environment);
  let from = 0;
  while (reader.next()) {
    reader.skip();
    if (reader.field !== ENVELOPE_FIELD.environment) writer.raw(value.subarray(from, reader.position));
    from = reader.position;
  }
  return writer.finish();
}
