/** `rootwalk attribute`: which dimension values carry the change in a table. */
import { closeSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Command, Option } from 'commander';
import type { AttributedElement, AttributionResult, Explanation, Measure } from './attribute/index.ts';
import { attribute, explain, MEASURES, parseLeaves } from './attribute/index.ts';
import { makeSureOf } from './commands/out-file.ts';
import { attributionVerdictWords, deviationWords } from './model/attribution-words.ts';
import { RcaError } from './model/errors.ts';

interface AttributeFlags {
  readonly measure: Measure | 'auto';
  readonly format: 'text' | 'json';
  readonly cases?: readonly string[];
  readonly out?: string;
  readonly explain?: true;
}

export function attributeCommand(): Command {
  return new Command('attribute')
    .argument('[case]', 'CSV: dimension columns, then real,predict or real_num,predict_num,real_den,predict_den')
    .description('Which values of which dimensions carry the change in a table of leaves.')
    .addOption(new Option('--measure <kind>', 'what the numbers are').choices(['auto', ...MEASURES]).default('auto'))
    .addOption(new Option('--format <format>', 'how the answer is written').choices(['text', 'json']).default('text'))
    .option('--explain', 'what the scan saw: best elements of each cuboid, scores, what ruled them out')
    .option('--cases <dirs...>', 'every case of these folders; needs --out')
    .option('--out <file>', 'predictions as dataset,case,set,external,seconds')
    .addHelpText(
      'after',
      '\nExamples:\n  rootwalk attribute case.csv --measure count\n  rootwalk attribute case.csv --explain\n  rootwalk attribute --cases DIR --out predictions.csv',
    )
    .action((file: string | undefined, flags: AttributeFlags) => {
      if (flags.cases !== undefined) {
        if (flags.out === undefined) throw new RcaError('RCA_BAD_CONFIG', '--cases needs --out FILE');
        predictAll(flags.cases, flags.out);
        return;
      }
      if (file === undefined) throw new RcaError('RCA_BAD_CONFIG', 'give a case file, or --cases DIR --out FILE');
      const table = parseLeaves(readCase(file), file);
      const measure = flags.measure === 'auto' ? undefined : flags.measure;
      const answer = flags.explain === true ? explain(table, measure) : attribute(table, measure);
      if (flags.format === 'json') process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
      else process.stdout.write('cuboids' in answer ? explanationText(answer) : text(answer));
    });
}

function readCase(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new RcaError('RCA_BAD_INPUT', `cannot read the case ${file}: ${(error as Error).message}`, { file });
  }
}

function casesOf(dir: string): string[] {
  try {
    return readdirSync(dir)
      .filter((name) => name.endsWith('.csv') && isCase(join(dir, name)))
      .sort();
  } catch (error) {
    throw new RcaError('RCA_BAD_INPUT', `cannot read the folder ${dir}: ${(error as Error).message}`, { file: dir });
  }
}

/** A case has the measure's columns in its head; other CSV files in the folder are not ours. */
function isCase(file: string): boolean {
  const fd = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(4096);
    const head = bytes.toString('utf8', 0, readSync(fd, bytes)).split(/\r?\n/)[0] ?? '';
    const columns = head.split(',');
    return columns.includes('real') || columns.includes('real_num');
  } finally {
    closeSync(fd);
  }
}

function predictAll(dirs: readonly string[], out: string): void {
  const lines = ['dataset,case,set,external,seconds'];
  const cases = dirs.flatMap((dir) =>
    casesOf(dir).map((name) => ({ dataset: basename(dir), file: join(dir, name), name: name.slice(0, -4) })),
  );
  if (cases.length === 0)
    throw new RcaError(
      'RCA_BAD_INPUT',
      `no case in ${dirs.join(', ')}: expected CSV files with a column real or real_num`,
    );
  makeSureOf(out);
  cases.forEach(({ dataset, file, name }, index) => {
    const table = parseLeaves(readFileSync(file, 'utf8'), file);
    const start = process.hrtime.bigint();
    const { elements, verdict } = attribute(table);
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    const external = verdict === 'global' || verdict === 'external' ? 1 : 0;
    lines.push([dataset, name, elements.map(elementText).join(';'), external, seconds.toFixed(5)].join(','));
    const done = index + 1;
    if (process.stderr.isTTY)
      process.stderr.write(`\r${bar(done / cases.length, 30)} ${done}/${cases.length} ${dataset}   `);
    else if (done % 100 === 0 || done === cases.length) process.stderr.write(`${done}/${cases.length} cases\n`);
  });
  if (process.stderr.isTTY) process.stderr.write('\n');
  writeFileSync(out, `${lines.join('\n')}\n`);
}

function elementText({ terms }: Pick<AttributedElement, 'terms'>): string {
  return terms
    .map(({ dimension, value }) => `${dimension}=${value}`)
    .sort()
    .join('&');
}

function text(result: AttributionResult): string {
  const lines = [`measure ${result.measure}: ${attributionVerdictWords(result.verdict)}`];
  if (result.verdict === 'global') lines.push(`common factor ${deviationWords(result.commonDeviation)}`);
  if (result.heavyTails)
    lines.push('forecasts err more than their noise explains: only elements of a tenth of the largest are named');
  if (result.split !== null)
    lines.push(
      `change ${result.split.change.toPrecision(4)} = rates ${result.split.rate.toPrecision(4)} + mix ${result.split.mix.toPrecision(4)}`,
    );
  lines.push('', 'by dimension:');
  for (const { dimension, verdict, values, pValue } of result.dimensions) {
    const top = values.slice(0, 3).map(({ value, share }) => `${value} ${percent(share)}`);
    lines.push(`  ${dimension.padEnd(14)} ${verdict.padEnd(12)} p=${pValue.toPrecision(2)}  ${top.join(', ')}`);
  }
  if (result.elements.length > 0) lines.push('', 'elements:');
  for (const element of result.elements) lines.push(...elementLines(element));
  return `${lines.join('\n')}\n`;
}

function elementLines(element: AttributedElement): string[] {
  const { share, expected, actual, confidence, leaves, statistic, split, runnerUp } = element;
  const lines = [
    `  ${bar(share, 20)} ${percent(share).padStart(8)}  ${elementText(element)}  ${expected.toPrecision(4)} -> ${actual.toPrecision(4)}  confidence ${confidence.toFixed(2)}`,
    `    likelihood ratio ${statistic.toFixed(1)} nats over ${leaves} ${leaves === 1 ? 'leaf' : 'leaves'}, ${percent(element.purity)} of their deviation in common`,
  ];
  if (split !== undefined)
    lines.push(`    of the change: rates ${split.rate.toPrecision(3)}, mix ${split.mix.toPrecision(3)}`);
  if (runnerUp !== undefined) {
    const why =
      runnerUp.purity < element.purity - 0.01 ? `, its parts moved less alike (${percent(runnerUp.purity)})` : '';
    lines.push(`    runner-up ${elementText(runnerUp)}: ${percent(runnerUp.scoreRatio)} of its score${why}`);
  }
  return lines;
}

function explanationText({ measure, noise, leaves, cuboids }: Explanation): string {
  const { sigma2, dispersion, power = 1 } = noise;
  const lines = [
    `measure ${measure}, ${leaves} leaves with events`,
    `noise of a leaf: ${percent(Math.sqrt(sigma2))} of its value, and ${dispersion.toPrecision(3)} / events^${power}`,
  ];
  for (const { dimensions, elements, top } of cuboids) {
    lines.push('', `${dimensions.join(' & ')} (${elements} elements)`);
    for (const one of top) {
      const numbers = `score ${one.score.toFixed(1)} = gain ${one.gain.toFixed(1)} less price ${one.penalty.toFixed(1)}`;
      lines.push(
        `  ${elementText(one)}  ${numbers}, deviation ${one.deviation.toFixed(3)}, purity ${one.purity.toFixed(2)}, ${one.leaves} leaves${one.rejected === undefined ? '' : `  [${one.rejected}]`}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(1)} %`;
}

function bar(share: number, width: number): string {
  const filled = Math.round(Math.max(0, Math.min(1, share)) * width);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}
