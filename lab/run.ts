/** `rootwalk lab`: real services, real faults, scored reports. */
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { onFirstSignal } from '../src/commands/lifetime.ts';
import { RcaError } from '../src/model/errors.ts';
import { cleanupLeftovers, labsOnHost } from './cleanup.ts';
import { readScenario, retime, scenarioNames } from './data.ts';
import { loadTable } from './load-text.ts';
import { writeJsonAtomically } from './naming.ts';
import { RootwalkSystem } from './rootwalk-system.ts';
import type { RunResult } from './run-scenario.ts';
import { runScenario } from './run-scenario.ts';
import type { FaultScore } from './score.ts';
import { isOneIncident, summarise } from './score.ts';
import type { BusKind } from './system-under-test.ts';
import { BUS_KINDS } from './system-under-test.ts';
import { warmUpWarning } from './warm-up.ts';

interface LabFlags {
  readonly scenario?: readonly string[];
  readonly out: string;
  readonly repeat: number;
  readonly bus: BusKind;
  readonly collectors: number;
  readonly onlyServices?: boolean;
  readonly timeScale: number;
  readonly warmUp?: number;
  readonly length?: number;
  readonly coolDown?: number;
  readonly seed?: number;
  readonly cleanup?: boolean;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('expected a number above 0');
  return value;
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('expected a whole number, 0 or more');
  return value;
}

function atLeastOne(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number, 1 or more');
  return value;
}

function seconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)s?$/.exec(text);
  if (match === null) throw new InvalidArgumentError('expected seconds, such as 60 or 60s');
  return Number(match[1]);
}

export function labCommand(): Command {
  return new Command('lab')
    .description('Real services in network namespaces under real load, real faults, scored reports. Needs root.')
    .option('--scenario <names...>', `files, or of the lab: ${scenarioNames().join(', ')}; "all" for all of these`)
    .option('--out <dir>', 'folder for reports, recording, load.json, truth.json and score.json', 'lab-results')
    .option('--repeat <n>', 'runs of each scenario', positive, 1)
    .addOption(new Option('--bus <kind>', 'bus between collector and engine').choices([...BUS_KINDS]).default('kafka'))
    .option(
      '--collectors <n>',
      'collectors that share the machines, each with the names of its own alone (Kafka)',
      atLeastOne,
      1,
    )
    .option('--only-services', 'topology, load and faults alone; prints load statistics')
    .option('--time-scale <factor>', 'factor on every time of the scenario', positive, 1)
    .option('--warm-up <seconds>', 'instead of the scenario’s', seconds)
    .option('--length <seconds>', 'instead of the scenario’s; faults and events move and stretch with it', seconds)
    .option('--cool-down <seconds>', 'instead of the scenario’s', seconds)
    .option('--seed <n>', 'seed of the first run; each further run adds one', whole)
    .option('--cleanup', 'only remove what labs that were killed have left on this host')
    .addHelpText(
      'after',
      '\nExamples:\n  rootwalk lab --scenario packet-loss --out results --repeat 3\n  rootwalk lab --scenario db-lock --only-services --time-scale 0.3',
    )
    .action(run);
}

/** Ctrl-C aborts the run, which cleans up; a second one ends at once, and the reaper cleans up. */
function abortOnSignals(): AbortController {
  const controller = new AbortController();
  onFirstSignal((signal) => {
    console.error(`rootwalk: ${signal}: ending the lab`);
    controller.abort(new RcaError('RCA_ENVIRONMENT', `lab: ended by ${signal}`));
  });
  return controller;
}

async function run(flags: LabFlags): Promise<void> {
  if (flags.cleanup === true) {
    const removed = await cleanupLeftovers();
    const running = labsOnHost();
    console.log(`removed: ${removed.join(', ') || 'nothing'}; still running: ${running.join(', ') || 'none'}`);
    return;
  }
  if (flags.scenario === undefined) {
    throw new RcaError('RCA_BAD_CONFIG', `lab: which scenario? --scenario ${scenarioNames().join(' | ')} | FILE | all`);
  }
  if (flags.collectors > 1 && flags.bus === 'embedded') {
    throw new RcaError('RCA_BAD_CONFIG', 'lab: several collectors need a bus between them. Mend: --bus kafka');
  }
  const names = flags.scenario.flatMap((name) => (name === 'all' ? scenarioNames() : [name]));
  const read = names.map((name) => readScenario(name));
  const { signal } = abortOnSignals();
  const results: RunResult[] = [];
  for (const { scenario, topology } of read) {
    for (let i = 0; i < flags.repeat; i++) {
      const outDir = join(flags.out, read.length * flags.repeat === 1 ? '.' : `${scenario.name}-${i + 1}`);
      const { timeScale, warmUp, length, coolDown } = flags;
      const retimed = retime(scenario, {
        timeScale,
        ...(warmUp === undefined ? {} : { warmUpS: warmUp }),
        ...(length === undefined ? {} : { lengthS: length }),
        ...(coolDown === undefined ? {} : { coolDownS: coolDown }),
      });
      console.log(`\n${scenario.name}, run ${i + 1} of ${flags.repeat}: ${scenario.description}`);
      const warning = flags.onlyServices === true ? undefined : warmUpWarning(retimed, timeScale);
      if (warning !== undefined) console.error(`rootwalk: ${warning}`);
      const result = await runScenario({
        ...{ scenario: retimed, topology, outDir, bus: flags.bus, collectors: flags.collectors, signal },
        seed: (flags.seed ?? scenario.seed ?? 1) + i,
        ...(flags.onlyServices === true ? {} : { system: () => new RootwalkSystem() }),
        log: (line) => console.log(`  ${new Date().toISOString().slice(11, 19)} ${line}`),
      });
      results.push(result);
      show(result);
    }
  }
  finish(results, flags.out);
}

function show(result: RunResult): void {
  console.log(loadTable(result));
  console.log(`generator at most ${result.load.worstLatenessMs.toFixed(0)} ms late`);
  for (const fault of result.score?.faults ?? []) console.log(faultText(fault));
  for (const stray of result.score?.falseIncidents ?? [])
    console.log(`FALSE incident ${stray.incidentId}: ${stray.phenomenon}`);
  if (result.figures !== undefined) console.log(`figures: ${JSON.stringify(result.figures)}`);
}

function faultText(fault: FaultScore): string {
  const { top1, truth } = fault;
  const got = top1 === null ? 'no report' : `${top1.entity.kind} ${top1.entity.name}, ${top1.faultClass}`;
  const mark = fault.top1Entity && fault.classMatch && isOneIncident(fault) ? 'RIGHT' : 'WRONG';
  const after = fault.onsetToReportS === null ? '-' : `${fault.onsetToReportS.toFixed(1)} s`;
  return `${mark} ${fault.kind}: reported ${got}; truth ${truth.entity.kind} ${truth.entity.name}, ${truth.faultClass}; ${fault.incidents} incident(s); report after ${after}`;
}

function healthySeconds({ happened, startedMs, endedMs }: RunResult): number {
  const faulty = happened.faults.reduce((sum, fault) => sum + fault.toMs - fault.fromMs, 0);
  return (endedMs - startedMs - faulty) / 1_000;
}

function finish(results: readonly RunResult[], out: string): void {
  const scored = results.flatMap((result) =>
    result.score === undefined ? [] : [{ score: result.score, healthyS: healthySeconds(result) }],
  );
  if (scored.length === 0) return;
  const summary = summarise(scored);
  writeJsonAtomically(join(out, 'summary.json'), summary);
  console.log(`\n${JSON.stringify(summary, null, 2)}`);
}
