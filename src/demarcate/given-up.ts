/**
 * A call that its caller gave up is slowness in disguise: it counts as failed, and nobody returned an error. As far as the
 * callee took longer than before, such errors are put down to what made it slow: to the entries of its own latency ledger,
 * in proportion.
 */
import type { Entity } from '../model/entity.ts';
import { formatMicroseconds, sharePercent } from '../model/format.ts';
import type { LedgerTerm } from '../model/walk.ts';
import { latencyLedger } from './latency-ledger.ts';
import type { CallEdge, ServiceNode, SideFlows, System } from './system.ts';
import { meanUs } from './system.ts';

/** Who gives up has waited so many times as long as a call usually takes; a crash ends calls sooner. */
const LONGER = 1.5;
/** Who holds a call for so much of the time that another is waited for. */
const AS_LONG = 0.5;
/** Ledgers that are made: a bound on cost. */
const MAX_WAITS = 8;

/** Part of what a service takes longer. */
export interface Wait {
  readonly entity: Entity;
  readonly term: LedgerTerm;
  /** Of all parts that grew; they add up to 1. */
  readonly share: number;
  /** As the latency ledger has them. */
  readonly baseline: number;
  readonly current: number;
}

/** What a service takes longer for; none when it does not, or when it is one too many. */
export type Waits = (service: string) => readonly Wait[];

/** Of the services asked about, in the order in which they are. Cost: that of a latency ledger for each of the first ones. */
export function waitsIn(system: System): Waits {
  const known = new Map<string, readonly Wait[]>();
  return (name) => {
    const found = known.get(name) ?? (known.size < MAX_WAITS ? waitsOf(system, name) : []);
    known.set(name, found);
    return found;
  };
}

function waitsOf(system: System, name: string): readonly Wait[] {
  const ledger = latencyLedger(system, name);
  if (ledger === undefined || !(ledger.change > 0)) return [];
  const grown = ledger.entries.flatMap(({ entity, term, contribution, baseline, current }) =>
    entity !== undefined && contribution > 0 ? [{ entity, term, contribution, baseline, current }] : [],
  );
  // That it is asked more often for each request of the others holds nobody up: what else grew does, if anything did.
  const held = grown.filter(({ term }) => term !== 'visits');
  const parts = held.length > 0 ? held : grown;
  const all = parts.reduce((sum, { contribution }) => sum + contribution, 0);
  return parts.map(({ contribution, ...part }) => ({ ...part, share: contribution / all }));
}

/** Rise of calls per second that callers gave up, above what the baseline's share predicts. */
export function givenUp({ givenUp: calls, client }: CallEdge): number {
  return rise(calls, client);
}

/** The same as the callee saw it: callers that left before it had answered. */
export function left(calls: SideFlows | undefined, all: SideFlows | undefined): number {
  return isPatient(calls, all) ? rise(calls, all) : 0;
}

/**
 * How much of what was given up on this edge is time that the callee took, 0 to 1: its mean grew by what these calls took
 * longer, shared among all. Where nobody sees the callee from inside, all of it.
 */
export function slowShare(edge: CallEdge): number {
  const { givenUp: calls, client, server } = edge;
  if (calls === undefined || client === undefined || !isPatient(calls, client)) return 0;
  if (server === undefined || isHeld(edge)) return 1;
  const longerUs = meanUs(calls.current) - meanUs(client.baseline);
  const grownUs = meanUs(server.current) - meanUs(server.baseline);
  const part = grownUs / (longerUs * (givenUp(edge) / client.current.count));
  return Number.isFinite(part) ? Math.min(1, Math.max(0, part)) : 0;
}

/**
 * Whether the callee holds calls that it does not answer for as long: then its workers are taken, and what they have not even
 * read waits for the same.
 */
function isHeld({ held, givenUp: calls, server }: CallEdge): boolean {
  return rise(held, server) > 0 && meanUs(held?.current) > AS_LONG * meanUs(calls?.current);
}

/** For people: who gives up how many calls, and after how long. */
export function givenUpWords({ from, to, client, givenUp: calls }: CallEdge): string {
  return `${from} gives up ${share(calls, client)} of its calls to ${to}, after ${formatMicroseconds(meanUs(calls?.current))}`;
}

/** The same of users, whom nobody observes. */
export function leftWords(node: ServiceNode | undefined): string {
  const after = formatMicroseconds(meanUs(node?.left?.current));
  return `callers of ${node?.name} leave before ${share(node?.left, node?.server)} of its answers, after ${after}`;
}

function share(part: SideFlows | undefined, all: SideFlows | undefined): string {
  return sharePercent((part?.current.count ?? Number.NaN) / (all?.current.count ?? Number.NaN));
}

function isPatient(calls: SideFlows | undefined, all: SideFlows | undefined): boolean {
  return meanUs(calls?.current) > LONGER * meanUs(all?.baseline);
}

function rise(part: SideFlows | undefined, all: SideFlows | undefined): number {
  if (part === undefined || all === undefined) return 0;
  const usual = all.baseline.count > 0 ? part.baseline.count / all.baseline.count : 0;
  return Math.max(0, part.current.count - usual * all.current.count);
}
