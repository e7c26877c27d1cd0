/**
 * The error ledger: the entry's errors per request, traced to where they begin. At each service the rise of errors it
 * returned is explained first by the rise of errors it received from its callees (failed calls and failed connects),
 * in proportion; what its callees do not explain it originated. On an edge, what the callee did not return itself
 * (timeouts, resets, failed connects) originated between the two; but calls that were given up while the callee took longer
 * than before are put down to what it took longer for (`given-up.ts`).
 */

import type { Entity } from '../model/entity.ts';
import { edge as edgeEntity, entityKey, service as serviceEntity } from '../model/entity.ts';
import type { Waits } from './given-up.ts';
import { givenUp, givenUpWords, left, leftWords, slowShare, waitsIn } from './given-up.ts';
import type { BareEntry, BareLedger } from './noise.ts';
import { propagate } from './propagate.ts';
import type { CallEdge, SideFlows, System } from './system.ts';
import { inbound } from './system.ts';

/** Errors that no sweep brought to where they begin: noted from this share on. */
const CYCLIC = 1e-9;
/** A breaker opens when so large a share of calls fails, and then so many at least are not made. */
const FAILING = 0.1;
const LEFT_OUT = 0.2;

/** @returns undefined when the entry has no traffic. Entries add up; `unexplained` is what only goes round. Cost: O(sweeps · edges). */
export function errorLedger(system: System, entry: string): BareLedger | undefined {
  const flows = inbound(system.service(entry));
  if (flows === undefined || flows.current.count <= 0) return undefined;
  const baseline = flows.baseline.count > 0 ? flows.baseline.errors / flows.baseline.count : 0;
  const current = flows.current.errors / flows.current.count;
  const change = current - baseline;
  const amounts = originsOf(system, entry, change);
  const entries: BareEntry[] = amounts
    .filter(({ contribution }) => contribution !== 0)
    .map((part) => ({ ...part, share: change === 0 ? Number.NaN : part.contribution / change }));
  const rest = change - entries.reduce((sum, item) => sum + item.contribution, 0);
  entries.push({
    term: 'unexplained',
    contribution: rest,
    share: change === 0 ? Number.NaN : rest / change,
    baseline: Number.NaN,
    current: Number.NaN,
    ...(Math.abs(rest) > CYCLIC * Math.abs(change) ? { note: 'errors go round a cycle of calls' } : {}),
  });
  return { kind: 'errors', entry, unit: 'errors_per_request', baseline, current, change, entries };
}

type Amount = Omit<BareEntry, 'share'>;

/** Distributes the entry's change over its origins: what each service returns is its own or comes from below. */
function originsOf(system: System, entry: string, change: number): Amount[] {
  const waits = waitsIn(system);
  const returned = new Map<string, Returned>();
  const reached = new Set([entry]);
  for (const name of reached) {
    const parts = returnedBy(system, waits, name);
    returned.set(name, parts);
    for (const { to, below } of parts.edges) if (below > 0) reached.add(to);
  }
  // Whose users left has returned them nothing: they waited for what it is slow for.
  const leftShare = returned.get(entry)?.left ?? 0;
  const steps = [...returned].flatMap(([from, { edges }]) => edges.map(({ to, below }) => ({ from, to, per: below })));
  const passed = propagate(new Map([[entry, 1 - leftShare]]), steps);
  const waiting = new Map<string, Waiting>();
  if (leftShare !== 0)
    waiting.set(entry, { amount: change * leftShare, largest: 0, words: leftWords(system.service(entry)) });
  const amounts: Amount[] = [];
  const originated = (entity: Entity, contribution: number): void => {
    amounts.push({ entity, term: 'originated', contribution, ...before(system, entity) });
  };
  for (const [name, { own, edges }] of returned) {
    const amount = change * (passed.get(name) ?? 0);
    originated(serviceEntity(name), amount * own);
    for (const { to, between, waited } of edges) {
      originated(edgeEntity(name, to), amount * between);
      if (amount * waited !== 0) wait(waiting, system.edge(name, to), amount * waited);
    }
  }
  return [...amounts, ...waitedFor(waits, waiting)];
}

/** Given up waiting for one service: of the change, and who gave up most. */
interface Waiting {
  readonly amount: number;
  readonly largest: number;
  readonly words: string;
}

function wait(waiting: Map<string, Waiting>, edge: CallEdge | undefined, amount: number): void {
  if (edge === undefined) return;
  const known = waiting.get(edge.to);
  const isLargest = known === undefined || Math.abs(amount) > Math.abs(known.largest);
  waiting.set(edge.to, {
    amount: (known?.amount ?? 0) + amount,
    largest: isLargest ? amount : known.largest,
    words: isLargest ? givenUpWords(edge) : known.words,
  });
}

/** What was given up waiting for services, by what these took longer for. */
function waitedFor(waits: Waits, waiting: ReadonlyMap<string, Waiting>): Amount[] {
  const found = new Map<string, Amount>();
  for (const [name, { amount, words }] of waiting) {
    for (const { entity, term, share, baseline, current } of waits(name)) {
      const key = `${term} ${entityKey(entity)}`;
      const known = found.get(key);
      const contribution = (known?.contribution ?? 0) + amount * share;
      found.set(key, { entity, term, contribution, baseline, current, note: known?.note ?? words });
    }
  }
  return [...found.values()];
}

/** Of each error that a service returns: the share that is its own, and per edge what begins on the way and below. */
interface Returned {
  readonly own: number;
  readonly edges: readonly ReturnedOver[];
  /** Of its errors, those whose callers left while it was slow; the other shares are of the rest. */
  readonly left: number;
}

interface ReturnedOver {
  readonly to: string;
  readonly between: number;
  readonly below: number;
  /** Given up while the callee took longer. */
  readonly waited: number;
}

function returnedBy(system: System, waits: Waits, name: string): Returned {
  const node = system.service(name);
  const flows = inbound(node);
  const errors =
    flows === undefined
      ? 0
      : rise(flows.baseline.errors, flows.current.errors, flows.baseline.count, flows.current.count);
  const gone = Math.min(errors, left(node?.left, node?.server));
  const returned = errors - gone;
  const edges = system
    .callees(name)
    .filter((edge) => edge.to !== name)
    .map((edge) => ({ edge, received: received(edge) }))
    .filter(({ received: value }) => value > 0)
    .map(({ edge, received: value }) => ({ edge, received: value, all: value + notMade(edge, value, flows) }));
  const total = edges.reduce((sum, { all: value }) => sum + value, 0);
  const explained = returned > 0 ? Math.min(1, total / returned) : total > 0 ? 1 : 0;
  return {
    left: gone > 0 && waits(name).length > 0 ? gone / errors : 0,
    own: 1 - explained,
    edges: edges.map(({ edge, received: value, all: withOthers }) => {
      const part = explained * (withOthers / total);
      const waited = part * Math.min(1, waitedOn(waits, edge) / value);
      const below = Math.min(part - waited, part * Math.min(1, fromCallee(edge) / value));
      return { to: edge.to, between: part - below - waited, below, waited };
    }),
  };
}

/**
 * Calls per second that a service does without where many of those that it makes fail: its breaker is open, and it fails at
 * once. They count like the ones that failed. Who makes fewer calls and gets no more errors has another reason.
 */
function notMade(edge: CallEdge, failed: number, requests: SideFlows | undefined): number {
  const side = edge.client ?? edge.server;
  if (side === undefined || requests === undefined || requests.baseline.count <= 0) return 0;
  const usual = (side.baseline.count / requests.baseline.count) * requests.current.count;
  const isOpen = failed >= FAILING * side.current.count && side.current.count <= (1 - LEFT_OUT) * usual;
  return isOpen ? usual - side.current.count : 0;
}

/** Calls per second given up on this edge for the time that the callee took. */
function waitedOn(waits: Waits, edge: CallEdge): number {
  const calls = givenUp(edge) * slowShare(edge);
  return calls > 0 && waits(edge.to).length > 0 ? calls : 0;
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

/** What of it the callee did not return itself: timeouts, resets, failed connects. */
export function lost(edge: CallEdge): number {
  return Math.max(0, received(edge) - fromCallee(edge));
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
  const returned = rise(baseline.errors, current.errors, baseline.count, current.count);
  return Math.max(0, returned - Math.min(givenUp(edge), left(edge.left, edge.server)));
}

function before(system: System, entity: Entity): { readonly baseline: number; readonly current: number } {
  const flows =
    entity.kind === 'edge'
      ? system.edge(entity.from ?? '', entity.to ?? '')?.client
      : inbound(system.service(entity.name));
  return { baseline: flows?.baseline.errors ?? Number.NaN, current: flows?.current.errors ?? Number.NaN };
}
