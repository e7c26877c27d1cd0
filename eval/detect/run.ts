/**
 * `npm run eval:detect`: every curve of a pack through the default detector, and the scorer's table.
 *   npm run eval:detect -- [--pack DIR] [--out DIR2] [--scorer detect-score.py]
 * DIR holds <set>/<curve>.csv.gz; by default the detection sets of ../shared/benchmarks/rca-dev.tar.xz.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { predictCurves } from './predict.ts';

const benchmarks = fileURLToPath(new URL('../../../shared/benchmarks', import.meta.url));
const { values } = parseArgs({
  options: {
    pack: { type: 'string' },
    out: { type: 'string' },
    scorer: { type: 'string', default: join(benchmarks, 'detect-score.py') },
  },
});
const work = mkdtempSync(join(tmpdir(), 'rootwalk-detect-'));
try {
  const pack = values.pack ?? unpack();
  const out = values.out ?? join(work, 'predictions');
  const summary = predictCurves(pack, out, (line) => console.error(line));
  console.log(
    `${summary.curves} curves, ${summary.points} points, ${summary.alarms} alarms, ${Math.round(summary.points / summary.seconds)} points/s in the detector`,
  );
  const sets = readdirSync(out).map((name) => join(pack, name));
  run('python3', [values.scorer, '--data', ...sets, '--pred', out]);
  const baselines = join(pack, 'baselines.csv');
  if (existsSync(baselines)) console.log(`\nbaselines of the pack:\n${readFileSync(baselines, 'utf8')}`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

function unpack(): string {
  run('tar', ['xJf', join(benchmarks, 'rca-dev.tar.xz'), '-C', work, 'dev/detection']);
  return join(work, 'dev', 'detection');
}

function run(command: string, args: string[]): void {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw error ?? new Error(`${command} ${args.join(' ')}: exit code ${status}`);
}
