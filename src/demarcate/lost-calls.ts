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
/** Not how many came, but how many there are, how large, how long. */
const NOT_ARRIVALS = /flight|queue|active|size|bytes|duration|limit/i;
/** Of the usual requests: less is silence. */
const SILENT = 0.1;
/** Of its callers' samples in the past, a node that usually has some when they have. */
const USUAL = 0.8;
/** Of what an instance no longer gets, as much with its siblings is no loss. */
const MOST = 0.5;
/** Where all callees fell silent together, what is left to them of their caller's signs. */
const OF_ALL = 0.5;

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
  const isSilent = new Map<string, boolean>();
  const isLost = new Set<string>();
  for (const [name, own] of arrivals) {
    const siblings = topology.siblingsOf(name).flatMap((row) => arrivals.get(row) ?? []);
    const callers = topology.callersOf(name).flatMap((row) => arrivals.get(row) ?? []);
    const counts = own.filter(isCount);
    const asked = counts.length > 0 ? counts : own;
    const silent = asked.some((one) => isSilence(one, callers) && !isTakenOver(one, siblings));
    isSilent.set(name, silent);
    if (silent || asked.some((one) => getsLess(one, siblings, settings) && !isTakenOver(one, siblings)))
      isLost.add(name);
  }
  /** Of what a caller shows, what is its callees' who get no calls: where it calls nobody any more, it may be the caller. */
  const blamed = (caller: string): number => {
    const callees = new Set(topology.calleesOf(caller).map((row) => topology.serviceOf(row)));
    const known = [...callees].map((service) => topology.rowsOf(service).filter((row) => isSilent.has(row)));
    const observed = known.filter((rows) => rows.length > 0);
    const isAlone = observed.length > 1 && observed.every((rows) => rows.every((row) => isSilent.get(row)));
    return isAlone ? OF_ALL : 1;
  };
  const capped = logExcess(Number.POSITIVE_INFINITY, settings);
  const raised: (readonly [NodeSigns, Family, number])[] = [];
  for (const name of isLost) {
    const node = nodes.get(name);
    if (node === undefined) continue;
    if (isSilent.get(name) === true && !areFailuresKnown) raised.push([node, 'errors', capped]);
    const callers = topology.callersOf(name);
    for (const family of SYMPTOM_FAMILIES)
      raised.push([
        node,
        family,
        Math.max(0, ...callers.map((caller) => blamed(caller) * unexplained(caller, family))),
      ]);
  }
  for (const [node, family, sign] of raised) raise(node, family, sign);
}

function isCount({ family, metric }: NodeSeries): boolean {
  return family === 'traffic' && REQUESTS.test(metric) && !NOT_ARRIVALS.test(metric);
}

/** Whether nothing arrives any more while callers still get their calls: no requests, or no samples of what they took. */
function isSilence(one: NodeSeries, callers: readonly NodeSeries[]): boolean {
  // Most are not: seen from themselves, before their callers are looked at.
  const isQuiet = isCount(one) ? leftOf(one) <= SILENT && isUsual(one) : finite(one.current).length === 0;
  if (!isQuiet) return false;
  const count = (values: Float64Array): number => finite(values).length;
  // Who has samples now and then has none now and then.
  const same = callers.filter(
    ({ metric, baseline, current }) =>
      metric === one.metric &&
      count(baseline) >= MIN_PAST &&
      count(one.baseline) >= USUAL * count(baseline) &&
      count(current) > 0,
  );
  if (!isCount(one)) return same.length > 0;
  const held = Math.min(1, Math.max(0, ...same.map(leftOf)));
  return held > 0 && leftOf(one) <= SILENT * held;
}

/**
 * Whether siblings, new ones too, got most of what an instance no longer gets (it was drained, scaled down, replaced): then
 * no calls are lost. Without counts: whether any of them is there.
 */
function isTakenOver(one: NodeSeries, siblings: readonly NodeSeries[]): boolean {
  const same = siblings.filter(({ metric }) => metric === one.metric);
  if (!isCount(one)) return same.some(({ current }) => finite(current).length > 0);
  const lost = usual(one.baseline) - usual(one.current);
  const gained = same.reduce((sum, { baseline, current }) => sum + usual(current) - usual(baseline), 0);
  return gained >= MOST * lost;
}

/** Median; no sample is nothing. */
function usual(values: Float64Array): number {
  const sorted = finite(values);
  return sorted.length === 0 ? 0 : quantile(sorted, 0.5);
}

/** Whether an instance gets clearly fewer requests than its siblings, by what was usual; without counts they took over. */
function getsLess(one: NodeSeries, siblings: readonly NodeSeries[], settings: FallbackSettings): boolean {
  const others = Math.min(1, Math.max(0, ...siblings.filter(({ metric }) => metric === one.metric).map(leftOf)));
  const expected = one.baseline.map((value) => value * others);
  return deviation(expected, one.current, -1, 0, false, settings) > 0;
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
