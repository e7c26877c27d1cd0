/** Calls that never end: where they hang is found, whatever hangs behind it. */
import { describe, expect, it } from 'vitest';
import type { FaultKind } from '../../eval/simulate/fault.ts';
import { HANG_KINDS } from '../../eval/simulate/fault.ts';
import { hangAt, OpenCalls } from '../../eval/simulate/hangs.ts';
import { faultMs, isRight, lastReports, simulate, USUAL_LENGTH } from '../../eval/simulate/simulate.ts';

const ENDS = { caller: 'a', callee: 'b', callerInstance: 'a-1', calleeInstance: 'b-1', operation: 'GET /' };

describe('calls that hang', () => {
  it.each(HANG_KINDS.flatMap((kind) => [3, 4].map((seed) => [kind, seed] as const)))(
    '%s, seed %i: one incident with the right cause from its first report on',
    async (kind: FaultKind, seed) => {
      const simulated = await simulate(seed, [kind]);
      const { early, during } = lastReports(simulated!.reports, faultMs(USUAL_LENGTH));
      expect(early).toEqual([]);
      expect(during).toHaveLength(1);
      const [fault] = simulated!.faults;
      const all = simulated!.reports.filter(({ incidentId }) => incidentId === during[0]!.incidentId);
      for (const { causes } of [all[0]!, during[0]!]) {
        const [first] = causes;
        expect(isRight(fault!, first!), `${first!.faultClass} at ${first!.entity.name}`).toBe(true);
      }
    },
  );

  it('take the workers of who has read them, and are told from a second on by both ends, or by the caller alone', () => {
    const open = new OpenCalls();
    for (let i = 0; i < 16; i++) open.add(ENDS, 1_000, true, false);
    open.add(ENDS, 3_500, false, true);
    expect(open.isFull('b-1')).toBe(true);
    expect(open.sent(3_000)).toHaveLength(1);
    const told = (endMs: number) => {
      const { client, server } = open.records(endMs, () => 'm');
      return [client, server].map(([one]) => [one?.count, one?.durationSumUs]);
    };
    expect(told(4_000)).toEqual([
      [16, 48_000_000],
      [16, 48_000_000],
    ]);
    expect(told(5_000)).toEqual([
      [17, 65_500_000],
      [16, 64_000_000],
    ]);
    expect(open.leaving(13_000)).toEqual([]);
    expect(open.leaving(13_500)).toEqual([{ ...ENDS, isRead: false, us: 10_000_000 }]);
    open.clear();
    expect(open.isFull('b-1')).toBe(false);
  });

  it('are of the service at fault, of one instance, or a share', () => {
    const fault = { kind: 'stuck', service: 1, size: 0.5, truth: { kind: 'service', name: 'b' } } as const;
    expect(hangAt([fault], 1, 'b-1', () => 0.4)).toBe(fault);
    expect(hangAt([fault], 1, 'b-1', () => 0.6)).toBeUndefined();
    expect(hangAt([fault], 2, 'c-1', () => 0)).toBeUndefined();
    const one = { ...fault, kind: 'frozen_instance', size: 1, instance: 'b-2' } as const;
    expect([hangAt([one], 1, 'b-1', () => 0), hangAt([one], 1, 'b-2', () => 0.9)]).toEqual([undefined, one]);
  });
});
