/** What error types (OpenTelemetry `error.type`) say of who ended a call. */

/** The caller gave up waiting; that a connection took too long to make is another matter. */
const GIVEN_UP = /time_?d?[_ -]?out|deadline/i;
const CONNECTING = /^connect/i;

/** Whether a caller that reports this error stopped waiting for an answer. Case and spelling vary by library. */
export function isGivenUp(errorType: string | undefined): boolean {
  return errorType !== undefined && GIVEN_UP.test(errorType) && !CONNECTING.test(errorType);
}

/** gRPC codes that are the server's errors (OpenTelemetry, semantic conventions for gRPC: status of server spans). */
export const GRPC_SERVER_ERRORS: ReadonlySet<string> = new Set([
  'UNKNOWN',
  'DEADLINE_EXCEEDED',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
]);

/** Whether a status is a server's answer that it failed: HTTP 5xx, or its like in gRPC. */
export function isServerFailure(status: string): boolean {
  return /^5\d\d$/.test(status) || GRPC_SERVER_ERRORS.has(status);
}

/** Whether a callee that reports this error had not answered when its caller left. */
export function isLeft(errorType: string | undefined): boolean {
  return errorType === 'connection_closed' || errorType === 'connection_reset';
}
