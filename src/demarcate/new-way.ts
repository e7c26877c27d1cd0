/** A way that nobody took before: what is wrong with it came with who takes it now. */
import type { Comparison, MetricPair } from '../model/comparison.ts';
import { formatClock } from '../model/format.ts';
import type { Observation } from '../model/walk.ts';
import type { CallEdge } from './system.ts';

/** A caller that started so long before the trouble, or in its first windows, may have brought the way along. */
const STARTED_BEFORE_MS = 60_000;
const STARTED_WITHIN_WINDOWS = 2;
const CONNECTS = /^(connects|connectFailures\.)/;

/** @returns that the caller did not call or connect before, and when it started, if that was just then; else nothing */
export function newWay(comparison: Comparison, { from, to, client, server }: CallEdge): Observation[] {
  const calls = (client?.baseline.count ?? 0) + (server?.baseline.count ?? 0);
  const rows = comparison.tcp.filter(({ caller, callee }) => caller === from && callee === to);
  const metrics = rows.flatMap((row) => row.metrics);
  if (
    calls > 0 ||
    metrics.some(isUsedBefore) ||
    !metrics.some(({ metric, currentMean }) => CONNECTS.test(metric) && currentMean > 0)
  )
    return [];
  const { fromMs } = comparison.current;
  const untilMs = fromMs + STARTED_WITHIN_WINDOWS * comparison.windowMs;
  const start = comparison.changes.findLast(
    ({ change, service, atMs }) =>
      change === 'process_start' && service === from && atMs >= fromMs - STARTED_BEFORE_MS && atMs < untilMs,
  );
  const started = start === undefined ? '' : `; it was started at ${formatClock(start.atMs)}`;
  return [{ text: `${from} did not connect to ${to} before${started}` }];
}

function isUsedBefore({ metric, baselineMean }: MetricPair): boolean {
  return (CONNECTS.test(metric) || metric === 'segmentsOut') && baselineMean > 0;
}
