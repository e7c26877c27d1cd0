/**
 * Predicts every curve of a pack, and scores it when a scorer is given.
 *   npm run eval:detect -- --pack DIR --out DIR2 [--scorer detect-score.py]
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { predictCurves } from './predict.ts';

const { values } = parseArgs({
  options: { pack: { type: 'string' }, out: { type: 'string' }, scorer: { type: 'string' } },
});
const { pack, out, scorer } = values;
if (pack === undefined || out === undefined) {
  console.error('usage: npm run eval:detect -- --pack DIR --out DIR2 [--scorer detect-score.py]');
  process.exit(2);
}
const summary = predictCurves(pack, out, (line) => console.error(line));
console.log(
  `${summary.curves} curves, ${summary.points} points, ${summary.alarms} alarms, ${Math.round(summary.points / summary.seconds)} points/s in the detector`,
);
if (scorer !== undefined) {
  const sets = readdirSync(out).map((name) => join(pack, name));
  const { stdout, stderr, status } = spawnSync('python3', [scorer, '--data', ...sets, '--pred', out], {
    encoding: 'utf8',
  });
  process.stdout.write(stdout);
  if (status !== 0) {
    process.stderr.write(stderr);
    process.exitCode = 1;
  }
}
const baselines = join(pack, 'baselines.csv');
if (existsSync(baselines)) console.log(`\nbaselines of the pack:\n${readFileSync(baselines, 'utf8')}`);
