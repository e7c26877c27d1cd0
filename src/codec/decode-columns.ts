/**
 * protobuf bytes -> columns, without an object per record: the hot path of the engine. Every index and number is
 * checked here, once, so that nothing behind it has to.
 * Cost: O(bytes); one copy of each column.
 */
import type { CallColumns, TcpColumns } from '../model/columns.ts';
import { TCP_FIELDS } from '../model/columns.ts';
import type { Entries } from './column-checks.ts';
import {
  absentNames,
  checkEndpoints,
  checkEntries,
  checkHistograms,
  checkTags,
  countColumn,
  flagColumn,
  known,
  missing,
  nameColumn,
  sized,
  unknownNumbers,
} from './column-checks.ts';
import {
  CALL_HISTOGRAM,
  CALL_NAMES,
  CALL_NUMBERS,
  CALL_SIDE,
  TCP_DROPS,
  TCP_ENDPOINTS,
  TCP_FAILURES,
  TCP_FIRST_VALUE,
  TCP_HAS_DROPS,
  TCP_HAS_FAILURES,
  TCP_LAST_VALUE,
  TCP_NAMES,
  TCP_PORT,
  TCP_SIDE,
} from './column-fields.ts';
import { CodecProblem } from './result.ts';
import type { WireReader } from './wire-reader.ts';

export interface Header {
  readonly schemaVersion: 1;
  readonly environment: string;
  readonly collector: string;
  readonly windowStartMs: number;
  readonly windowMs: number;
  readonly sequence: number;
  readonly rows: number;
  readonly strings: readonly string[];
  readonly tokens?: { readonly epoch: number; readonly of: readonly number[] };
}

const CALL_NAME_OF = invert(CALL_NAMES);
const CALL_NUMBER_OF = invert(CALL_NUMBERS);
const TCP_NAME_OF = invert(TCP_NAMES);

/** @param body loaded (`loadColumns`); the columns live as long as that lease. */
export function decodeCallColumns(header: Header, body: WireReader): CallColumns {
  const { rows, strings } = header;
  const names: Record<string, Uint32Array> = {};
  const values: Record<string, Float64Array> = {};
  let side: Uint8Array | undefined;
  let start: Uint32Array | undefined;
  let counts: Float64Array = new Float64Array(0);
  let scale: Int32Array | undefined;
  let offset: Int32Array | undefined;
  let zeroCount: Float64Array | undefined;
  while (body.next()) {
    const name = CALL_NAME_OF[body.field];
    const value = CALL_NUMBER_OF[body.field];
    if (name !== undefined) names[name] = nameColumn(body.packedUint32(), rows, strings.length, name);
    else if (value !== undefined) values[value] = countColumn(body.packedDouble(), rows, value);
    else if (body.field === CALL_SIDE) side = flagColumn(body.bytes(), rows, 'side');
    else if (body.field === CALL_HISTOGRAM.start) start = body.packedUint32();
    else if (body.field === CALL_HISTOGRAM.counts) counts = body.packedDouble();
    else if (body.field === CALL_HISTOGRAM.scale) scale = sized(body.packedInt32(), rows, 'histogram_scale');
    else if (body.field === CALL_HISTOGRAM.offset) offset = sized(body.packedInt32(), rows, 'histogram_offset');
    else if (body.field === CALL_HISTOGRAM.zeroCount)
      zeroCount = countColumn(body.packedDouble(), rows, 'histogram_zero_count');
    else body.skip();
  }
  const name = (key: string): Uint32Array => names[key] ?? absentNames(rows, key);
  const count = known(values['count'] ?? new Float64Array(rows), 'count');
  const errors = known(values['errors'] ?? new Float64Array(rows), 'errors');
  for (let row = 0; row < rows; row++) {
    if (errors[row]! > count[row]!)
      throw new CodecProblem(
        'bad_value',
        `call.errors[${row}]: expected at most count (${count[row]}), found ${errors[row]}`,
      );
  }
  checkHistograms(start, counts, rows);
  if (names['tags'] !== undefined) checkTags(names['tags'], strings);
  return {
    ...header,
    type: 'call',
    caller: name('caller'),
    callee: name('callee'),
    callerInstance: name('callerInstance'),
    calleeInstance: name('calleeInstance'),
    callerMachine: name('callerMachine'),
    calleeMachine: name('calleeMachine'),
    side: side ?? missing('side'),
    protocol: name('protocol'),
    operation: name('operation'),
    status: name('status'),
    errorType: name('errorType'),
    tags: name('tags'),
    count,
    errors,
    durationSumUs: values['durationSumUs'] ?? unknownNumbers(rows),
    requestBytes: values['requestBytes'] ?? unknownNumbers(rows),
    responseBytes: values['responseBytes'] ?? unknownNumbers(rows),
    histogramStart: start ?? new Uint32Array(rows + 1),
    histogramCounts: counts,
    histogramScale: scale ?? new Int32Array(rows),
    histogramOffset: offset ?? new Int32Array(rows),
    histogramZeroCount: zeroCount ?? unknownNumbers(rows),
  };
}

/** @param body loaded (`loadColumns`); the columns live as long as that lease. */
export function decodeTcpColumns(header: Header, body: WireReader): TcpColumns {
  const { rows, strings } = header;
  const names: Record<string, Uint32Array> = {};
  const values: (Float64Array | undefined)[] = TCP_FIELDS.map(() => undefined);
  let side: Uint8Array | undefined;
  let port: Float64Array | undefined;
  let hasDrops = new Uint8Array(rows);
  let hasFailures = new Uint8Array(rows);
  const drops: Entries = { row: new Uint32Array(0), key: new Uint32Array(0), value: new Float64Array(0) };
  const failures: Entries = { row: new Uint32Array(0), key: new Uint32Array(0), value: new Float64Array(0) };
  let endpointRow: Uint32Array = new Uint32Array(0);
  const endpoint: string[] = [];
  while (body.next()) {
    const { field } = body;
    const name = TCP_NAME_OF[field];
    if (name !== undefined) names[name] = nameColumn(body.packedUint32(), rows, strings.length, name);
    else if (field >= TCP_FIRST_VALUE && field <= TCP_LAST_VALUE) {
      const index = field - TCP_FIRST_VALUE;
      values[index] = countColumn(body.packedDouble(), rows, TCP_FIELDS[index] ?? '');
    } else if (field === TCP_SIDE) side = flagColumn(body.bytes(), rows, 'side');
    else if (field === TCP_PORT) port = countColumn(body.packedDouble(), rows, 'calleePort');
    else if (field === TCP_HAS_DROPS) hasDrops = flagColumn(body.bytes(), rows, 'has_drops');
    else if (field === TCP_HAS_FAILURES) hasFailures = flagColumn(body.bytes(), rows, 'has_connect_failures');
    else if (field === TCP_DROPS.row) drops.row = body.packedUint32();
    else if (field === TCP_DROPS.key) drops.key = body.packedUint32();
    else if (field === TCP_DROPS.value) drops.value = body.packedDouble();
    else if (field === TCP_FAILURES.row) failures.row = body.packedUint32();
    else if (field === TCP_FAILURES.key) failures.key = body.packedUint32();
    else if (field === TCP_FAILURES.value) failures.value = body.packedDouble();
    else if (field === TCP_ENDPOINTS.row) endpointRow = body.packedUint32();
    else if (field === TCP_ENDPOINTS.text) endpoint.push(body.rareText());
    else body.skip();
  }
  checkEntries(drops, rows, strings.length, 'drop');
  checkEntries(failures, rows, strings.length, 'failure');
  checkEndpoints(endpointRow, endpoint, rows);
  const name = (key: string): Uint32Array => names[key] ?? absentNames(rows, key);
  return {
    ...header,
    type: 'tcp',
    caller: name('caller'),
    callee: name('callee'),
    callerInstance: name('callerInstance'),
    calleeInstance: name('calleeInstance'),
    callerMachine: name('callerMachine'),
    calleeMachine: name('calleeMachine'),
    side: side ?? missing('side'),
    calleePort: port ?? unknownNumbers(rows),
    values: values.map((column) => column ?? unknownNumbers(rows)),
    hasDrops,
    hasConnectFailures: hasFailures,
    dropRow: drops.row,
    dropKey: drops.key,
    dropValue: drops.value,
    failureRow: failures.row,
    failureKey: failures.key,
    failureValue: failures.value,
    endpointRow,
    endpoint,
  };
}

function invert(fields: Readonly<Record<string, number>>): Readonly<Record<number, string>> {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [field, name]));
}
