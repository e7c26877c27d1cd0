/**
 * Waiting is not a cause. A service whose own time (or own errors) grew while it used no more CPU was waiting for
 * something. When one of its callees, itself a suspect on its own evidence, answers it several times slower, that is what
 * it waited for: requests queue in the caller for a connection or a worker that the slow callee holds (a pool has a
 * size; by Little's law slower calls fill it). The ledger keeps the wait where it was spent; the blame moves on.
 */
import type { CallLeaf, Comparison } from '../model/comparison.ts';
import type { Entity } from '../model/entity.ts';
import { addShares } from '../model/ledger-shares.ts';
import type { Suspect } from '../model/walk.ts';
import { edgeEvidence, ON_THE_WAY } from './edge-check.ts';
import { calledOf } from './suspects.ts';
import type { CallEdge, System } from './system.ts';
import { meanUs } from './system.ts';
import { waitsItself } from './waits-itself.ts';
import { worked } from './work.ts';

/** The callee must answer this many times slower: below it pools rarely fill. */
const SLOWER = 3;
/** So many failed connects per second hold a caller up. */
const FAILING_PER_S = 0.5;
/** What moves on; the rest stays, for it was spent there. */
const MOVED = 0.9;
/** The same of errors that come before the callee could have answered: a breaker that is open, or errors of its own. */
const MOVED_EARLY = 0.6;
/** Of the time that the callee takes. */
const EARLY = 0.5;

/** @returns the suspects with the score and the shares of waiting ones moved to what they waited for */
export function moveInducedWaiting(system: System, comparison: Comparison, suspects: readonly Suspect[]): Suspect[] {
  const scores = new Map(suspects.map((suspect) => [suspect, suspect.score]));
  const shares = new Map(suspects.map((suspect) => [suspect, suspect.shares]));
  const notes = new Map<Suspect, string[]>();
  // From the entry downwards a wait may move on several times; suspects are few.
  for (const waiting of [...suspects].sort((a, b) => a.path.length - b.path.length)) {
    const name = waiting.service ?? waiting.entity.name;
    const isEdge = waiting.entity.kind === 'edge';
    const isOwnQueue =
      !isEdge && waiting.term === 'network' && waitsItself(system, comparison, name, system.service(name)?.held);
    if (!isOwnQueue && waiting.term !== 'originated' && waiting.term !== (isEdge ? 'network' : 'self')) continue;
    if (isEdge ? !isQueue(system, comparison, waiting.entity) : worked(system, comparison, name)) continue;
    const blamed = suspects
      .filter((other) => other !== waiting)
      .filter((other) =>
        isEdge
          ? isSlowFor(system, name, other)
          : holds(system, comparison, name, other) || (!isOwn(name, other) && isSlowFor(system, name, other)),
      )
      .sort((a, b) => (scores.get(b) ?? 0) - (scores.get(a) ?? 0))[0];
    if (blamed === undefined) continue;
    const part =
      !isEdge && waiting.term === 'originated' && failsEarly(system, comparison, name, blamed) ? MOVED_EARLY : MOVED;
    const moved = (scores.get(waiting) ?? 0) * part;
    scores.set(waiting, (scores.get(waiting) ?? 0) - moved);
    scores.set(blamed, (scores.get(blamed) ?? 0) + moved);
    const spent = shares.get(waiting)!;
    shares.set(waiting, addShares(spent, spent, -part));
    shares.set(blamed, addShares(shares.get(blamed)!, spent, part));
    const words = isEdge
      ? `requests wait before ${name} reads them, as it is slow itself: the wait is counted here`
      : `${name} waits without working while it holds out for ${blamed.entity.name}: the wait is counted here`;
    notes.set(blamed, [...(notes.get(blamed) ?? []), words]);
  }
  return suspects.map((suspect) => ({
    ...suspect,
    score: scores.get(suspect) ?? suspect.score,
    shares: shares.get(suspect)!,
    observations: [...suspect.observations, ...(notes.get(suspect) ?? []).map((text) => ({ text }))],
  }));
}

/**
 * Whether what is spent on the way is spent in the callee's queue: it holds its calls several times longer itself, and no
 * counter of the network has anything to tell. What is sent again though it had arrived came late at one of the ends; or on a
 * way that is full, where round trips tell.
 */
function isQueue(system: System, comparison: Comparison, { from = '', to = '' }: Entity): boolean {
  const edge = system.edge(from, to);
  if (edge?.server === undefined || !isSlower(edge)) return false;
  const evidence = edgeEvidence(comparison, from, to);
  const { isSentAgain, isLossy, rttRiseUs, timedOutPerS, refusedPerS } = evidence;
  const wait = (when: 'baseline' | 'current'): number => meanUs(edge.client?.[when]) - meanUs(edge.server?.[when]);
  const isFar = isSentAgain && !(rttRiseUs <= ON_THE_WAY * (wait('current') - wait('baseline')));
  return !isLossy && !isFar && timedOutPerS + refusedPerS < FAILING_PER_S;
}

/** Whether a service is itself what another suspect is, or waits for it, however far below: every call on the way got as slow. */
function isSlowFor(system: System, name: string, other: Suspect): boolean {
  const { entity, term } = other;
  const isEdge = entity.kind === 'edge';
  const callee = isEdge ? entity.from : calledOf(other);
  if (callee === undefined || !['self', 'network', 'originated'].includes(term)) return false;
  const slow = new Set([name]);
  for (const one of slow) for (const edge of system.callees(one)) if (isSlower(edge)) slow.add(edge.to);
  if (!isEdge)
    return slow.has(callee) || system.callers(callee).some((edge) => slow.has(edge.from) && isWaitedFor(edge));
  const way = system.edge(entity.from ?? '', entity.to ?? '');
  return slow.has(callee) && way !== undefined && isWaitedFor(way);
}

/** Whether a suspect is the service itself, an instance of it, or a way from it: nobody waits for himself. */
function isOwn(name: string, other: Suspect): boolean {
  return other.entity.kind === 'edge' ? other.entity.from === name : calledOf(other) === name;
}

function isWaitedFor({ client }: CallEdge): boolean {
  return meanUs(client?.current) >= SLOWER * meanUs(client?.baseline);
}

function isSlower({ server, client }: CallEdge): boolean {
  const side = server ?? client;
  return meanUs(side?.current) >= SLOWER * meanUs(side?.baseline);
}

/** Whether the calls that fail here took clearly less time than the callee's answers take. */
function failsEarly(system: System, comparison: Comparison, name: string, other: Suspect): boolean {
  const failed = comparison.calls.filter(
    ({ callee, side, current }) => callee === name && side === 'server' && current.errors > 0,
  );
  const sum = (pick: (leaf: CallLeaf) => number): number => failed.reduce((all, leaf) => all + pick(leaf), 0);
  const failedUs = sum(({ current }) => current.durationSumUs) / sum(({ current }) => current.count);
  const edge = system.edge(name, calledOf(other) ?? '');
  return failedUs < EARLY * meanUs((edge?.client ?? edge?.server)?.current);
}

/** True when `other` is a callee of the service, or the edge to one, that made it wait on evidence of its own. */
function holds(system: System, comparison: Comparison, name: string, other: Suspect): boolean {
  const callee = calledOf(other);
  const edge = callee === undefined || callee === name ? undefined : system.edge(name, callee);
  if (edge === undefined || (other.entity.kind === 'edge' && other.entity.from !== name)) return false;
  if (other.term === 'visits' || other.term === 'caller') return false;
  const server = meanUs(edge.server?.current) / meanUs(edge.server?.baseline);
  if (other.entity.kind !== 'edge' && server >= SLOWER) return true;
  const evidence = edgeEvidence(comparison, name, edge.to);
  // Connects that fail are waited for before any call is sent: no duration of a call shows it.
  if (evidence.timedOutPerS + evidence.refusedPerS >= FAILING_PER_S) return true;
  const client = meanUs(edge.client?.current) / meanUs(edge.client?.baseline);
  return client >= SLOWER && evidence.observations.length > 0;
}
