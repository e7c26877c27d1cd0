/** Field numbers of the columns in schemas/rootwalk.proto. A test compares them with the .proto file. */
import { TCP_FIELDS } from '../model/columns.ts';

export const ENVELOPE_FIELD = {
  schemaVersion: 1,
  type: 2,
  environment: 3,
  collector: 4,
  windowStartMs: 5,
  windowMs: 6,
  sequence: 7,
  strings: 8,
  rows: 9,
  call: 10,
  tcp: 11,
} as const;

/** Columns of names: indexes into the dictionary. */
export const CALL_NAMES = {
  caller: 1,
  callee: 2,
  callerInstance: 3,
  calleeInstance: 4,
  callerMachine: 5,
  calleeMachine: 6,
  protocol: 8,
  operation: 9,
  status: 10,
  errorType: 11,
  tags: 12,
} as const;

export const CALL_NUMBERS = { count: 13, errors: 14, durationSumUs: 15, requestBytes: 16, responseBytes: 17 } as const;

export const CALL_SIDE = 7;

export const CALL_HISTOGRAM = { start: 18, counts: 19, scale: 20, offset: 21, zeroCount: 22 } as const;

export const TCP_NAMES = {
  caller: 1,
  callee: 2,
  callerInstance: 3,
  calleeInstance: 4,
  callerMachine: 5,
  calleeMachine: 6,
} as const;

export const TCP_SIDE = 7;
export const TCP_PORT = 8;
/** Field number of TCP_FIELDS[0]; the others follow in order. */
export const TCP_FIRST_VALUE = 9;
export const TCP_LAST_VALUE = TCP_FIRST_VALUE + TCP_FIELDS.length - 1;
export const TCP_HAS_DROPS = 24;
export const TCP_HAS_FAILURES = 25;
export const TCP_DROPS = { row: 26, key: 27, value: 28 } as const;
export const TCP_FAILURES = { row: 29, key: 30, value: 31 } as const;
export const TCP_ENDPOINTS = { row: 32, text: 33 } as const;
