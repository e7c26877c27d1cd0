/** The rarer record types as protobuf rows, through protobufjs and schemas/rootwalk.proto. */
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import type { AnyBatch } from '../model/records.ts';
import { CodecProblem } from './result.ts';

const source = readFileSync(new URL('../../schemas/rootwalk.proto', import.meta.url), 'utf8');
export const BATCH_TYPE = protobuf.parse(source).root.lookupType('rootwalk.v1.Batch');

export function encodeRows(batch: AnyBatch): Uint8Array {
  const { records, ...envelope } = batch;
  return BATCH_TYPE.encode(
    BATCH_TYPE.fromObject({ ...envelope, rows: records.length, [batch.type]: records }),
  ).finish();
}

/** @returns the message as plain JSON with `records`, ready for validation */
export function decodeRows(value: Uint8Array): Record<string, unknown> {
  let message: protobuf.Message;
  try {
    message = BATCH_TYPE.decode(value);
  } catch (cause) {
    throw new CodecProblem('bad_encoding', `not a rootwalk.v1.Batch: ${(cause as Error).message}`);
  }
  const plain = BATCH_TYPE.toObject(message, { arrays: false, objects: false, longs: Number });
  const { schemaVersion, type, environment, collector, windowStartMs, windowMs, sequence } = plain;
  const records = ((plain[String(type)] as Record<string, unknown>[] | undefined) ?? []).map((record) =>
    fillRequired(String(type), record),
  );
  return {
    schemaVersion: schemaVersion ?? 0,
    type,
    environment,
    collector,
    windowStartMs,
    windowMs,
    sequence: sequence ?? 0,
    records,
  };
}

/** proto3 leaves out what is zero or empty; these fields are required, so absent means zero or empty here. */
function fillRequired(type: string, record: Record<string, unknown>): Record<string, unknown> {
  if (type === 'health') return { probes: [], lost: {}, ...record };
  if (type === 'log') return { count: 0, ...record };
  if (type === 'sample') return { atMs: 0, durationUs: 0, ...record };
  return record;
}
