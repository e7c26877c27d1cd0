/**
 * One random system for every kind of simulated fault, through the whole pipeline: calls, TCP counters, resources and
 * changes in, one incident with the right entity and class out. `npm run eval:simulate` does it on hundreds.
 */
import { describe, expect, it } from 'vitest';
import type { Fault, FaultKind } from '../../eval/simulate/fault.ts';
import { FAULT_KINDS } from '../../eval/simulate/fault.ts';
import type { Simulated } from '../../eval/simulate/simulate.ts';
import { faultMs, isRight, simulate, USUAL_LENGTH } from '../../eval/simulate/simulate.ts';

const SEED = 4_000_038;
const PAIR_SEED = 4_000_000;

async function first(kind: FaultKind): Promise<Simulated & { readonly fault: Fault }> {
  for (let seed = SEED; ; seed++) {
    const simulated = await simulate(seed, [kind]);
    if (simulated !== undefined) return { ...simulated, fault: simulated.faults[0]! };
  }
}

async function firstPair(kind: FaultKind, other: FaultKind, length = USUAL_LENGTH): Promise<Simulated> {
  for (let seed = PAIR_SEED; ; seed++) {
    const simulated = await simulate(seed, [kind], 'none', length, [[other]]);
    if (simulated !== undefined) return simulated;
  }
}

describe('a simulated system', () => {
  it.each(FAULT_KINDS)('%s: one incident, its entity and its class', async (kind) => {
    const { fault, reports } = await first(kind);
    expect(new Set(reports.map(({ incidentId }) => incidentId)).size).toBe(1);
    expect(reports[0]!.openedMs).toBeGreaterThanOrEqual(faultMs(USUAL_LENGTH));
    const [cause] = reports.at(-1)!.causes;
    expect(`${cause?.entity.name} ${cause?.faultClass}`, `${fault.truth.name}`).toSatisfy(
      () => cause !== undefined && isRight(fault, cause),
    );
  });

  it.each([
    ['slow_service', 20],
    ['errors_instance', 20],
    ['throttled', 20],
    ['lossy_machine', 20],
    ['more_calls', 20],
    ['drop', 10],
  ] as const)(
    '%s, growing for %d minutes: one incident, its entity and its class, and since when',
    async (kind, growingMinutes) => {
      const growing = { healthyMinutes: 30, growingMinutes, faultMinutes: 5 };
      let simulated: Simulated | undefined;
      for (let seed = SEED; simulated === undefined; seed++) simulated = await simulate(seed, [kind], 'none', growing);
      const { faults, reports } = simulated;
      expect(new Set(reports.map(({ incidentId }) => incidentId)).size).toBe(1);
      const { startMs, causes } = reports.at(-1)!;
      expect(causes[0] !== undefined && isRight(faults[0]!, causes[0]), faults[0]!.truth.name).toBe(true);
      // To a block of five minutes.
      expect(startMs).toBeGreaterThanOrEqual(faultMs(growing) - 300_000);
    },
  );

  it.each([
    ['deploys', 'slow_instance'],
    ['scaling', 'slow_external'],
    ['pauses', 'errors_service'],
    ['jobs', 'throttled'],
    ['bursts', 'slow_service'],
    ['tails', 'slow_edge'],
    ['mixes', 'slow_disk'],
    ['kinds', 'slow_service'],
  ] as const)('what healthy systems do (%s) is no incident, and does not hide %s', async (weather, kind) => {
    // Ten minutes of kinds hold one change of mix, and the way back.
    const length = { healthyMinutes: weather === 'kinds' ? 12 : 10, faultMinutes: 1, weather };
    let simulated: Simulated | undefined;
    for (let seed = SEED; simulated === undefined; seed++) simulated = await simulate(seed, [kind], 'none', length);
    const { faults, reports } = simulated;
    expect(new Set(reports.map(({ incidentId }) => incidentId)).size).toBe(1);
    expect(reports[0]!.openedMs).toBeGreaterThanOrEqual(faultMs(length));
    const [cause] = reports.at(-1)!.causes;
    expect(cause !== undefined && isRight(faults[0]!, cause), faults[0]!.truth.name).toBe(true);
  });

  it.each([
    ['slow_service', 0],
    ['slow_instance', 1],
    ['errors_service', 2],
  ] as const)('%s, of requests of kind %d alone: one incident, and it says of which', async (kind, ofKind) => {
    const length = { healthyMinutes: 4, faultMinutes: 1, weather: 'kinds', ofKind } as const;
    let simulated: Simulated | undefined;
    for (let seed = SEED; simulated === undefined; seed++) simulated = await simulate(seed, [kind], 'none', length);
    const { faults, reports } = simulated;
    expect(new Set(reports.map(({ incidentId }) => incidentId)).size).toBe(1);
    const last = reports.at(-1)!;
    const [cause] = last.causes;
    expect(cause !== undefined && isRight(faults[0]!, cause), faults[0]!.truth.name).toBe(true);
    expect(JSON.stringify(last.attribution)).toContain(`GET /${ofKind}`);
    if (kind === 'slow_service') {
      expect(last.keyMetrics.find(({ operation }) => operation === `GET /${ofKind}`)).toBeDefined();
      expect(last.phenomenon).toContain(`mean latency of GET /${ofKind} rose from`);
    }
  });

  it('two faults at once: both are among the first two causes of one incident', async () => {
    const { faults, reports } = await firstPair('slow_service', 'errors_instance');
    expect(new Set(reports.map(({ incidentId }) => incidentId)).size).toBe(1);
    const causes = reports.at(-1)!.causes.slice(0, 2);
    for (const fault of faults)
      expect(
        causes.some((cause) => isRight(fault, cause)),
        fault.truth.name,
      ).toBe(true);
    expect(causes[1]?.symptom).toBeDefined();
  });

  it.each([
    ['slow_disk', 'refused'],
    ['slow_service', 'slow_edge'],
    ['throttled', 'errors_instance'],
  ] as const)(
    '%s, and %s 40 seconds later: the first leads, the second is told as what began then',
    async (kind, other) => {
      const apart = { ...USUAL_LENGTH, apartSeconds: 40 };
      const { faults, reports } = await firstPair(kind, other, apart);
      expect(new Set(reports.map(({ incidentId }) => incidentId)).size).toBe(1);
      const last = reports.at(-1)!;
      const [one, two] = last.causes;
      expect(one !== undefined && isRight(faults[0]!, one), faults[0]!.truth.name).toBe(true);
      expect(two !== undefined && isRight(faults[1]!, two), faults[1]!.truth.name).toBe(true);
      expect(two?.sinceMs).toBe(faultMs(apart) + 40_000);
      // The first one's figures end where the second begins; the second one's ledger says what it compares.
      expect(last.compared?.current.toMs).toBe(two?.sinceMs);
      expect(last.ledgers.find(({ compared }) => compared?.current.fromMs === two?.sinceMs)).toBeDefined();
      expect(last.blindSpots.some((text) => text.startsWith('something else began at '))).toBe(true);
      expect(last.summary).toMatch(/Apart from that: .* since \d\d:\d\d:\d\d\.$/);
    },
  );

  it('names the neighbour that takes a machine’s CPU', async () => {
    const { fault, reports } = await first('busy_machine');
    const [cause] = reports.at(-1)!.causes;
    expect(cause?.title).toBe(`batch-${fault.machine} takes the CPU of ${fault.machine}`);
    expect(cause?.evidence.find(({ fact }) => fact === 'machine.neighbour_cpu_rise_cores')?.result).toBe('present');
  });

  it('says who is called so often', async () => {
    const { fault, reports } = await first('more_calls');
    const [cause] = reports.at(-1)!.causes;
    expect(cause?.title).toMatch(
      new RegExp(`^${fault.truth.name}(-\\d)? calls \\S+ more often for each of its requests$`),
    );
  });
});
