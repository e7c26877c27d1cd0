/**
 * Calls that no longer arrive: who refuses or is gone has no slow or failed requests to show, only fewer, and its callers
 * fail or wait. A service counts when it went silent; an instance, too, when it gets clearly less than its siblings (what
 * its whole service gets less may be what its callers no longer ask for).
 */

import type { Samples } from './deviation.ts';
import { deviation, finite, logExcess, MIN_PAST, quantile } from './deviation.ts';
import type { NodeSeries } from './fallback.ts';
import type { FallbackSettings } from './fallback-settings.ts';
import type { Family } from './families.ts';
import { SYMPTOM_FAMILIES } from './families.ts';
import type { NodeSigns } from './node-signs.ts';
import { explaining, raise } from './node-signs.ts';
import type { NodeTopology } from './node-topology.ts';

const REQUESTS = /request|qps|rps|span_count/i;
/** Of the usual requests: less is silence. */
const SILENT = 0.1;
/** Of its callers' samples in the past, a node that usually has some when they have. */
const USUAL = 0.8;

/** Raises the symptoms of who gets no calls any more to what its callers show and no other callee explains. Cost: O(series + calls). */
export function addLostCalls(
  series: readonly NodeSeries[],
  topology: NodeTopology,
  nodes: ReadonlyMap<string, NodeSigns>,
  settings: FallbackSettings,
): void {
  const arrivals = Map.groupBy(
    series.filter((one) => isCount(one) || SYMPTOM_FAMILIES.includes(one.family)),
    ({ node }) => node,
  );
  const areFailuresKnown = series.some(({ family }) => family === 'errors');
  const unexplained = (name: string, family: Family): number => {
    const node = nodes.get(name);
    const sign = node?.families.get(family) ?? 0;
    const callees = topology.calleesOf(name).map((callee) => explaining(nodes.get(callee), node, family));
    return sign - Math.min(sign, Math.max(0, ...callees));
  };
  const capped = logExcess(Number.POSITIVE_INFINITY, settings);
  const raised: (readonly [NodeSigns, Family, number])[] = [];
  for (const [name, node] of nodes) {
    const own = arrivals.get(name);
    if (own === undefined || node.kind === 'machine') continue;
    const callers = topology.callersOf(name);
    const of = (rows: readonly string[]): NodeSeries[] => rows.flatMap((row) => arrivals.get(row) ?? []);
    const counts = own.filter(isCount);
    const isSilent = (counts.length > 0 ? counts : own).some((one) => isSilence(one, of(callers)));
    if (isSilent && !areFailuresKnown) raised.push([node, 'errors', capped]);
    if (!isSilent && !counts.some((one) => getsLess(one, of(topology.siblingsOf(name)), settings))) continue;
    for (const family of SYMPTOM_FAMILIES) {
      const sign = Math.max(0, ...callers.map((caller) => unexplained(caller, family)));
      raised.push([node, family, Math.min(capped, sign)]);
    }
  }
  for (const [node, family, sign] of raised) raise(node, family, sign);
}

function isCount({ family, metric }: NodeSeries): boolean {
  return family === 'traffic' && REQUESTS.test(metric);
}

/** Whether nothing arrives any more while callers still get their calls: no requests, or no samples of what they took. */
function isSilence(one: NodeSeries, callers: readonly NodeSeries[]): boolean {
  const same = callers.filter(({ metric }) => metric === one.metric);
  if (isCount(one)) {
    const held = Math.min(1, Math.max(0, ...same.map(leftOf)));
    return isUsual(one) && held > 0 && leftOf(one) <= SILENT * held;
  }
  const count = (values: Float64Array): number => finite(values).length;
  return (
    count(one.current) === 0 &&
    same.some(({ baseline, current }) => {
      const theirs = count(baseline);
      return theirs >= MIN_PAST && count(one.baseline) >= USUAL * theirs && count(current) > 0;
    })
  );
}

/** Whether an instance gets clearly fewer requests than its siblings, by what was usual. */
function getsLess(one: NodeSeries, siblings: readonly NodeSeries[], settings: FallbackSettings): boolean {
  const others = Math.min(1, Math.max(0, ...siblings.filter(({ metric }) => metric === one.metric).map(leftOf)));
  const expected = one.baseline.map((value) => value * others);
  return others > 0 && deviation(expected, one.current, -1, 0, false, settings) > 0;
}

/** Of the usual level, what there is now; no sample is nothing. */
function leftOf({ baseline, current }: Samples): number {
  const past = finite(baseline);
  const now = finite(current);
  if (past.length < MIN_PAST || quantile(past, 0.5) <= 0) return 0;
  return now.length === 0 ? 0 : quantile(now, 0.5) / quantile(past, 0.5);
}

/** Not one that is silent now and then. */
function isUsual({ baseline }: Samples): boolean {
  const past = finite(baseline);
  return past.length >= MIN_PAST && quantile(past, 0.05) > SILENT * quantile(past, 0.5);
}
