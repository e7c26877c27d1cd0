/**
 * The window path from 100 to 10,000 services: how long a window takes to close, the first one too, how much memory the
 * engine has, and how long the whole analysis of an incident takes. The workload comes from a process of its own; the
 * engine's process is pinned to one core.
 *
 *   npm run bench:growth -- [--sizes 100,300,1000,3000,10000] [--windows 30] [--core 0] [--heap] [--second]
 *     [--naming names|pods|hosts]
 * With --second the fault goes on, a second one begins 8 windows later, and the analysis is that of both. With pods or
 * hosts, collectors know what runs on other hosts by address only, of the pod or of its host.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { flags } from '../../eval/flags.ts';
import { namingOf } from './workload.ts';

interface Result {
  readonly records: number;
  readonly windows: number;
  readonly pushPerSecond: number;
  readonly firstMs: number;
  readonly firstCpuMs: number;
  readonly steadyMs: number;
  readonly closeMs: number;
  readonly steadyCpuMs: number;
  readonly firstMb: number;
  readonly residentMb: number;
  readonly analysisMs: Readonly<Record<string, number>>;
  readonly causes: readonly string[];
  readonly heapMb?: Readonly<Record<string, number>>;
}

const values = flags(import.meta.url, {
  sizes: { type: 'string', default: '100,300,1000,3000,10000' },
  windows: { type: 'string', default: '30' },
  core: { type: 'string', default: '0' },
  heap: { type: 'boolean', default: false },
  second: { type: 'boolean', default: false },
  naming: { type: 'string', default: 'names' },
});
const windows = Number(values.windows);
const naming = namingOf(values.naming);
/** Windows between the fault's beginning, a second one's, and the end. */
const FAULT_WINDOWS = values.second ? 18 : 5;
const SECOND_WINDOWS = values.second ? 10 : 0;

function script(name: string): string {
  return new URL(name, import.meta.url).pathname;
}

async function measure(services: number): Promise<Result> {
  const node = [process.execPath, ...process.execArgv];
  const [first, second] = [windows - FAULT_WINDOWS, windows - SECOND_WINDOWS];
  const workload = [...[services, services * 10, windows, first, second].map(String), naming];
  const [command = '', ...args] = [...node, script('./generate.ts'), ...workload];
  const generator = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  // Two windows are still open when the last message comes, as always in a running engine.
  const engineArgs = values.heap ? [`${windows - 2}`, 'heap'] : [];
  const engine = spawn(
    'taskset',
    ['-c', values.core, ...node, '--expose-gc', script('./window-path.ts'), ...engineArgs],
    { stdio: [generator.stdout, 'pipe', 'inherit'] },
  );
  let out = '';
  engine.stdout.on('data', (chunk) => {
    out += chunk;
  });
  const [status] = (await once(engine, 'close')) as [number];
  generator.kill();
  if (status !== 0) throw new Error(`the engine's process ended with ${status}`);
  return JSON.parse(out) as Result;
}

const sum = (parts: Readonly<Record<string, number>>): number => Object.values(parts).reduce((a, b) => a + b, 0);

for (const services of values.sizes.split(',').map(Number)) {
  const found = await measure(services);
  const cells = [
    `${services} / ${services * 10}`,
    Math.round(found.records / found.windows),
    Math.round(found.pushPerSecond),
    `${Math.round(found.firstMs)} (${Math.round(found.firstCpuMs)}) ms`,
    `${Math.round(found.steadyMs + found.closeMs)} (${Math.round(found.steadyCpuMs)}) ms`,
    `${Math.round(found.firstMb)} / ${Math.round(found.residentMb)} MB`,
    `${Math.round(sum(found.analysisMs))} ms`,
    found.causes.join(', '),
  ];
  console.log(`| ${cells.join(' | ')} |`);
  for (const [owner, mb] of Object.entries(found.heapMb ?? {})) console.log(`|   | ${owner} | ${mb.toFixed(1)} |`);
}
