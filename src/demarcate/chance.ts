/** Whether errors are no more than chance brings among so few requests: 1 of 3 is nothing, 30 of 1,000 are. */
import { logPoissonUpper } from '../stats/tails.ts';
import type { Samples } from './deviation.ts';
import { finite, quantile } from './deviation.ts';
import type { Family } from './families.ts';

/** Of one side of a normal law beyond three standard deviations; shared among all ratios that are looked at. */
const CHANCE = 0.00135;
/** Quantile of the past's ratios up to which they count as usual. */
const USUAL_PAST = 0.95;

interface Ratio extends Samples {
  readonly family: Family;
  readonly worse: 1 | -1 | 0;
  readonly requests?: Samples;
}

/**
 * A ratio of errors of so few requests that chance brings them: a Poisson variable of the past's rate, without its worst
 * samples, is as large in one of 700 systems. Where not all counts are known it cannot be told.
 * @param looked  ratios looked at in the system: the more, the more of them chance moves
 */
export function isByChance({ family, worse, baseline, current, requests }: Ratio, looked = 1): boolean {
  if (requests === undefined || family !== 'errors' || worse !== 1) return false;
  const least = Math.log(CHANCE / Math.max(1, looked));
  if (current.some((ratio, i) => Number.isFinite(ratio) && !Number.isFinite(requests.current[i]))) return false;
  const past = finite(baseline);
  if (past.length === 0) return false;
  // An outage in the past is no rate of chance; a single failure among the worst samples is.
  const worst = quantile(past, USUAL_PAST);
  const usual = sums(baseline, requests.baseline, (ratio) => ratio <= worst);
  const before = sums(
    baseline,
    requests.baseline,
    (ratio, count) => ratio <= worst || isLikely(ratio * count, usual, count, least),
  );
  const now = sums(current, requests.current, () => true);
  if (before.requests === 0 || now.requests === 0) return false;
  return isLikely(now.errors, before, now.requests, least);
}

interface Counts {
  errors: number;
  requests: number;
}

/** Half an error more than were seen (Jeffreys): none in the past is no proof that there can be none. */
function isLikely(errors: number, past: Counts, requests: number, least: number): boolean {
  return logPoissonUpper(Math.round(errors), ((past.errors + 0.5) / past.requests) * requests) > least;
}

/** Of the times at which both are known. */
function sums(ratios: Float64Array, requests: Float64Array, isIn: (ratio: number, count: number) => boolean): Counts {
  const sum = { errors: 0, requests: 0 };
  ratios.forEach((ratio, i) => {
    const count = requests[i] ?? Number.NaN;
    if (!Number.isFinite(ratio * count) || !isIn(ratio, count)) return;
    sum.errors += ratio * count;
    sum.requests += count;
  });
  return sum;
}
