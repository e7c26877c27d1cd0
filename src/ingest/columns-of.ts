/** Records -> columns, so that JSON and protobuf take the same path into the windows. */

import type { CallColumns, TcpColumns } from '../model/columns.ts';
import { TCP_FIELDS } from '../model/columns.ts';
import { compareNames } from '../model/entity.ts';
import type { Batch, Tags } from '../model/records.ts';

class Dictionary {
  readonly strings: string[] = [''];
  readonly #ids = new Map<string, number>([['', 0]]);

  id(name: string | undefined): number {
    if (name === undefined) return 0;
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.strings.length;
    this.strings.push(name);
    this.#ids.set(name, id);
    return id;
  }
}

/** Tags as canonical JSON: keys in code-unit order; empty when there are none. */
export function tagsText(tags: Tags | undefined): string {
  if (tags === undefined) return '';
  const entries = Object.entries(tags).sort(([a], [b]) => compareNames(a, b));
  return entries.length === 0 ? '' : JSON.stringify(Object.fromEntries(entries));
}

function header<T extends 'call' | 'tcp'>(batch: Batch<T>, strings: readonly string[]) {
  const { schemaVersion, environment, collector, windowStartMs, windowMs, sequence } = batch;
  const rows = batch.records.length;
  return { schemaVersion, environment, collector, windowStartMs, windowMs, sequence, rows, strings };
}

interface Ends {
  readonly caller: string;
  readonly callee: string;
  readonly callerInstance?: string;
  readonly calleeInstance?: string;
  readonly callerMachine?: string;
  readonly calleeMachine?: string;
  readonly side: 'client' | 'server';
}

function ends(records: readonly Ends[], words: Dictionary) {
  const rows = records.length;
  const out = {
    caller: new Uint32Array(rows),
    callee: new Uint32Array(rows),
    callerInstance: new Uint32Array(rows),
    calleeInstance: new Uint32Array(rows),
    callerMachine: new Uint32Array(rows),
    calleeMachine: new Uint32Array(rows),
    side: new Uint8Array(rows),
  };
  for (let r = 0; r < rows; r++) {
    const record = records[r]!;
    out.caller[r] = words.id(record.caller);
    out.callee[r] = words.id(record.callee);
    out.callerInstance[r] = words.id(record.callerInstance);
    out.calleeInstance[r] = words.id(record.calleeInstance);
    out.callerMachine[r] = words.id(record.callerMachine);
    out.calleeMachine[r] = words.id(record.calleeMachine);
    out.side[r] = record.side === 'server' ? 1 : 0;
  }
  return out;
}

/** Cost: O(records). */
export function callColumns(batch: Batch<'call'>): CallColumns {
  const words = new Dictionary();
  const records = batch.records;
  const rows = records.length;
  const names = () => new Uint32Array(rows);
  const numbers = () => new Float64Array(rows);
  const columns = {
    protocol: names(),
    operation: names(),
    status: names(),
    errorType: names(),
    tags: names(),
    count: numbers(),
    errors: numbers(),
    durationSumUs: numbers(),
    requestBytes: numbers(),
    responseBytes: numbers(),
    histogramStart: new Uint32Array(rows + 1),
    histogramScale: new Int32Array(rows),
    histogramOffset: new Int32Array(rows),
    histogramZeroCount: numbers(),
  };
  const buckets: number[] = [];
  const sides = ends(records, words);
  for (let r = 0; r < rows; r++) {
    const record = records[r]!;
    columns.protocol[r] = words.id(record.protocol);
    columns.operation[r] = words.id(record.operation);
    columns.status[r] = words.id(record.status);
    columns.errorType[r] = words.id(record.errorType);
    if (record.tags !== undefined) columns.tags[r] = words.id(tagsText(record.tags));
    columns.count[r] = record.count;
    columns.errors[r] = record.errors;
    columns.durationSumUs[r] = record.durationSumUs ?? Number.NaN;
    columns.requestBytes[r] = record.requestBytes ?? Number.NaN;
    columns.responseBytes[r] = record.responseBytes ?? Number.NaN;
    const sketch = record.durationHistogram;
    if (sketch !== undefined) {
      for (const count of sketch.counts) buckets.push(count);
      columns.histogramScale[r] = sketch.scale;
      columns.histogramOffset[r] = sketch.offset;
      columns.histogramZeroCount[r] = sketch.zeroCount ?? 0;
    }
    columns.histogramStart[r + 1] = buckets.length;
  }
  return {
    type: 'call',
    ...header(batch, words.strings),
    ...sides,
    ...columns,
    histogramCounts: Float64Array.from(buckets),
  };
}

/** Cost: O(records). */
export function tcpColumns(batch: Batch<'tcp'>): TcpColumns {
  const words = new Dictionary();
  const records = batch.records;
  const sparse = (pick: (r: (typeof records)[number]) => Readonly<Record<string, number>> | undefined) => {
    const row: number[] = [];
    const reason: number[] = [];
    const value: number[] = [];
    records.forEach((record, r) => {
      for (const [name, count] of Object.entries(pick(record) ?? {})) {
        row.push(r);
        reason.push(words.id(name));
        value.push(count);
      }
    });
    return { row: Uint32Array.from(row), key: Uint32Array.from(reason), value: Float64Array.from(value) };
  };
  const drops = sparse((r) => r.drops);
  const failures = sparse((r) => r.connectFailures);
  return {
    type: 'tcp',
    ...header(batch, words.strings),
    ...ends(records, words),
    calleePort: Float64Array.from(records, (r) => r.calleePort ?? Number.NaN),
    values: TCP_FIELDS.map((field) => Float64Array.from(records, (r) => r[field] ?? Number.NaN)),
    hasDrops: Uint8Array.from(records, (r) => (r.drops === undefined ? 0 : 1)),
    hasConnectFailures: Uint8Array.from(records, (r) => (r.connectFailures === undefined ? 0 : 1)),
    dropRow: drops.row,
    dropKey: drops.key,
    dropValue: drops.value,
    failureRow: failures.row,
    failureKey: failures.key,
    failureValue: failures.value,
    endpointRow: Uint32Array.from(records.flatMap(({ clientEndpoints = [] }, r) => clientEndpoints.map(() => r))),
    endpoint: records.flatMap(({ clientEndpoints = [] }) => clientEndpoints),
  };
}
