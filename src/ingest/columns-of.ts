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
  const column = (pick: (record: Ends) => string | undefined) =>
    Uint32Array.from(records, (record) => words.id(pick(record)));
  return {
    caller: column((r) => r.caller),
    callee: column((r) => r.callee),
    callerInstance: column((r) => r.callerInstance),
    calleeInstance: column((r) => r.calleeInstance),
    callerMachine: column((r) => r.callerMachine),
    calleeMachine: column((r) => r.calleeMachine),
    side: Uint8Array.from(records, (r) => (r.side === 'server' ? 1 : 0)),
  };
}

/** Cost: O(records). */
export function callColumns(batch: Batch<'call'>): CallColumns {
  const words = new Dictionary();
  const records = batch.records;
  const start = new Uint32Array(records.length + 1);
  const buckets: number[] = [];
  for (let r = 0; r < records.length; r++) {
    for (const count of records[r]!.durationHistogram?.counts ?? []) buckets.push(count);
    start[r + 1] = buckets.length;
  }
  return {
    type: 'call',
    ...header(batch, words.strings),
    ...ends(records, words),
    protocol: Uint32Array.from(records, (r) => words.id(r.protocol)),
    operation: Uint32Array.from(records, (r) => words.id(r.operation)),
    status: Uint32Array.from(records, (r) => words.id(r.status)),
    errorType: Uint32Array.from(records, (r) => words.id(r.errorType)),
    tags: Uint32Array.from(records, (r) => words.id(tagsText(r.tags))),
    count: Float64Array.from(records, (r) => r.count),
    errors: Float64Array.from(records, (r) => r.errors),
    durationSumUs: Float64Array.from(records, (r) => r.durationSumUs ?? Number.NaN),
    requestBytes: Float64Array.from(records, (r) => r.requestBytes ?? Number.NaN),
    responseBytes: Float64Array.from(records, (r) => r.responseBytes ?? Number.NaN),
    histogramStart: start,
    histogramCounts: Float64Array.from(buckets),
    histogramScale: Int32Array.from(records, (r) => r.durationHistogram?.scale ?? 0),
    histogramOffset: Int32Array.from(records, (r) => r.durationHistogram?.offset ?? 0),
    histogramZeroCount: Float64Array.from(records, (r) => r.durationHistogram?.zeroCount ?? 0),
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
  };
}
