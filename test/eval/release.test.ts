/** A new version brings the fault: in the place of the old one, instance by instance, or beside it as a canary. */
import { describe, expect, it } from 'vitest';
import { RELEASED_KINDS } from '../../eval/simulate/release.ts';
import { faultMs, isRight, lastReports, simulate } from '../../eval/simulate/simulate.ts';

const SEED = 100_003;

describe.each(['rolling', 'canary'] as const)('a %s release', (release) => {
  // Systems whose faulty service has several instances, one of which had no cause before newcomers were known.
  it.each(RELEASED_KINDS.map((kind, k) => [kind, SEED + [18, 1, 2][k]!] as const))(
    '%s: is one incident with the right cause',
    async (_, seed) => {
      const k = seed - SEED;
      const kinds = RELEASED_KINDS.map((_kind, i) => RELEASED_KINDS[(k + i) % RELEASED_KINDS.length]!);
      const length = { healthyMinutes: 3, faultMinutes: 2, release };
      const { faults, reports } = (await simulate(seed, kinds, 'none', length))!;
      const { early, during } = lastReports(reports, faultMs(length));
      expect(early).toEqual([]);
      expect(during).toHaveLength(1);
      const [lead] = during[0]!.causes;
      expect(faults[0]!.released!.size).toBeGreaterThan(0);
      expect(isRight(faults[0]!, lead!)).toBe(true);
    },
  );
});
