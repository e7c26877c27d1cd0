/**
 * An instance that was not there before has no before. Its siblings had one: what they were, for as many requests as it gets
 * now, stands in for it. So the one bad instance of a new version is judged as any other bad instance is.
 */
import type { CallLeaf, CallSums, Comparison, MetricPair, ResourceEntity, TcpEdge } from '../model/comparison.ts';
import { ofInstances, partsOf } from '../model/metric-part.ts';
import { isNewcomer } from '../model/newcomer.ts';

/** Fields that do not grow with the number of requests. */
const LEAST = new Set(['rttMinUs']);
const NOTHING: CallSums = { count: 0, errors: 0, durationSumUs: 0, durationSquareUs2: 0 };

interface Ends {
  readonly caller: string;
  readonly callee: string;
  readonly callerInstance?: string;
  readonly calleeInstance?: string;
}

/**
 * The comparison with a before of `instance`; undefined where it has one of its own, or siblings have none.
 * Cost: O(calls + TCP rows + resources).
 */
export function withStandIn(comparison: Comparison, instance: string, service: string): Comparison | undefined {
  const factor = requestsAgainstSiblings(comparison, instance, service);
  if (factor === undefined) return undefined;
  const { calls, tcp, resources } = comparison;
  return {
    ...comparison,
    calls: [
      ...calls,
      ...calls.flatMap((leaf): CallLeaf[] => {
        const ends = inItsPlace(leaf, instance, service);
        return ends === undefined
          ? []
          : [{ ...leaf, ...ends, baseline: times(leaf.baseline, factor), current: NOTHING }];
      }),
    ],
    tcp: [
      ...tcp,
      ...tcp.flatMap((row): TcpEdge[] => {
        const ends = inItsPlace(row, instance, service);
        return ends === undefined
          ? []
          : [{ ...row, ...ends, metrics: row.metrics.map((pair) => before(pair, factor)) }];
      }),
    ],
    resources: resources.map((own) =>
      own.entityKind === 'instance' && own.entity === instance ? likeSiblings(own, comparison, service, factor) : own,
    ),
  };
}

/** Its requests a window now, of all that its siblings got before; undefined: it is not new, or nobody was there. */
function requestsAgainstSiblings(comparison: Comparison, instance: string, service: string): number | undefined {
  const { calls, baseline, current } = comparison;
  const into = calls.filter(({ callee, calleeInstance }) => callee === service && calleeInstance !== undefined);
  const isServed = into.some(({ side, calleeInstance }) => side === 'server' && calleeInstance === instance);
  let [own, ownBefore, siblings, siblingsNow] = [0, 0, 0, 0];
  for (const leaf of into) {
    if (isServed !== (leaf.side === 'server')) continue;
    if (leaf.calleeInstance === instance) {
      own += leaf.current.count;
      ownBefore += leaf.baseline.count;
    } else {
      siblings += leaf.baseline.count;
      siblingsNow += leaf.current.count;
    }
  }
  const all = { before: ownBefore + siblings, now: own + siblingsNow };
  if (siblings === 0 || !isNewcomer({ before: ownBefore, now: own }, all, comparison)) return undefined;
  return (own * baseline.windows) / (siblings * current.windows);
}

/** The ends of a sibling's calls, or of calls to it, with the instance in its place; undefined: not of a sibling. */
function inItsPlace(row: Ends, instance: string, service: string): Partial<Ends> | undefined {
  const isOther = (of: string, name: string | undefined): boolean =>
    of === service && name !== undefined && name !== instance;
  const called = isOther(row.callee, row.calleeInstance);
  const calls = isOther(row.caller, row.callerInstance);
  if (!called && !calls) return undefined;
  return { ...(called ? { calleeInstance: instance } : {}), ...(calls ? { callerInstance: instance } : {}) };
}

function times({ count, errors, durationSumUs, durationSquareUs2 }: CallSums, factor: number): CallSums {
  return {
    count: count * factor,
    errors: errors * factor,
    durationSumUs: durationSumUs * factor,
    durationSquareUs2: durationSquareUs2 * factor,
  };
}

function before(pair: MetricPair, factor: number): MetricPair {
  const by = LEAST.has(pair.metric) ? 1 : factor;
  const { metric, baselineMean, baselineSpread, baselineWindows } = pair;
  return {
    metric,
    baselineMean: baselineMean * by,
    baselineSpread: baselineSpread * by,
    currentMean: Number.NaN,
    currentMax: Number.NaN,
    baselineWindows,
    currentWindows: 0,
  };
}

/** Its metrics with the mean before of its siblings', who was there longer counts for more: of CPU time what as many requests took. */
function likeSiblings(own: ResourceEntity, comparison: Comparison, service: string, factor: number): ResourceEntity {
  const siblings = comparison.resources.filter(
    (other) => other.entityKind === 'instance' && other.service === service && other.entity !== own.entity,
  );
  const metrics = own.metrics.map((pair): MetricPair => {
    const known = siblings
      .flatMap((sibling) => sibling.metrics.filter(({ metric }) => metric === pair.metric))
      .filter(({ baselineMean, baselineWindows }) => Number.isFinite(baselineMean) && baselineWindows > 0);
    if (known.length === 0) return pair;
    const among = ofInstances(comparison, pair.metric);
    const parts = partsOf(known, among);
    const sum = parts.reduce((all, { before }) => all + before, 0);
    const shares = parts.reduce((all, { beforeShare }) => all + beforeShare, 0);
    const by = pair.metric === 'cpuUsedUs' ? factor : 1 / shares;
    const windows = among.reduce((longest, { baselineWindows }) => Math.max(longest, baselineWindows), 0);
    return { ...pair, baselineMean: sum * by, baselineWindows: windows };
  });
  return { ...own, metrics };
}
