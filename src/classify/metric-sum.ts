/** Sums of metrics over several edges or entities, with unknown kept apart from zero. */
import type { MetricPair } from '../model/comparison.ts';
import { partsOf } from '../model/metric-part.ts';

/** A quantity before and now, per window. null: unknown. */
export interface Pair {
  readonly baseline: number | null;
  readonly current: number | null;
  /** Spread of the per-window values before the incident. */
  readonly spread: number | null;
  readonly onsetMs: number | null;
}

export const UNKNOWN_PAIR: Pair = { baseline: null, current: null, spread: null, onsetMs: null };

/** NaN and infinities become null. */
export function known(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

export function earliest(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}

export function plus(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : a + b;
}

/** a − b; unknown when either is. */
export function minus(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a - b;
}

/** a / b; unknown when either is, or when b is 0. */
export function over(a: number | null, b: number | null): number | null {
  return a === null || b === null || b === 0 ? null : a / b;
}

export function times(a: number | null, factor: number): number | null {
  return a === null ? null : a * factor;
}

/** The larger of the known ones. */
export function larger(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.max(a, b);
}

/** The smaller of the known ones. */
export function smaller(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}

export function find(metrics: readonly MetricPair[], name: string): MetricPair | undefined {
  return metrics.find((metric) => metric.metric === name);
}

export function pairOf(metric: MetricPair | undefined): Pair {
  if (metric === undefined) return UNKNOWN_PAIR;
  return {
    baseline: known(metric.baselineMean),
    current: known(metric.currentMean),
    spread: known(metric.baselineSpread),
    onsetMs: known(metric.onsetMs),
  };
}

/** Mean of now without its busiest window: what went on after a standstill catches up. Of fewer than three all of them. */
export function meanWithoutBusiest(pair: MetricPair | undefined): number | null {
  if (pair === undefined) return null;
  const { currentMean, currentMax, currentWindows: windows } = pair;
  return known(windows < 3 ? currentMean : (currentMean * windows - currentMax) / (windows - 1));
}

/** Sum of those means; unknown when none is known. */
export function sumWithoutBusiest(metrics: readonly (MetricPair | undefined)[]): number | null {
  return metrics.map(meanWithoutBusiest).reduce(plus, null);
}

/** Sum of two pairs: known parts add, spreads add in quadrature, the earlier onset counts. */
export function addPairs(a: Pair, b: Pair): Pair {
  const spread = a.spread === null ? b.spread : b.spread === null ? a.spread : Math.hypot(a.spread, b.spread);
  return {
    baseline: plus(a.baseline, b.baseline),
    current: plus(a.current, b.current),
    spread,
    onsetMs: earliest(a.onsetMs, b.onsetMs),
  };
}

/** Sum of one metric over several lists of metrics; unknown when none has it. `among`: see partsOf. */
export function sumOf(
  lists: readonly (readonly MetricPair[])[],
  name: string,
  among: readonly MetricPair[] = [],
): Pair {
  return total(
    lists.flatMap((metrics) => find(metrics, name) ?? []),
    among,
  );
}

/** Each counts for its part of the windows. */
function total(metrics: readonly MetricPair[], among: readonly MetricPair[] = []): Pair {
  const parts = partsOf(metrics, among);
  return metrics.reduce<Pair>((sum, metric, i) => {
    const { before, now, beforeShare } = parts[i]!;
    const { spread, onsetMs } = pairOf(metric);
    return addPairs(sum, {
      baseline: known(before),
      current: known(now),
      spread: times(spread, beforeShare),
      onsetMs,
    });
  }, UNKNOWN_PAIR);
}

/**
 * Sum of the entries of a map metric: `drops.NETFILTER_DROP`, or all `drops.*` when `key` is undefined.
 * A missing entry counts as zero when the map itself is known to have been reported.
 */
export function sumOfMap(
  lists: readonly (readonly MetricPair[])[],
  map: string,
  key: string | undefined,
  reported: boolean,
): Pair {
  const prefix = `${map}.`;
  let any = false;
  const found: MetricPair[] = [];
  for (const metrics of lists) {
    for (const metric of metrics) {
      if (metric.metric !== map && !metric.metric.startsWith(prefix)) continue;
      any = true;
      if (metric.metric === map || (key !== undefined && metric.metric !== prefix + key)) continue;
      found.push(metric);
    }
  }
  if (!any && !reported) return UNKNOWN_PAIR;
  const sum = total(found);
  return { ...sum, baseline: sum.baseline ?? 0, current: sum.current ?? 0 };
}

/**
 * Rise of a count per window in standard deviations of its baseline: at least Poisson's, at least one count, so that a
 * silent baseline does not turn one event into infinity.
 */
export function riseSigma(pair: Pair): number | null {
  const rise = minus(pair.current, pair.baseline);
  if (rise === null || pair.baseline === null) return null;
  return rise / Math.max(pair.spread ?? 0, Math.sqrt(Math.max(pair.baseline, 0)), 1);
}

/** A baseline of fewer counts a window than this says nothing of how much it scatters. */
const SCATTER_FLOOR = 0.1;

/**
 * Rise of a count over all windows of an incident in standard deviations: Anscombe's transform of both sums, over-dispersed
 * as the baseline's windows are. Rare counts add up: one in two windows against none is 4 sigma after a minute and a half. The
 * longer an incident is against its baseline, the less that knows of what is usual in such a time.
 *
 * @param windows  of the incident
 * @param before   of the baseline
 */
export function totalRiseSigma({ baseline, current, spread }: Pair, windows: number, before: number): number | null {
  if (baseline === null || current === null || before <= 0) return null;
  const dispersion = Math.max(1, (spread ?? 0) ** 2 / Math.max(baseline, SCATTER_FLOOR));
  const root = (count: number): number => 2 * Math.sqrt(Math.max(count, 0) + 3 / 8);
  const now = root(current * windows);
  const againstKnown = now - root(baseline * windows);
  const longer = windows / before;
  const againstFew = (now - Math.sqrt(longer) * root(baseline * before)) / Math.sqrt(1 + longer);
  return Math.min(againstKnown, againstFew) / Math.sqrt(dispersion);
}
