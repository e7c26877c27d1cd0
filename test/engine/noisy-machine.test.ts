/** A machine whose CPU a neighbour takes, or whose disk is slow, through the whole pipeline: calls, resources, the walk and the fault tree. */
import { expect, it } from 'vitest';
import type { Fault } from '../../eval/simulate/fault.ts';
import { randomFault } from '../../eval/simulate/fault.ts';
import type { SimulatedSystem } from '../../eval/simulate/system.ts';
import { randomSystem } from '../../eval/simulate/system.ts';
import { WINDOW_MS, windowOf } from '../../eval/simulate/traffic.ts';
import { createRuleSet } from '../../src/classify/index.ts';
import { BUILT_IN_RULES } from '../../src/engine/create.ts';
import type { AnyBatch, ResourceRecord } from '../../src/model/records.ts';
import type { Report } from '../../src/model/report.ts';
import { createPipeline } from '../../src/pipeline.ts';
import { createRandom } from '../../src/stats/index.ts';

const START_MS = 1_700_000_000_000 - (1_700_000_000_000 % WINDOW_MS);
const HEALTHY = 36;
const WINDOW_US = WINDOW_MS * 1_000;

type Trouble = 'neighbour' | 'disk';

/** Every machine has four CPUs, a third busy, a quiet disk, and a batch job that sleeps. */
function resources(system: SimulatedSystem, fault: Fault | undefined, trouble: Trouble, startMs: number): AnyBatch[] {
  return [...new Set(system.machineOf.values())].sort().map((machine): AnyBatch => {
    const isBusy = machine === fault?.machine && trouble === 'neighbour';
    const isSlow = machine === fault?.machine && trouble === 'disk';
    const instances = [...system.machineOf].filter(([, of]) => of === machine).map(([name]) => name);
    const instance = (name: string, service: string, cores: number, waitingRatio: number): ResourceRecord => ({
      entityKind: 'instance',
      entity: name,
      service,
      machine,
      cpuUsedUs: cores * WINDOW_US,
      cpuThrottledPeriods: 0,
      cpuPeriods: 50,
      cpuThrottledUs: 0,
      runQueueDelayUs: waitingRatio * WINDOW_US,
      oomKills: 0,
    });
    return {
      schemaVersion: 1,
      type: 'resource',
      environment: 'simulated',
      collector: machine,
      windowStartMs: startMs,
      windowMs: WINDOW_MS,
      sequence: 0,
      records: [
        {
          entityKind: 'machine',
          entity: machine,
          cpuCount: 4,
          cpuUsedUs: (isBusy ? 3.95 : 1.3) * WINDOW_US,
          psiCpuSomeUs: (isBusy ? 0.7 : 0.01) * WINDOW_US,
          psiIoSomeUs: (isSlow ? 0.6 : 0.01) * WINDOW_US,
          diskOps: 500,
          diskIoTimeUs: (isSlow ? 0.9 : 0.05) * WINDOW_US,
          oomKills: 0,
        },
        ...instances.map((name) => instance(name, name.replace(/-\d+$/, ''), 0.3, isBusy ? 0.5 : 0.01)),
        instance(`batch-${machine}`, 'batch', isBusy ? 2.8 : 0.05, 0.02),
      ],
    };
  });
}

async function reportsOf(trouble: Trouble): Promise<{ readonly fault: Fault; readonly reports: readonly Report[] }> {
  const random = createRandom(100_009);
  const system = randomSystem(random);
  const fault = randomFault(system, 'slow_machine', random)!;
  const pipeline = createPipeline({
    rules: createRuleSet(BUILT_IN_RULES),
    configHash: 'test',
    ingest: { latenessMs: 15_000 },
  });
  const reports: Report[] = [];
  for (let w = 0; w < HEALTHY + 12; w++) {
    const startMs = START_MS + w * WINDOW_MS;
    const active = w < HEALTHY ? undefined : fault;
    const batches = [...windowOf(system, active, startMs, random), ...resources(system, active, trouble, startMs)];
    for (const batch of batches) {
      const { outcomes } = await pipeline.accept(batch, { origin: 'test', receivedMs: startMs + WINDOW_MS });
      for (const outcome of outcomes) reports.push(...outcome.reports);
    }
  }
  for (const outcome of await pipeline.flush()) reports.push(...outcome.reports);
  expect(new Set(reports.map(({ incidentId }) => incidentId)).size).toBe(1);
  return { fault, reports };
}

it('names the machine and the neighbour that takes its CPU', async () => {
  const { fault, reports } = await reportsOf('neighbour');
  const [cause] = reports.at(-1)!.causes;
  expect(cause?.entity).toEqual({ kind: 'machine', name: fault.machine });
  expect(cause?.faultClass).toBe('noisy_neighbour');
  expect(cause?.title).toBe(`batch-${fault.machine} takes the CPU of ${fault.machine}`);
  const proof = cause?.evidence.find(({ fact }) => fact === 'machine.neighbour_cpu_rise_cores');
  expect(proof?.result).toBe('present');
  expect(proof?.actual).toBeCloseTo(2.75, 6);
});

it('names the machine whose disk got slow', async () => {
  const { fault, reports } = await reportsOf('disk');
  const [cause] = reports.at(-1)!.causes;
  expect(cause?.entity).toEqual({ kind: 'machine', name: fault.machine });
  expect(cause?.faultClass).toBe('disk_latency');
});
