/** Facts of a suspect's pools: connections that it opens once and shares among its requests, and waits for in itself. */
import type { CallLeaf, TcpEdge } from '../model/comparison.ts';
import { compareNames } from '../model/entity.ts';
import { ACTIVE } from '../model/records.ts';
import type { FactSheet } from './fact-sheet.ts';
import { setFact } from './fact-sheet.ts';
import { bestSide, sumCalls } from './facts-edge.ts';
import { find, over, sumOf, sumWithoutBusiest, times } from './metric-sum.ts';
import type { Scope } from './scope.ts';

/** Connections that carried so many calls each time one was opened are a pool's. */
const MIN_CALLS_PER_CONNECT = 5;

/** A callee that sends so much of what it sent before may keep its callers waiting. */
const QUIET = 0.5;

interface Pool {
  readonly callee: string;
  readonly connections: number;
  /** Sent over them, now / before. */
  readonly bytes: number;
  readonly busy: number | null;
}

/**
 * Of the callees it reaches over connections it keeps, the one of which most is missing: connections, or what is
 * sent over them.
 * Unknown where connections are not counted.
 *
 * @param rows  TCP counters of its own calls, its own side
 * Cost: O(callees x (rows + calls)).
 */
export function poolFacts(scope: Scope, rows: readonly TcpEdge[], calls: readonly CallLeaf[], sheet: FactSheet): void {
  const least = [...new Set(rows.map(({ callee }) => callee))]
    .sort(compareNames)
    .flatMap((callee) => poolOf(scope, callee, rows, calls) ?? [])
    .reduce<Pool | undefined>((best, pool) => (best === undefined || left(pool) < left(best) ? pool : best), undefined);
  setFact(sheet, 'out.pool_callee', least?.callee ?? null);
  setFact(sheet, 'out.pool_connections_ratio', least?.connections ?? null);
  setFact(sheet, 'out.pool_bytes_ratio', least?.bytes ?? null);
  setFact(sheet, 'out.pool_busy_ratio', least?.busy ?? null);
  setFact(sheet, 'out.unread_callees', rows.length === 0 ? null : unread(rows, calls));
}

const left = ({ connections, bytes }: Pool): number => Math.min(connections, bytes);

function poolOf(
  { comparison }: Scope,
  callee: string,
  rows: readonly TcpEdge[],
  calls: readonly CallLeaf[],
): Pool | undefined {
  const metrics = rows.filter((row) => row.callee === callee).map((row) => row.metrics);
  const made = bestSide(
    calls.filter((leaf) => leaf.callee === callee && leaf.status !== ACTIVE),
    'client',
  );
  const before = sumCalls(made, 'baseline');
  const now = sumCalls(made, 'current');
  const open = sumOf(metrics, 'activeConnections');
  const opened = times(sumOf(metrics, 'connects').baseline, comparison.baseline.windows);
  if (opened === null || before.count < MIN_CALLS_PER_CONNECT * Math.max(1, opened)) return undefined;
  const connections = over(open.current, open.baseline);
  // What had to wait is sent at once when the wait is over.
  const sent = sumWithoutBusiest(metrics.map((list) => find(list, 'bytesOut')));
  const bytes = over(sent, sumOf(metrics, 'bytesOut').baseline);
  if (connections === null || bytes === null) return undefined;
  const spanUs = comparison.current.windows * comparison.windowMs * 1000;
  const busy = now.meanUs === null ? 0 : over(now.meanUs * now.count, (open.current ?? 0) * spanUs);
  return { callee, connections, bytes, busy };
}

/**
 * Callees that it talks to in what nobody reads (TLS, other protocols) and that send it less than before: whether it waits for
 * those is not known. Who sends as ever keeps nobody waiting.
 */
function unread(rows: readonly TcpEdge[], calls: readonly CallLeaf[]): number {
  const read = new Set(calls.map(({ callee }) => callee));
  const callees = new Set(rows.map(({ callee }) => callee).filter((callee) => !read.has(callee)));
  return [...callees].filter((callee) => {
    const received = sumOf(
      rows.filter((row) => row.callee === callee).map(({ metrics }) => metrics),
      'bytesIn',
    );
    const ratio = over(received.current, received.baseline);
    return ratio !== null && ratio < QUIET;
  }).length;
}
