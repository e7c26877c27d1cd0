/** What the load generator is told and what it writes. */
import type { MixEntry } from '../types.ts';

export interface LoadPoint {
  /** Milliseconds since the first request could be sent. */
  readonly atMs: number;
  readonly ratePerS: number;
}

export interface LoadConfig {
  readonly address: string;
  readonly port: number;
  readonly mix: readonly MixEntry[];
  readonly arrivals: 'poisson' | 'fixed';
  /** Rate over time: linear between points; the last point ends the run. */
  readonly points: readonly LoadPoint[];
  readonly seed: number;
  readonly timeoutMs: number;
  readonly connections: number;
  /** Bound on requests sent; reaching it ends the run. */
  readonly maxRequests: number;
  /** Bound on requests without an answer; more are counted as shed, not sent. */
  readonly maxInFlight: number;
  readonly outFile: string;
}

export interface LoadWindow {
  readonly fromMs: number;
  readonly toMs: number;
  readonly sent: number;
  /** Requests not sent because too many had no answer yet. */
  readonly shed: number;
  /** Count by answer: `200`, `502`, `timeout`, `ECONNREFUSED` … */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly p50Ms: number | null;
  readonly p90Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
  /** Answered requests by latency: upper bound in microseconds and count, ascending; about 2.5 % wide. */
  readonly histogramUs: readonly (readonly [number, number])[];
}

export interface LoadResult {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly windows: readonly LoadWindow[];
  readonly total: LoadWindow;
  /** By how much the generator was late with sending, worst case, milliseconds: a busy machine shows here. */
  readonly worstLatenessMs: number;
}
