/** Defaults of ingest. */
import type { IngestConfig } from './types.ts';

export const DEFAULT_INGEST_CONFIG: IngestConfig = {
  windowMs: null,
  latenessMs: 10_000,
  idleTimeoutMs: 30_000,
  futureToleranceMs: 60_000,
  detailWindows: 24,
  detailWindowsMax: 360,
  detailBytes: 512 * 1024 * 1024,
  minuteBlocks: 10,
  compareWholeLeaves: 100_000,
  forgetEveryWindows: 60,
};

/** Changes this long before an incident may have caused it. */
export const CHANGES_BEFORE_MS = 5 * 60_000;
/** Window length when neither the configuration nor the first batch says one. */
export const MAX_WINDOW_MS = 3_600_000;
