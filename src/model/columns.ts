/**
 * A decoded batch as columns over a string dictionary: what the hot path from the bus to the windows carries.
 * No object per record. `strings[0]` is the empty string and means absent. Absent numbers are NaN.
 */
interface ColumnBatchHeader {
  readonly schemaVersion: 1;
  readonly environment: string;
  readonly collector: string;
  readonly windowStartMs: number;
  readonly windowMs: number;
  readonly sequence: number;
  readonly rows: number;
  readonly strings: readonly string[];
  /** Running numbers of the strings in the decoder's cache: within one epoch equal numbers are equal text; -1: none. */
  readonly tokens?: { readonly epoch: number; readonly of: readonly number[] };
}

/** Columns are indexes into `strings` (0: absent) unless they are Float64Array. All have `rows` items. */
export interface CallColumns extends ColumnBatchHeader {
  readonly type: 'call';
  readonly caller: Uint32Array;
  readonly callee: Uint32Array;
  readonly callerInstance: Uint32Array;
  readonly calleeInstance: Uint32Array;
  readonly callerMachine: Uint32Array;
  readonly calleeMachine: Uint32Array;
  /** 0 client, 1 server. */
  readonly side: Uint8Array;
  readonly protocol: Uint32Array;
  readonly operation: Uint32Array;
  readonly status: Uint32Array;
  readonly errorType: Uint32Array;
  /** Index into `strings` of the tags as canonical JSON (keys in code-unit order); 0: none. */
  readonly tags: Uint32Array;
  readonly count: Float64Array;
  readonly errors: Float64Array;
  readonly durationSumUs: Float64Array;
  readonly requestBytes: Float64Array;
  readonly responseBytes: Float64Array;
  /** Histograms: row r has buckets histogramCounts[histogramStart[r] .. histogramStart[r + 1]); empty: none. */
  readonly histogramStart: Uint32Array;
  readonly histogramCounts: Float64Array;
  readonly histogramScale: Int32Array;
  readonly histogramOffset: Int32Array;
  readonly histogramZeroCount: Float64Array;
}

/** Numeric fields of a TcpRecord, in the order of TcpColumns.values. */
export const TCP_FIELDS = [
  'segmentsOut',
  'segmentsIn',
  'bytesOut',
  'bytesIn',
  'retransmits',
  'rttSumUs',
  'rttCount',
  'rttMinUs',
  'connects',
  'connectTimeSumUs',
  'resetsSent',
  'resetsReceived',
  'zeroWindows',
  'acceptQueueOverflows',
  'activeConnections',
] as const;
export type TcpField = (typeof TCP_FIELDS)[number];

export interface TcpColumns extends ColumnBatchHeader {
  readonly type: 'tcp';
  readonly caller: Uint32Array;
  readonly callee: Uint32Array;
  readonly callerInstance: Uint32Array;
  readonly calleeInstance: Uint32Array;
  readonly callerMachine: Uint32Array;
  readonly calleeMachine: Uint32Array;
  readonly side: Uint8Array;
  /** NaN: absent. */
  readonly calleePort: Float64Array;
  /** One column per TCP_FIELDS. */
  readonly values: readonly Float64Array[];
  /** 1 when the record had the map at all (an empty map is known to be zero). */
  readonly hasDrops: Uint8Array;
  readonly hasConnectFailures: Uint8Array;
  /** Map entries of all rows: row, index of the key in `strings`, value. */
  readonly dropRow: Uint32Array;
  readonly dropKey: Uint32Array;
  readonly dropValue: Float64Array;
  readonly failureRow: Uint32Array;
  readonly failureKey: Uint32Array;
  readonly failureValue: Float64Array;
  /** `clientEndpoints` of all rows: row, text (not in `strings`: few of them come again). */
  readonly endpointRow: Uint32Array;
  readonly endpoint: readonly string[];
}
