/**
 * Waiting is not a cause. A service whose own time (or own errors) grew while it used no more CPU was waiting for
 * something. When one of its callees, itself a suspect on its own evidence, answers it several times slower, that is what
 * it waited for: requests queue in the caller for a connection or a worker that the slow callee holds (a pool has a
 * size; by Little's law slower calls fill it). The ledger keeps the wait where it was spent; the blame moves on.
 */
import type { Comparison, ResourceEntity } from '../model/comparison.ts';
import type { Suspect } from '../model/walk.ts';
import { edgeEvidence } from './edge-check.ts';
import type { SideFlows, System } from './system.ts';
import { inbound, meanUs } from './system.ts';

/** The callee must answer this many times slower: below it pools rarely fill. */
const SLOWER = 3;
/** So many failed connects per second hold a caller up. */
const FAILING_PER_S = 0.5;
/** CPU that explains more than this share of the growth of own time makes it work, not waiting. */
const WORK_SHARE = 0.25;
/** Of parallel calls the sum may be more than was waited for: this much of the growth is taken to be the service's own. */
const LEAST_OWN = 0.2;
/** Share of a window in which its quota stopped an instance that counts as throttled. */
const THROTTLED_SHARE = 0.1;
/** What moves on; the rest stays, for it was spent there. */
const MOVED = 0.9;

/** @returns the suspects with the score of waiting ones moved to what they waited for */
export function moveInducedWaiting(system: System, comparison: Comparison, suspects: readonly Suspect[]): Suspect[] {
  const scores = new Map(suspects.map((suspect) => [suspect, suspect.score]));
  const notes = new Map<Suspect, string[]>();
  // From the entry downwards a wait may move on several times; suspects are few.
  for (const waiting of [...suspects].sort((a, b) => a.path.length - b.path.length)) {
    const name = waiting.service ?? waiting.entity.name;
    if (waiting.entity.kind === 'edge' || (waiting.term !== 'self' && waiting.term !== 'originated')) continue;
    if (worked(system, comparison, name)) continue;
    const blamed = suspects
      .filter((other) => other !== waiting && holds(system, comparison, name, other))
      .sort((a, b) => (scores.get(b) ?? 0) - (scores.get(a) ?? 0))[0];
    if (blamed === undefined) continue;
    const moved = (scores.get(waiting) ?? 0) * MOVED;
    scores.set(waiting, (scores.get(waiting) ?? 0) - moved);
    scores.set(blamed, (scores.get(blamed) ?? 0) + moved);
    notes.set(blamed, [
      ...(notes.get(blamed) ?? []),
      `${name} waits without working while it holds out for ${blamed.entity.name}: the wait is counted here`,
    ]);
  }
  return suspects.map((suspect) => ({
    ...suspect,
    score: scores.get(suspect) ?? suspect.score,
    observations: [...suspect.observations, ...(notes.get(suspect) ?? []).map((text) => ({ text }))],
  }));
}

/**
 * True when what its instances computed, or waited for a processor, per request grew by a good part of what its own time
 * per request grew. What its callees took longer is not its own.
 */
function worked(system: System, comparison: Comparison, name: string): boolean {
  const flows = inbound(system.service(name));
  const grownUs = meanUs(flows?.current) - meanUs(flows?.baseline);
  if (!(grownUs > 0) || flows === undefined) return false;
  if (comparison.resources.some((resource) => resource.service === name && isThrottled(comparison, resource)))
    return true;
  const seconds = comparison.windowMs / 1000;
  let before = 0;
  let now = 0;
  for (const { service, entityKind, metrics } of comparison.resources) {
    if (entityKind !== 'instance' || service !== name) continue;
    for (const { metric, baselineMean, currentMean } of metrics) {
      if (metric !== 'cpuUsedUs' && metric !== 'runQueueDelayUs') continue;
      before += baselineMean / seconds;
      now += currentMean / seconds;
    }
  }
  const perRequest = (us: number, count: number): number => (count > 0 ? us / count : 0);
  const workedUs = perRequest(now, flows.current.count) - perRequest(before, flows.baseline.count);
  const ownUs = Math.max(grownUs - calleesUs(system, name, flows), LEAST_OWN * grownUs);
  return workedUs > WORK_SHARE * ownUs;
}

/** What the calls of one request took longer than before, µs: of calls one after the other all of it is waited for. */
function calleesUs(system: System, name: string, { baseline, current }: SideFlows): number {
  return system.callees(name).reduce((sum, { client, server }) => {
    const side = client ?? server;
    const grown = (side?.current.durationUs ?? 0) / current.count - (side?.baseline.durationUs ?? 0) / baseline.count;
    return grown > 0 ? sum + grown : sum;
  }, 0);
}

/** A throttled instance is held back by its own quota, not by a callee or its machine. */
export function isThrottled(comparison: Comparison, { entityKind, metrics }: ResourceEntity): boolean {
  if (entityKind !== 'instance') return false;
  const least = THROTTLED_SHARE * comparison.windowMs * 1000;
  return metrics.some(
    ({ metric, baselineMean, currentMean }) => metric === 'cpuThrottledUs' && currentMean - baselineMean > least,
  );
}

/** True when `other` is a callee of the service, or the edge to one, that made it wait on evidence of its own. */
function holds(system: System, comparison: Comparison, name: string, other: Suspect): boolean {
  const callee = other.entity.kind === 'edge' ? other.entity.to : (other.service ?? other.entity.name);
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
