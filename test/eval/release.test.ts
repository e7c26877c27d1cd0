/** A new version brings the fault: in the place of the old one, instance by instance, or beside it as a canary. */
import { describe, expect, it } from 'vitest';
import { releasedKinds } from '../../eval/simulate/release.ts';
import { faultMs, isRight, lastReports, simulate } from '../../eval/simulate/simulate.ts';

const SEED = 100_003;

// Systems whose faulty service has several instances, most of which had no cause before newcomers were known.
const SYSTEMS: Readonly<Record<string, number>> = {
  slow_service: 18,
  errors_service: 1,
  more_calls: 2,
  refused: 3,
  oom: 4,
};

describe.each(['rolling', 'canary', 'restart'] as const)('a %s release', (release) => {
  it.each(releasedKinds(release))('%s: is one incident with the right cause', async (kind) => {
    const length = { healthyMinutes: 3, faultMinutes: 2, release };
    const { faults, reports } = (await simulate(SEED + SYSTEMS[kind]!, [kind], 'none', length))!;
    const { early, during } = lastReports(reports, faultMs(length));
    expect(early).toEqual([]);
    expect(during).toHaveLength(1);
    const [lead] = during[0]!.causes;
    expect(faults[0]!.released!.size).toBeGreaterThan(0);
    expect(isRight(faults[0]!, lead!)).toBe(true);
  });
});
