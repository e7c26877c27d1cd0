/**
 * Calls that no longer arrive: who refuses or is gone has no slow or failed requests to show, only fewer, and its callers
 * fail or wait. A service counts when it went silent; an instance, too, when it gets clearly less than its siblings (what
 * its whole service gets less may be what its callers no longer ask for).
 */

import type { Samples } from './deviation.ts';
import { deviation, finite, logExcess, MIN_PAST, quantile } from './deviation.ts';
import type { NodeEvidence, NodeSeries } from './fallback.ts';
import type { FallbackSettings } from './fallback-settings.ts';
import type { Family } from './families.ts';
import { SYMPTOM_FAMILIES } from './families.ts';
import type { NodeSigns } from './node-signs.ts';
import { explaining, raise } from './node-signs.ts';

const REQUESTS = /request|qps|rps|span_count/i;
/** Of the usual requests: less is silence. */
const SILENT = 0.1;

/** Raises the symptoms of who gets no calls any more to what its callers show and no other callee explains. Cost: O(series + calls). */
export function addLostCalls(
  { series, calls, partOf }: Pick<NodeEvidence, 'series' | 'calls' | 'partOf'>,
  nodes: ReadonlyMap<string, NodeSigns>,
  settings: FallbackSettings,
): void {
  const counts = Map.groupBy(
    series.filter(({ family, metric }) => family === 'traffic' && REQUESTS.test(metric)),
    ({ node }) => node,
  );
  const instancesOf = Map.groupBy(partOf, ([, service]) => service);
  const callersOf = Map.groupBy(calls, ([, callee]) => callee);
  const calleesOf = Map.groupBy(calls, ([caller]) => caller);
  const serviceOf = (name: string): string => partOf.get(name) ?? name;
  /** A service and its instances. */
  const rowsOf = (service: string): string[] => [service, ...(instancesOf.get(service) ?? []).map(([name]) => name)];
  /** Calls of a node or its service, to or from others; whose they are, service and instances. */
  const around = (name: string, side: typeof callersOf, end: 0 | 1): string[] => {
    const ends = [name, serviceOf(name)].flatMap((one) => side.get(one) ?? []).map((call) => serviceOf(call[end]));
    return [...new Set(ends)].filter((service) => service !== serviceOf(name)).flatMap(rowsOf);
  };
  const unexplained = (name: string, family: Family): number => {
    const node = nodes.get(name);
    const sign = node?.families.get(family) ?? 0;
    const callees = around(name, calleesOf, 1).map((callee) => explaining(nodes.get(callee), node, family));
    return sign - Math.min(sign, Math.max(0, ...callees));
  };
  const capped = logExcess(Number.POSITIVE_INFINITY, settings);
  const raised: (readonly [NodeSigns, Family, number])[] = [];
  for (const [name, node] of nodes) {
    const own = counts.get(name);
    if (own === undefined || node.kind === 'machine') continue;
    const callers = around(name, callersOf, 0);
    const service = serviceOf(name);
    const siblings = name === service ? [] : rowsOf(service).filter((row) => row !== name && row !== service);
    const of = (rows: readonly string[]): NodeSeries[] => rows.flatMap((row) => counts.get(row) ?? []);
    if (!own.some((count) => isLost(count, of(callers), of(siblings), settings))) continue;
    for (const family of SYMPTOM_FAMILIES) {
      const sign = Math.max(0, ...callers.map((caller) => unexplained(caller, family)));
      raised.push([node, family, Math.min(capped, sign)]);
    }
  }
  for (const [node, family, sign] of raised) raise(node, family, sign);
}

/** Whether a count says that calls do not arrive: none, while callers still get theirs; or fewer than siblings get. */
function isLost(
  count: NodeSeries,
  callers: readonly NodeSeries[],
  siblings: readonly NodeSeries[],
  settings: FallbackSettings,
): boolean {
  const held = (list: readonly NodeSeries[]): number =>
    Math.min(1, Math.max(0, ...list.filter(({ metric }) => metric === count.metric).map(leftOf)));
  if (isUsual(count) && leftOf(count) <= SILENT * held(callers) && held(callers) > 0) return true;
  const others = held(siblings);
  const expected = count.baseline.map((value) => value * others);
  return others > 0 && deviation(expected, count.current, -1, 0, false, settings) > 0;
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
