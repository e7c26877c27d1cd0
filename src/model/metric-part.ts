/** Sums over entities that were there in a part of the windows only: instances that a deploy ended or began. */
import type { Comparison, MetricPair } from './comparison.ts';

/** What one metric of one entity adds to a sum, before and now; NaN: unknown. */
export interface Part {
  readonly before: number;
  readonly now: number;
  /** Share of the baseline's windows that it was there. */
  readonly beforeShare: number;
}

/**
 * Means are of windows with a value. Whoever was there in a part of the windows counts for that part; those that were there
 * longest count for all.
 *
 * @param metrics one metric of several entities
 * @param among   of others besides: when all of these began or ended, as in a deploy, others were there longest
 * @returns in their order
 */
export function partsOf(metrics: readonly MetricPair[], among: readonly MetricPair[] = []): Part[] {
  const most = (windows: (metric: MetricPair) => number): number =>
    [...metrics, ...among].reduce((longest, metric) => Math.max(longest, windows(metric)), 1);
  const [before, now] = [most(({ baselineWindows }) => baselineWindows), most(({ currentWindows }) => currentWindows)];
  return metrics.map(({ baselineMean, currentMean, baselineWindows, currentWindows }) => ({
    before: (baselineMean * baselineWindows) / before,
    now: (currentMean * currentWindows) / now,
    beforeShare: baselineWindows / before,
  }));
}

/** A metric of all instances, those of other services too. Cost: O(metrics of resources). */
export function ofInstances({ resources }: Comparison, name: string): MetricPair[] {
  return resources.flatMap(({ entityKind, metrics }) =>
    entityKind === 'instance' ? metrics.filter(({ metric }) => metric === name) : [],
  );
}
