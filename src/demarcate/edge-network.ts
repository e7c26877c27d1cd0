/** Network time between services: which ways got longer, and which end of them is to blame. */
import type { Samples } from './deviation.ts';
import { deviation, isComparable, riseOf, usualLevel } from './deviation.ts';
import type { FallbackSettings } from './fallback-settings.ts';

export interface EdgeSeries extends Samples {
  readonly caller: string;
  readonly callee: string;
  /** Client time minus server time, or a latency of one side. */
  readonly measure: 'gap' | 'client' | 'server';
}

export interface Way {
  readonly caller: string;
  readonly callee: string;
  /** Largest deviation of its network times. */
  readonly score: number;
  /** Of their medians, in their unit; the largest. */
  readonly rise: number;
}

/**
 * Every way whose network time is known. What is next to nothing between two services is the resolution of spans. Edges
 * without enough samples say nothing.
 */
export function waysOf(edges: readonly EdgeSeries[], settings: FallbackSettings): Way[] {
  const gaps = edges.filter(({ measure }) => measure === 'gap');
  const floor = settings.minScatter * usualLevel(gaps, 0.5);
  const ways = new Map<string, Way>();
  for (const series of gaps) {
    const { caller, callee, baseline, current } = series;
    if (!isComparable(baseline, current)) continue;
    const key = `${caller}\0${callee}`;
    const score = deviation(baseline, current, 1, floor, false, settings);
    const known = ways.get(key);
    ways.set(key, {
      caller,
      callee,
      score: Math.max(known?.score ?? 0, score),
      rise: Math.max(known?.rise ?? 0, riseOf(series)),
    });
  }
  return [...ways.values()];
}

/**
 * Per node: mean of its ways, and for the end of a way whose ways are worse on the whole, most of that way's own.
 */
export function blameOf(ways: readonly Way[], settings: FallbackSettings): Map<string, number> {
  const sums = new Map<string, { sum: number; count: number }>();
  for (const { caller, callee, score } of ways) {
    for (const end of [caller, callee]) {
      const entry = sums.get(end) ?? { sum: 0, count: 0 };
      entry.sum += score;
      entry.count++;
      sums.set(end, entry);
    }
  }
  const blame = new Map([...sums].map(([name, { sum, count }]) => [name, sum / count]));
  const means = new Map(blame);
  for (const { caller, callee, score } of ways) {
    const ends = [caller, callee];
    const most = Math.max(...ends.map((end) => means.get(end) ?? 0));
    for (const end of ends) {
      const own = means.get(end) ?? 0;
      if (own < most || score <= own) continue;
      blame.set(end, Math.max(blame.get(end) ?? 0, own + settings.blamed * (score - own)));
    }
  }
  return blame;
}
