/**
 * Calls that are made again because they failed: who is slow or fails gets more calls than before, and is not at fault for
 * getting them. And calls that are not made because they would fail: who has too much to do gets no more than before. What a service would get if nobody called again is what its callers would make for the requests they would
 * get, and so on up to the users.
 */
import type { CallLeaf, Comparison } from '../model/comparison.ts';
import { compareNames } from '../model/entity.ts';
import { bestSide } from './facts-edge.ts';

/** Failed calls for each call more: to call again makes one each. */
const FAILED = 0.5;
/** Of few calls that are left so many fail: the others are not made for that (a breaker is open). */
const FAILING = 0.1;
/** Levels of callers that are followed; what lies above counts as asked for by users. */
const MOST_LEVELS = 32;

interface Way {
  readonly caller: string;
  /** Per second. */
  readonly before: number;
  readonly now: number;
  readonly failed: number;
}

type Requests = Pick<Way, 'before' | 'now'>;

interface Seconds {
  readonly baseline: number;
  readonly current: number;
}

interface Calls {
  /** Callee -> who calls it, as the callers saw it where they did; by name. */
  readonly into: ReadonlyMap<string, readonly Way[]>;
  /** Requests of a service, before and now, as it saw them itself where it did. */
  readonly requests: ReadonlyMap<string, Requests>;
}

const known = new WeakMap<Comparison['calls'], Calls>();

/**
 * Calls per second before, and now if nobody called again what failed, nor did without it; null where that is unknown.
 * Cost: O(leaves) once for a comparison, then O(edges above these calls).
 *
 * @param made     calls into one service, an instance, or a machine
 * @param seconds  of each span
 */
export function asked({ calls }: Comparison, made: readonly CallLeaf[], seconds: Seconds): Requests | null {
  if (!(seconds.baseline > 0 && seconds.current > 0)) return null;
  let sums = known.get(calls);
  if (sums === undefined) {
    sums = sumsOf(calls, seconds);
    known.set(calls, sums);
  }
  const shares = new Map<string, number>();
  let before = 0;
  let now = 0;
  for (const { callee, baseline, current } of made) {
    before += baseline.count / seconds.baseline;
    now += (current.count / seconds.current) * askedShare(sums, callee, shares, 0);
  }
  return before > 0 ? { before, now } : null;
}

/** What would be made of a service's calls if nobody called again, nor did without: below 1, or above. */
function askedShare(sums: Calls, service: string, found: Map<string, number>, level: number): number {
  const earlier = found.get(service);
  if (earlier !== undefined) return earlier;
  // Round a cycle of calls, and too far up: as asked for.
  found.set(service, 1);
  if (level >= MOST_LEVELS) return 1;
  let all = 0;
  let asked = 0;
  for (const way of sums.into.get(service) ?? []) {
    all += way.now;
    const above = sums.requests.has(way.caller) ? askedShare(sums, way.caller, found, level + 1) : 1;
    asked += way.now * usualShare(way, sums.requests.get(way.caller)) * above;
  }
  const share = all > 0 ? asked / all : 1;
  found.set(service, share);
  return share;
}

/**
 * What one caller made for as many requests before, of its calls now; 1 unless the others repeat failed ones, or it makes
 * fewer because so many fail.
 */
function usualShare({ before, now, failed }: Way, requests: Requests | undefined): number {
  if (requests === undefined || !(requests.before > 0 && requests.now > 0 && before > 0)) return 1;
  const usual = (before / requests.before) * requests.now;
  if (now > usual) return failed >= FAILED * (now - usual) ? usual / now : 1;
  return now > 0 && failed >= FAILING * now ? usual / now : 1;
}

function sumsOf(calls: readonly CallLeaf[], seconds: Seconds): Calls {
  const into = new Map<string, CallLeaf[]>();
  for (const leaf of calls) {
    const list = into.get(leaf.callee);
    if (list === undefined) into.set(leaf.callee, [leaf]);
    else list.push(leaf);
  }
  const requests = new Map<string, Requests>();
  const ways = new Map<string, readonly Way[]>();
  for (const [callee, leaves] of into) {
    requests.set(callee, rates(bestSide(leaves, 'server'), seconds));
    const callers = new Map<string, CallLeaf[]>();
    for (const leaf of leaves) {
      const list = callers.get(leaf.caller);
      if (list === undefined) callers.set(leaf.caller, [leaf]);
      else list.push(leaf);
    }
    ways.set(
      callee,
      [...callers]
        .sort(([a], [b]) => compareNames(a, b))
        .map(([caller, list]) => ({ caller, ...rates(bestSide(list, 'client'), seconds) })),
    );
  }
  return { into: ways, requests };
}

function rates(leaves: readonly CallLeaf[], seconds: Seconds): Omit<Way, 'caller'> {
  const sums = { before: 0, now: 0, failed: 0 };
  for (const { baseline, current } of leaves) {
    sums.before += baseline.count / seconds.baseline;
    sums.now += current.count / seconds.current;
    sums.failed += current.errors / seconds.current;
  }
  return sums;
}
