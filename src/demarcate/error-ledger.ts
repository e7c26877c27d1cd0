/**
 * The error ledger: the entry's errors per request, traced to where they begin. At each service the rise of errors it
 * returned is explained first by the rise of errors it received from its callees (failed calls and failed connects),
 * in proportion; what its callees do not explain it originated. On an edge, what the callee did not return itself
 * (timeouts, resets, failed connects) originated between the two.
 */

import type { Entity } from '../model/entity.ts';
import { edge as edgeEntity, service as serviceEntity } from '../model/entity.ts';
import type { Ledger, LedgerEntry } from '../model/walk.ts';
import type { CallEdge, System } from './system.ts';
import { inbound } from './system.ts';

const MAX_DEPTH = 32;

/** @returns undefined when the entry has no traffic. Entries add up; `unexplained` is what a cycle cut off. */
export function errorLedger(system: System, entry: string): Ledger | undefined {
  const flows = inbound(system.service(entry));
  if (flows === undefined || flows.current.count <= 0) return undefined;
  const baseline = flows.baseline.count > 0 ? flows.baseline.errors / flows.baseline.count : 0;
  const current = flows.current.errors / flows.current.count;
  const change = current - baseline;
  const amounts = new Map<string, { entity: Entity; amount: number }>();
  const unexplained = trace(system, entry, change, new Set(), amounts, 0);
  const entries: LedgerEntry[] = [...amounts.values()]
    .filter(({ amount }) => amount !== 0)
    .map(({ entity, amount }) => ({
      entity,
      term: 'originated',
      contribution: amount,
      share: change === 0 ? Number.NaN : amount / change,
      standardError: Math.sqrt(Math.max(baseline, 1e-9) / Math.max(flows.current.count, 1)),
      ...before(system, entity),
    }));
  const rest = change - entries.reduce((sum, item) => sum + item.contribution, 0);
  entries.push({
    term: 'unexplained',
    contribution: rest,
    share: change === 0 ? Number.NaN : rest / change,
    standardError: Number.NaN,
    baseline: Number.NaN,
    current: Number.NaN,
    ...(unexplained > 0 ? { note: 'errors go round a cycle of calls' } : {}),
  });
  return { kind: 'errors', entry, unit: 'errors_per_request', baseline, current, change, entries };
}

/** Distributes `amount` of the entry's change, returned by `name`, over its origins. Returns what a cycle cut off. */
function trace(
  system: System,
  name: string,
  amount: number,
  path: ReadonlySet<string>,
  amounts: Map<string, { entity: Entity; amount: number }>,
  depth: number,
): number {
  const own = inbound(system.service(name));
  const returned =
    own === undefined ? 0 : rise(own.baseline.errors, own.current.errors, own.baseline.count, own.current.count);
  const edges = system
    .callees(name)
    .filter((edge) => edge.to !== name)
    .map((edge) => ({ edge, received: received(edge), fromCallee: fromCallee(edge) }))
    .filter(({ received: value }) => value > 0);
  const total = edges.reduce((sum, { received: value }) => sum + value, 0);
  const explained = returned > 0 ? Math.min(1, total / returned) : total > 0 ? 1 : 0;
  add(amounts, serviceEntity(name), amount * (1 - explained));
  let cut = 0;
  for (const { edge, received: value, fromCallee: passed } of edges) {
    const part = amount * explained * (value / total);
    const share = Math.min(1, passed / value);
    add(amounts, edgeEntity(edge.from, edge.to), part * (1 - share));
    if (share === 0) continue;
    if (path.has(edge.to) || depth >= MAX_DEPTH) cut += part * share;
    else cut += trace(system, edge.to, part * share, new Set([...path, name]), amounts, depth + 1);
  }
  return cut;
}

/** Errors per second above what the baseline's ratio predicts for the current traffic. */
function rise(baselineErrors: number, currentErrors: number, baselineCount: number, currentCount: number): number {
  const ratio = baselineCount > 0 ? baselineErrors / baselineCount : 0;
  return Math.max(0, currentErrors - ratio * currentCount);
}

/** Rise of errors a caller got over this edge: failed calls, and connects that failed before any call. */
export function received(edge: CallEdge): number {
  const side = edge.client ?? edge.server;
  const calls =
    side === undefined ? 0 : rise(side.baseline.errors, side.current.errors, side.baseline.count, side.current.count);
  return calls + failedConnects(edge);
}

export function failedConnects(edge: CallEdge): number {
  return Object.values(edge.connectFailures).reduce(
    (sum, { baseline, current }) => sum + Math.max(0, current - baseline),
    0,
  );
}

/** How much of it the callee says it returned. With no view from the callee's side all failed calls count as its own. */
function fromCallee(edge: CallEdge): number {
  if (edge.client === undefined || edge.server === undefined) {
    const side = edge.client ?? edge.server;
    return side === undefined
      ? 0
      : rise(side.baseline.errors, side.current.errors, side.baseline.count, side.current.count);
  }
  const { baseline, current } = edge.server;
  return rise(baseline.errors, current.errors, baseline.count, current.count);
}

function before(system: System, entity: Entity): { readonly baseline: number; readonly current: number } {
  const flows =
    entity.kind === 'edge'
      ? system.edge(entity.from ?? '', entity.to ?? '')?.client
      : inbound(system.service(entity.name));
  return { baseline: flows?.baseline.errors ?? Number.NaN, current: flows?.current.errors ?? Number.NaN };
}

function add(amounts: Map<string, { entity: Entity; amount: number }>, entity: Entity, amount: number): void {
  const key = `${entity.kind}:${entity.name}`;
  const entry = amounts.get(key);
  if (entry === undefined) amounts.set(key, { entity, amount });
  else entry.amount += amount;
}
