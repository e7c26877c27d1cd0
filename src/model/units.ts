/** Milliseconds since the Unix epoch. */
export type EpochMs = number;
/** A length of time in milliseconds. */
export type Milliseconds = number;
/** A length of time in microseconds. */
export type Microseconds = number;
export type Bytes = number;
/** 0..1 */
export type Ratio = number;

/** Default length of a telemetry window; windows are aligned to the epoch. */
export const DEFAULT_WINDOW_MS: Milliseconds = 5_000;
