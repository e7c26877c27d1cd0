/**
 * `npm run eval:detect`: every curve of a pack through the default detector, and the scorer's table.
 *   npm run eval:detect -- [--pack DIR] [--out DIR2] [--scorer detect-score.py]
 * DIR holds <set>/<curve>.csv.gz; by default the detection sets of ../shared/benchmarks/rca-dev.tar.xz.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { benchmark, unpack, withScratch } from '../benchmarks.ts';
import { flags } from '../flags.ts';
import { predictCurves } from './predict.ts';

const values = flags(import.meta.url, {
  pack: { type: 'string' },
  out: { type: 'string' },
  scorer: { type: 'string', default: benchmark('detect-score.py') },
});
withScratch((work) => {
  const pack = values.pack ?? join(unpack('rca-dev.tar.xz', work, 'detection'), 'detection');
  const out = values.out ?? join(work, 'predictions');
  const summary = predictCurves(pack, out, (line) => console.error(line));
  console.log(
    `${summary.curves} curves, ${summary.points} points, ${summary.alarms} alarms, ${Math.round(summary.points / summary.seconds)} points/s in the detector`,
  );
  const sets = readdirSync(out).map((name) => join(pack, name));
  execFileSync('python3', [values.scorer, '--data', ...sets, '--pred', out], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const baselines = join(pack, 'baselines.csv');
  if (existsSync(baselines)) console.log(`\nbaselines of the pack:\n${readFileSync(baselines, 'utf8')}`);
});
