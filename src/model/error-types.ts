/** What error types (OpenTelemetry `error.type`) say of who ended a call. */

/** The caller gave up waiting; that a connection took too long to make is another matter. */
const GIVEN_UP = /time_?d?[_ -]?out|deadline/i;
const CONNECTING = /^connect/i;

/** Whether a caller that reports this error stopped waiting for an answer. Case and spelling vary by library. */
export function isGivenUp(errorType: string | undefined): boolean {
  return errorType !== undefined && GIVEN_UP.test(errorType) && !CONNECTING.test(errorType);
}

/** Whether a callee that reports this error had not answered when its caller left. */
export function isLeft(errorType: string | undefined): boolean {
  return errorType === 'connection_closed' || errorType === 'connection_reset';
}
