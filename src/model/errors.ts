/** Stable error codes. Append only; never reuse a code. */
export const ERROR_CODES = [
  'RCA_BAD_CONFIG',
  'RCA_BAD_INPUT',
  'RCA_BAD_RECORD',
  'RCA_BAD_RULE',
  'RCA_TOO_FEW_SAMPLES',
  'RCA_NOT_FINITE',
  'RCA_ENVIRONMENT',
  'RCA_BUS',
  'RCA_STORE',
  'RCA_DELIVERY',
  'RCA_INTERNAL',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** The one error class: a stable code, a message that says what was expected, what was found and how to mend it. */
export class RcaError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'RcaError';
    this.code = code;
    this.details = details;
  }
}
