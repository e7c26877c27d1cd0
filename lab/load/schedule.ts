/** When requests go out: an open loop that does not wait for answers. */
import type { LoadPoint } from './load-config.ts';

/** Rate at a time, linear between points, 0 outside. */
export function rateAt(points: readonly LoadPoint[], atMs: number): number {
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]];
    if (a === undefined || b === undefined || atMs > b.atMs || atMs < a.atMs) continue;
    const share = b.atMs === a.atMs ? 1 : (atMs - a.atMs) / (b.atMs - a.atMs);
    return a.ratePerS + share * (b.ratePerS - a.ratePerS);
  }
  return 0;
}

/**
 * Times of requests in milliseconds, ascending, until the last point.
 *
 * Poisson: thinning of a process at the highest rate (Lewis & Shedler 1979, doi:10.1002/nav.3800260304). Fixed: one
 * request each time the integral of the rate passes a whole number, in steps of 1 ms.
 */
export function* arrivalTimes(
  points: readonly LoadPoint[],
  arrivals: 'poisson' | 'fixed',
  random: () => number,
): Generator<number, void> {
  const end = points.at(-1)?.atMs ?? 0;
  if (arrivals === 'fixed') {
    let due = 0;
    for (let at = 0; at < end; at++) {
      // In thousandths of a request; the tolerance is for rates that are no whole number.
      due += rateAt(points, at);
      for (; due >= 1_000 - 1e-6; due -= 1_000) yield at;
    }
    return;
  }
  const highest = Math.max(0, ...points.map(({ ratePerS }) => ratePerS));
  if (highest === 0) return;
  for (let at = 0; ; ) {
    at -= (Math.log(1 - random()) / highest) * 1_000;
    if (at >= end) return;
    if (random() * highest < rateAt(points, at)) yield at;
  }
}
