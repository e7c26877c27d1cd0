/**
 * `npm run bench:attribute`: time and memory of `attribute` on seeded tables, beside a straightforward scan in the same
 * interleaved rounds.
 *   npm run bench:attribute -- [--cases 30] [--naive 10] [--repeat 5]
 * cases: of each shape, each called a few times; naive: how many of them the straightforward scan gets; repeat: calls on
 * each large table, more on smaller ones. Targets are compared with the calling thread's CPU time, which other load
 * cannot lengthen much, as a mean of all calls, for its clock advances by ticks; the wall's median and least are printed
 * beside it.
 */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { flags } from '../../eval/flags.ts';
import { attribute } from '../../src/attribute/index.ts';
import { median } from '../../src/stats/robust.ts';
import type { LargeResult } from './large.ts';
import { namesOf, time } from './measure.ts';
import { naive } from './naive.ts';
import type { Shape, SyntheticCase } from './tables.ts';
import { syntheticCase } from './tables.ts';

interface Bench extends Shape {
  readonly name: string;
  /** Milliseconds asked for, and mean CPU seconds per case of RiskLoc's public code: MULTIDIM.md section 12. */
  readonly targetMs: number;
  readonly risklocSeconds: number;
}

/** Shapes of the sets those seconds were measured on; a third of the rows of the first have no traffic there, too. */
const SHAPES: readonly Bench[] = [
  { name: 'B0', cardinality: [6, 36, 10, 10], idle: 0.36, depth: 3, targetMs: 3, risklocSeconds: 0.34 },
  { name: 'L', cardinality: [10, 24, 10, 15], idle: 0.03, depth: 4, targetMs: 8, risklocSeconds: 1.0 },
  { name: 'S', cardinality: [10, 12, 10, 8, 5], idle: 0.03, depth: 3, targetMs: 25, risklocSeconds: 8.1 },
];
const LARGE: Shape = { cardinality: [10, 10, 10, 10, 10, 10], idle: 0, depth: 3 };
const LARGE_MS = 250;
const LARGE_MB = 300;
/** Whole cubes of six dimensions of about 10k, 30k, 100k, 300k and 1M cells. */
const GROWTH: readonly (readonly number[])[] = [
  [5, 5, 5, 5, 4, 4],
  [6, 6, 6, 6, 5, 5],
  [7, 7, 7, 7, 7, 6],
  [9, 8, 8, 8, 8, 8],
  [10, 10, 10, 10, 10, 10],
];
const BAR_WIDTH = 40;
/** The compiler needs that many calls; a service that attributes has made them. */
const WARM_UP = 60;
const CALLS_PER_CASE = 4;
/** Small tables are called more often, so that all are measured equally warm. */
const MAX_REPEAT = 30;

const values = flags(import.meta.url, {
  cases: { type: 'string', default: '30' },
  naive: { type: 'string', default: '10' },
  repeat: { type: 'string', default: '5' },
});
const [count, naiveCount, repeat] = [Number(values.cases), Number(values.naive), Number(values.repeat)];

console.log(`Node ${process.version}, ${cpus().length} cores, ${cpus()[0]?.model}`);
printShapes(SHAPES.map(benchShape));
printLarge();
printGrowth(
  'growth over whole cubes of six dimensions',
  GROWTH.map((cardinality) => ({ ...LARGE, cardinality })),
);
printGrowth(
  'growth over rows drawn from a cube of 20^6 cells (most elements have one leaf)',
  [10_000, 30_000, 100_000, 300_000, 1_000_000].map((rows) => ({
    cardinality: [20, 20, 20, 20, 20, 20],
    idle: 0,
    depth: 2,
    rows,
  })),
);

/** Both scans on the same cases, taking turns; ours on all of them. */
function benchShape(shape: Bench): string[] {
  for (let k = 0; k < WARM_UP; k++) attribute(syntheticCase(shape, 1000 + k).table);
  const wall: number[] = [];
  const cpu: number[] = [];
  const paired: number[] = [];
  const slow: number[] = [];
  let right = 0;
  let rightSlow = 0;
  for (let k = 0; k < count; k++) {
    const one = syntheticCase(shape, k);
    const runOurs = (): void => {
      const { value, wallMs, cpuMs } = time(() => attribute(one.table));
      wall.push(wallMs);
      cpu.push(cpuMs);
      if (k < naiveCount) paired.push(cpuMs);
      if (isTruth(one, namesOf(value))) right++;
    };
    const runNaive = (): void => {
      const { value, cpuMs } = time(() => naive(one.table));
      slow.push(cpuMs);
      if (isTruth(one, value)) rightSlow++;
    };
    if (k < naiveCount && k % 2 === 1) runNaive();
    for (let call = 0; call < CALLS_PER_CASE; call++) runOurs();
    if (k < naiveCount && k % 2 === 0) runNaive();
  }
  const own = mean(cpu);
  return [
    shape.name,
    shape.cardinality.join('x'),
    `${shape.cardinality.reduce((product, size) => product * size, 1)}`,
    median(wall).toFixed(2),
    own.toFixed(2),
    Math.min(...wall).toFixed(2),
    `${shape.targetMs}`,
    own <= shape.targetMs ? 'yes' : 'NO',
    mean(slow).toFixed(0),
    (mean(slow) / mean(paired)).toFixed(0),
    `${shape.risklocSeconds}`,
    ((1000 * shape.risklocSeconds) / own).toFixed(0),
    `${right / CALLS_PER_CASE}/${count}`,
    `${rightSlow}/${slow.length}`,
  ];
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function isTruth({ truth }: SyntheticCase, named: readonly string[]): boolean {
  return named.length === truth.size && named.every((name) => truth.has(name));
}

function printShapes(rows: readonly string[][]): void {
  print(
    `milliseconds per case: median on the wall, mean of CPU, over ${CALLS_PER_CASE} calls on each of ${count} seeded cases with 1-3\n  causes; the straightforward scan on ${naiveCount} of them, once each`,
    [
      'shape,dimensions,rows,wall,CPU,least wall,target,reached,straightf.,ratio,RiskLoc s,ratio,right,straightf.'.split(
        ',',
      ),
      ...rows,
    ],
  );
}

function large(shape: Shape): LargeResult {
  const rows = shape.rows ?? shape.cardinality.reduce((product, size) => product * size, 1);
  const calls = Math.max(repeat, Math.min(MAX_REPEAT, Math.ceil((repeat * 1e6) / rows)));
  const script = new URL('./large.ts', import.meta.url).pathname;
  const request = JSON.stringify({ shape, repeat: calls, seed: 1 });
  const args = [...process.execArgv, '--expose-gc', script, request];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 300_000 });
  if (status !== 0) throw new Error(`${JSON.stringify(shape)} failed: ${stderr}`);
  return JSON.parse(stdout) as LargeResult;
}

function printLarge(): void {
  const rows = [LARGE, { ...LARGE, shuffle: true }].map((shape) => {
    const one = large(shape);
    return [
      shape.shuffle === true ? 'shuffled' : 'in order',
      one.wallMs.toFixed(0),
      one.cpuMs.toFixed(0),
      one.firstWallMs.toFixed(0),
      one.cpuMs <= LARGE_MS ? 'yes' : 'NO',
      one.before.toFixed(0),
      one.firstPeak.toFixed(0),
      one.peak.toFixed(0),
      (one.firstPeak - one.before).toFixed(0),
      one.peak <= LARGE_MB ? 'yes' : one.firstPeak - one.before <= LARGE_MB ? 'first growth only' : 'NO',
      `${one.arraysBefore.toFixed(0)} -> ${one.arraysAfter.toFixed(0)}`,
      one.right ? 'yes' : 'NO',
    ];
  });
  print(
    `1,000,000 leaves x 6 dimensions in a process of its own; targets ${LARGE_MS} ms, ${LARGE_MB} MB; median of ${repeat} calls\n` +
      '  (MB resident: with the table before the first call, peak of the first call, peak of all calls,\n' +
      '  growth in the first call; typed arrays before -> after the calls, not yet collected)',
    [
      'rows,wall ms,CPU ms,first wall ms,time,MB before,first peak,peak,first growth,memory,MB in arrays,truth found'.split(
        ',',
      ),
      ...rows,
    ],
  );
}

function printGrowth(title: string, shapes: readonly Shape[]): void {
  const results = shapes.map(large);
  const perLeaf = results.map(({ cpuMs, leaves }) => (1e6 * cpuMs) / leaves);
  const most = Math.max(...perLeaf);
  print(title, [
    ['leaves', 'wall ms', 'CPU ms', 'peak MB', 'truth found', 'CPU ns per leaf'],
    ...results.map((one, k) => [
      `${one.leaves}`,
      one.wallMs.toFixed(1),
      one.cpuMs.toFixed(1),
      one.peak.toFixed(0),
      one.right ? 'yes' : 'NO',
      `${perLeaf[k]!.toFixed(0).padStart(5)}  ${'#'.repeat(Math.round((BAR_WIDTH * perLeaf[k]!) / most))}`,
    ]),
  ]);
}

function print(title: string, rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, k) => Math.max(...rows.map((row) => (row[k] ?? '').length)));
  console.log(`\n${title}`);
  for (const row of rows) console.log(`  ${row.map((cell, k) => cell.padEnd(widths[k] ?? 0)).join('  ')}`.trimEnd());
}
