/** What the leaves of an element say together when no single one is believed without bound. */
import type { Found } from './scan.ts';
import type { ScanInput } from './sums.ts';

/** Degrees of freedom of the t law: 4 with two nats more to reach does the same (docs/attribution.md). */
const FREEDOM = 3;

/**
 * Log-likelihood gained by the common deviation, nats, when leaves follow a t law instead of a normal one (Lange, Little
 * & Taylor, JASA 1989): a leaf adds (ν + 1)/2 · ln((ν + z²)/(ν + r²)), with z its deviation and r what is left of it
 * after the common one, in standard deviations. A normal law would add (z² − r²)/2, and one wild leaf would do.
 * Cost: O(members).
 */
export function robustGain({ d, w }: ScanInput, { members, deviation }: Pick<Found, 'members' | 'deviation'>): number {
  let sum = 0;
  for (let k = 0; k < members.length; k++) {
    const i = members[k]!;
    const left = d[i]! - deviation;
    sum += Math.log((FREEDOM + w[i]! * d[i]! * d[i]!) / (FREEDOM + w[i]! * left * left));
  }
  return ((FREEDOM + 1) / 2) * sum;
}
