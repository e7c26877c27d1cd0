/**
 * `npm run eval:multidim`: our line beside the published methods', with intervals, halves, reliability, and whether what
 * was missed could be told at all.
 *   npm run eval:multidim -- [--data DIR] [--scorer multidim-score.py] [--explain-misses]
 * DIR holds unpacked sets; by default ../shared/benchmarks/multidim-dev.tar.xz is unpacked into a temporary folder.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { attribute, parseLeaves } from '../../src/attribute/index.ts';
import { median } from '../../src/stats/robust.ts';
import { benchmark, unpack, withScratch } from '../benchmarks.ts';
import { flags } from '../flags.ts';
import type { CaseEvidence, Reason } from './identify.ts';
import { evidence } from './identify.ts';
import { BARS } from './published.ts';
import type { Claim, Scored } from './score.ts';
import { bootstrap, elementSet, f1, readPredictions, reliability, scoreCases, share } from './score.ts';

interface SetResult {
  readonly name: string;
  readonly cases: readonly Scored[];
  readonly claims: readonly Claim[];
  readonly evidence: readonly { readonly one: Scored; readonly found: CaseEvidence }[];
}

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const values = flags(import.meta.url, {
  data: { type: 'string' },
  scorer: { type: 'string', default: benchmark('multidim-score.py') },
  'explain-misses': { type: 'boolean', default: false },
});
withScratch((work) => {
  const data = values.data ?? unpack('multidim-dev.tar.xz', work);
  const dirs = [...Object.keys(BARS), ...readdirSync(data).filter((name) => BARS[name] === undefined)]
    .map((name) => join(data, name))
    .filter((dir) => existsSync(join(dir, 'injection_info.csv')));
  const out = join(work, 'predictions.csv');
  const start = Date.now();
  // The command itself, in a process of its own: what it writes is what anybody else would score.
  execFileSync(process.execPath, [...process.execArgv, cli, 'attribute', '--cases', ...dirs, '--out', out], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  console.log(`predicted in ${((Date.now() - start) / 1000).toFixed(1)} s, reading the files included\n`);
  process.stdout.write(
    execFileSync('python3', [values.scorer, '--data', ...dirs, '--pred', out, '--leaves'], { encoding: 'utf8' }),
  );
  const predictions = readPredictions(out);
  const sets = dirs.map((dir) => again(dir, scoreCases(dir, predictions)));
  printBars(sets);
  printEvidence(sets);
  printReliability(sets);
  if (values['explain-misses']) printMisses(sets);
});

/** The same answers once more from the library, with what a predictions file has no column for. */
function again(dir: string, cases: readonly Scored[]): SetResult {
  const claims: Claim[] = [];
  const found: { one: Scored; found: CaseEvidence }[] = [];
  for (const one of cases) {
    const file = join(dir, `${one.truth.name}.csv`);
    const table = parseLeaves(readFileSync(file, 'utf8'), file);
    const result = attribute(table);
    const names = result.elements.map(({ terms }) => [
      ...elementSet(terms.map(({ dimension, value }) => `${dimension}=${value}`).join('&')),
    ]);
    const named = new Set(names.flat());
    const written = one.prediction?.elements ?? new Set();
    if (named.size !== written.size || [...named].some((element) => !written.has(element)))
      throw new Error(`${file}: the command wrote "${[...written].join(';')}", the library "${[...named].join(';')}"`);
    for (const [k, { confidence }] of result.elements.entries())
      claims.push({ confidence, right: one.truth.elements.has(names[k]?.[0] ?? '') });
    if (one.fp + one.fn > 0) found.push({ one, found: evidence(table, result, one.truth.elements, named) });
  }
  return { name: basename(dir), cases, claims, evidence: found };
}

function printBars(sets: readonly SetResult[]): void {
  const rows = [
    ['set', 'cases', 'F1', '95 % interval', 'even', 'odd', 'EXT', 'median ms', 'target', 'reached', 'hope'],
    ...sets.map(({ name, cases }) => {
      const bar = BARS[name];
      const score = f1(cases);
      const [low, high] = bootstrap(cases);
      const external = cases.some(({ truth }) => truth.external) ? share(cases, (one) => one.externalRight) : undefined;
      const reached =
        bar === undefined
          ? ''
          : score < bar.target || (bar.externalTarget !== undefined && (external ?? 0) < bar.externalTarget)
            ? 'NO'
            : low < bar.target
              ? 'yes, interval below'
              : 'yes';
      return [
        name,
        `${cases.length}`,
        score.toFixed(3),
        `${low.toFixed(3)}-${high.toFixed(3)}`,
        f1(cases.filter((_, k) => k % 2 === 0)).toFixed(3),
        f1(cases.filter((_, k) => k % 2 === 1)).toFixed(3),
        external === undefined ? '' : external.toFixed(3),
        (1000 * median(cases.flatMap((one) => one.prediction?.seconds ?? []))).toFixed(2),
        bar === undefined ? '' : `${bar.target}${bar.externalTarget ? `, EXT ${bar.externalTarget}` : ''}`,
        reached,
        bar === undefined ? '' : `${bar.hope}`,
      ];
    }),
  ];
  print('F1 with its bootstrap interval over cases (1,000 resamples), and of even and odd cases', rows);
  print('beside others, F1 (MULTIDIM.md section 12)', [
    ['set', 'ours', 'prototype', 'RiskLoc', 'AutoRoot', 'Squeeze', 'RiskLoc s/case', 'ours s/case', 'times faster'],
    ...sets.flatMap(({ name, cases }) => {
      const bar = BARS[name];
      if (bar === undefined) return [];
      const seconds = cases.reduce((sum, one) => sum + (one.prediction?.seconds ?? 0), 0) / cases.length;
      const slowest = Number(bar.risklocSeconds.split('-')[0]);
      return [
        [
          name,
          f1(cases).toFixed(3),
          bar.prototype,
          bar.riskloc,
          bar.autoroot,
          bar.squeeze,
          bar.risklocSeconds,
          seconds.toFixed(4),
          (slowest / seconds).toFixed(0),
        ],
      ];
    }),
  ]);
}

function printEvidence(sets: readonly SetResult[]): void {
  const rows = sets.map(({ name, cases, evidence: wrong }) => {
    const missed = wrong.flatMap(({ found }) => found.missed);
    const count = (reason: Reason): string => `${missed.filter((one) => one.reason === reason).length}`;
    const cannot = wrong.filter(({ found }) => found.missed.some(({ reason }) => reason !== 'identifiable')).length;
    return [
      name,
      `${wrong.length}/${cases.length}`,
      `${wrong.filter(({ one }) => one.truth.elements.size === 0).length}`,
      `${wrong.filter(({ one }) => one.fn === 0 && one.truth.elements.size > 0).length}`,
      `${wrong.filter(({ one }) => one.fn > 0).length}`,
      `${cannot}`,
      `${wrong.filter(({ found }) => found.outdone).length}`,
      `${missed.length}`,
      count('same-leaves'),
      count('gain-not-larger'),
      count('below-chance'),
      count('identifiable'),
    ];
  });
  print(
    'wrong cases, their missed elements, and what the evidence says (eval/multidim/identify.ts)\n' +
      '  none/extra: nothing was to be found, or all of it was and more was named; missed: cases with a missed element\n' +
      '  any: cases with a missed element that is not identifiable by its own gain; all: where no more elements than the\n' +
      '  true ones, the named, gain as much together. Elements: same leaves as the named one; G not larger than its;\n' +
      '  G no more than chance; else identifiable',
    ['set,wrong,none,extra,missed,any,all,elements,same,G<=,chance,identifiable'.split(','), ...rows],
  );
}

function printReliability(sets: readonly SetResult[]): void {
  const all = reliability(sets.flatMap(({ claims }) => claims));
  print(`confidence of named elements, all sets; expected calibration error ${all.error.toFixed(3)}`, [
    ['confidence', 'elements', 'mean', 'precision'],
    ...all.bins.map(({ from, to, claims, confidence, precision }) => [
      `${from.toFixed(1)}-${to.toFixed(1)}`,
      `${claims}`,
      claims > 0 ? confidence.toFixed(3) : '',
      claims > 0 ? precision.toFixed(3) : '',
    ]),
  ]);
  print('the same per set', [
    ['set', 'elements', 'mean', 'precision', 'calibration error'],
    ...sets.map(({ name, claims }) => [
      name,
      `${claims.length}`,
      (claims.reduce((sum, { confidence }) => sum + confidence, 0) / claims.length).toFixed(3),
      (claims.filter(({ right }) => right).length / claims.length).toFixed(3),
      reliability(claims).error.toFixed(3),
    ]),
  ]);
}

function printMisses(sets: readonly SetResult[]): void {
  const rows = sets.flatMap(({ name, evidence: wrong }) =>
    wrong.flatMap(({ one, found }) =>
      found.missed.map(({ truth, gain, reason, chosen, chosenGain }) => [
        name,
        one.truth.name,
        truth,
        gain.toPrecision(4),
        chosen ?? '(none overlaps)',
        chosenGain?.toPrecision(4) ?? '',
        reason,
      ]),
    ),
  );
  print('missed elements', [['set', 'case', 'truth', 'G truth', 'chosen', 'G chosen', 'reason'], ...rows]);
  const named = sets.flatMap(({ name, evidence: wrong }) =>
    wrong
      .filter(({ one }) => one.fn === 0)
      .map(({ one }) => [
        name,
        one.truth.name,
        [...one.truth.elements].join(';'),
        [...(one.prediction?.elements ?? [])].join(';'),
      ]),
  );
  print('nothing missed, too many named', [['set', 'case', 'truth', 'named'], ...named]);
}

function print(title: string, rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, k) => Math.max(...rows.map((row) => (row[k] ?? '').length)));
  console.log(`\n${title}`);
  for (const row of rows) console.log(`  ${row.map((cell, k) => cell.padEnd(widths[k] ?? 0)).join('  ')}`.trimEnd());
}
