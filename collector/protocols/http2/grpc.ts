/** gRPC over HTTP/2: which requests are such calls, their methods and their outcome. */
import { GRPC_SERVER_ERRORS } from '../../../src/model/error-types.ts';

/** Status codes by number (github.com/grpc/grpc, doc/statuscodes.md). */
const CODES: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

/** Codes of responses that are none of gRPC's (doc/http-grpc-status-mapping.md). */
const BY_HTTP_STATUS: Readonly<Record<string, string>> = {
  '400': 'INTERNAL',
  '401': 'UNAUTHENTICATED',
  '403': 'PERMISSION_DENIED',
  '404': 'UNIMPLEMENTED',
  '429': 'UNAVAILABLE',
  '502': 'UNAVAILABLE',
  '503': 'UNAVAILABLE',
  '504': 'UNAVAILABLE',
};

const TYPE = 'application/grpc';
/** Methods with more than one message that are remembered. */
const MAX_STREAM_METHODS = 4096;
const MAX_METHOD = 200;

/** `application/grpc`, `application/grpc+proto`; not gRPC-Web, whose status is in the body. */
export function isGrpcType(contentType: string): boolean {
  if (!contentType.startsWith(TYPE)) return false;
  const next = contentType[TYPE.length];
  return next === undefined || next === '+' || next === ';';
}

/** OpenTelemetry's rpc.method: the path without its slash. */
export function grpcMethod(path: string): string {
  return path.slice(path.startsWith('/') ? 1 : 0, MAX_METHOD);
}

export function isGrpcError(status: string): boolean {
  return GRPC_SERVER_ERRORS.has(status);
}

/** Name of a `grpc-status` value. */
export function codeName(value: string): string {
  return CODES[Number.parseInt(value, 10)] ?? 'UNKNOWN';
}

/** Of a response that ended without a grpc-status. */
export function codeOfHttp(status: string): string {
  return BY_HTTP_STATUS[status] ?? 'UNKNOWN';
}

/** What a health check or a configuration client keeps open to hear of changes. */
const WATCH = /\/Watch$/;
const streamMethods = new Set<string>();

/** A method answers with one message or with several, always: one such response tells of all. */
export function learnStream(method: string): void {
  if (streamMethods.size >= MAX_STREAM_METHODS) streamMethods.clear();
  streamMethods.add(method);
}

/** True for methods whose answer comes when something happens. */
export function isStreamMethod(method: string): boolean {
  return streamMethods.has(method) || WATCH.test(method);
}
