/**
 * `npm run eval:rca`: our line beside each pack's baselines.
 *   npm run eval:rca -- [--data DIR] [--scorer rca-score.py] [--explain-misses] [--healthy] [--leave-one-out] [--larger]
 * DIR holds unpacked packs; by default ../shared/benchmarks/rca-dev.tar.xz is unpacked into a temporary folder.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { benchmark, unpack, withScratch } from '../benchmarks.ts';
import { flags } from '../flags.ts';
import { predict } from './command.ts';
import { printHealthy } from './healthy.ts';
import { printLarger } from './larger.ts';
import { printLeaveOneOut } from './leave-one-out.ts';
import { printMisses } from './misses.ts';

const values = flags(import.meta.url, {
  data: { type: 'string' },
  scorer: { type: 'string', default: benchmark('rca-score.py') },
  'explain-misses': { type: 'boolean', default: false },
  healthy: { type: 'boolean', default: false },
  'leave-one-out': { type: 'boolean', default: false },
  larger: { type: 'boolean', default: false },
});
withScratch((work) => {
  const data = values.data ?? unpack('rca-dev.tar.xz', work);
  const packs = readdirSync(data)
    .sort()
    .map((name) => join(data, name))
    .filter((dir) => existsSync(join(dir, 'cases.csv')));
  const out = join(work, 'predictions.csv');
  const start = Date.now();
  predict(packs, out);
  const cases =
    new Set(
      readFileSync(out, 'utf8')
        .split('\n')
        .slice(1)
        .map((line) => line.split(',')[0]),
    ).size - 1;
  console.log(`${cases} cases in ${((Date.now() - start) / 1000).toFixed(1)} s`);
  for (const level of [[], ['--service']]) {
    console.log(level.length > 0 ? '\nat service level' : '\nat the level of the truth');
    process.stdout.write(
      execFileSync('python3', [values.scorer, '--data', ...packs, '--pred', out, ...level], { encoding: 'utf8' }),
    );
  }
  console.log('\nbaselines of the packs (method, level, AC@1, AC@3)');
  for (const pack of packs.filter((dir) => existsSync(join(dir, 'baselines.csv')))) {
    for (const line of readFileSync(join(pack, 'baselines.csv'), 'utf8').split('\n')) {
      const cells = line.split(',');
      if (cells[3] === 'ALL') console.log(`  ${cells[0]}  ${cells[1]}  ${cells[2]}  ${cells[5]}  ${cells[8]}`);
    }
  }
  if (values['leave-one-out']) printLeaveOneOut(packs);
  if (values.healthy) printHealthy(packs);
  if (values.larger) printLarger(packs);
  if (values['explain-misses']) printMisses(packs);
});
