/** Rows of calls or TCP counters -> columns over a string dictionary -> protobuf bytes. */
import { TCP_FIELDS } from '../model/columns.ts';
import { compareNames } from '../model/entity.ts';
import type { Batch, CallRecord, Tags, TcpRecord } from '../model/records.ts';
import {
  CALL_HISTOGRAM,
  CALL_NAMES,
  CALL_NUMBERS,
  CALL_SIDE,
  ENVELOPE_FIELD,
  TCP_DROPS,
  TCP_ENDPOINTS,
  TCP_FAILURES,
  TCP_FIRST_VALUE,
  TCP_HAS_DROPS,
  TCP_HAS_FAILURES,
  TCP_NAMES,
  TCP_PORT,
  TCP_SIDE,
} from './column-fields.ts';
import { WireWriter } from './wire-writer.ts';

class Dictionary {
  readonly strings: string[] = [''];
  readonly #ids = new Map<string, number>([['', 0]]);

  id(text: string | undefined): number {
    if (text === undefined) return 0;
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.strings.length;
      this.strings.push(text);
      this.#ids.set(text, id);
    }
    return id;
  }
}

export function encodeCalls(batch: Batch<'call'>): Uint8Array {
  const { records } = batch;
  const dictionary = new Dictionary();
  const body = new WireWriter();
  for (const [name, field] of Object.entries(CALL_NAMES)) {
    const read = name === 'tags' ? (r: CallRecord) => tagsText(r.tags) : (r: CallRecord) => r[name as 'caller'];
    body.packed(
      field,
      Uint32Array.from(records, (record) => dictionary.id(read(record))),
    );
  }
  body.bytes(
    CALL_SIDE,
    Uint8Array.from(records, (record) => (record.side === 'server' ? 1 : 0)),
  );
  for (const [name, field] of Object.entries(CALL_NUMBERS)) {
    body.packed(field, numbers(records.map((record) => record[name as 'count'])));
  }
  if (records.some((record) => record.durationHistogram !== undefined)) {
    const histograms = records.map((record) => record.durationHistogram);
    const start = new Uint32Array(records.length + 1);
    histograms.forEach((histogram, row) => {
      start[row + 1] = (start[row] ?? 0) + (histogram?.counts.length ?? 0);
    });
    body.packed(CALL_HISTOGRAM.start, start);
    body.packed(CALL_HISTOGRAM.counts, Float64Array.from(histograms.flatMap((histogram) => histogram?.counts ?? [])));
    body.packed(
      CALL_HISTOGRAM.scale,
      Int32Array.from(histograms, (histogram) => histogram?.scale ?? 0),
    );
    body.packed(
      CALL_HISTOGRAM.offset,
      Int32Array.from(histograms, (histogram) => histogram?.offset ?? 0),
    );
    body.packed(
      CALL_HISTOGRAM.zeroCount,
      Float64Array.from(histograms, (histogram) => (histogram === undefined ? Number.NaN : (histogram.zeroCount ?? 0))),
    );
  }
  return envelope(batch, dictionary, ENVELOPE_FIELD.call, body.finish());
}

export function encodeTcp(batch: Batch<'tcp'>): Uint8Array {
  const { records } = batch;
  const dictionary = new Dictionary();
  const body = new WireWriter();
  for (const [name, field] of Object.entries(TCP_NAMES)) {
    body.packed(
      field,
      Uint32Array.from(records, (record) => dictionary.id(record[name as 'caller'])),
    );
  }
  body.bytes(
    TCP_SIDE,
    Uint8Array.from(records, (record) => (record.side === 'server' ? 1 : 0)),
  );
  body.packed(TCP_PORT, numbers(records.map((record) => record.calleePort)));
  TCP_FIELDS.forEach((name, index) => {
    body.packed(TCP_FIRST_VALUE + index, numbers(records.map((record) => record[name])));
  });
  encodeMaps(body, dictionary, records, (record) => record.drops, TCP_HAS_DROPS, TCP_DROPS);
  encodeMaps(body, dictionary, records, (record) => record.connectFailures, TCP_HAS_FAILURES, TCP_FAILURES);
  const endpoints = records.flatMap(({ clientEndpoints = [] }, row) => clientEndpoints.map((text) => ({ row, text })));
  body.packed(
    TCP_ENDPOINTS.row,
    Uint32Array.from(endpoints, ({ row }) => row),
  );
  for (const { text } of endpoints) body.string(TCP_ENDPOINTS.text, text);
  return envelope(batch, dictionary, ENVELOPE_FIELD.tcp, body.finish());
}

function encodeMaps(
  body: WireWriter,
  dictionary: Dictionary,
  records: readonly TcpRecord[],
  read: (record: TcpRecord) => Readonly<Record<string, number>> | undefined,
  hasField: number,
  fields: { readonly row: number; readonly key: number; readonly value: number },
): void {
  const rows: number[] = [];
  const keys: number[] = [];
  const values: number[] = [];
  records.forEach((record, row) => {
    for (const [key, value] of Object.entries(read(record) ?? {})) {
      rows.push(row);
      keys.push(dictionary.id(key));
      values.push(value);
    }
  });
  body.bytes(
    hasField,
    Uint8Array.from(records, (record) => (read(record) === undefined ? 0 : 1)),
  );
  body.packed(fields.row, Uint32Array.from(rows));
  body.packed(fields.key, Uint32Array.from(keys));
  body.packed(fields.value, Float64Array.from(values));
}

function envelope(batch: Batch, dictionary: Dictionary, field: number, body: Uint8Array): Uint8Array {
  const writer = new WireWriter();
  writer.uint32(ENVELOPE_FIELD.schemaVersion, batch.schemaVersion);
  writer.string(ENVELOPE_FIELD.type, batch.type);
  writer.string(ENVELOPE_FIELD.environment, batch.environment);
  writer.string(ENVELOPE_FIELD.collector, batch.collector);
  writer.double(ENVELOPE_FIELD.windowStartMs, batch.windowStartMs);
  writer.uint32(ENVELOPE_FIELD.windowMs, batch.windowMs);
  writer.uint32(ENVELOPE_FIELD.sequence, batch.sequence);
  for (const text of dictionary.strings) writer.string(ENVELOPE_FIELD.strings, text);
  writer.uint32(ENVELOPE_FIELD.rows, batch.records.length);
  writer.bytes(field, body);
  return writer.finish();
}

/** Absent becomes NaN; a column with no value at all is left out. */
function numbers(values: readonly (number | undefined)[]): Float64Array {
  if (values.every((value) => value === undefined)) return new Float64Array(0);
  return Float64Array.from(values, (value) => value ?? Number.NaN);
}

/** Tags as JSON with keys in code-unit order: equal tags, equal text. */
export function tagsText(tags: Tags | undefined): string | undefined {
  if (tags === undefined) return undefined;
  const keys = Object.keys(tags).sort(compareNames);
  return keys.length === 0 ? undefined : JSON.stringify(Object.fromEntries(keys.map((key) => [key, tags[key]])));
}
