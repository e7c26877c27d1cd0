/** `rootwalk attribute`: which dimension values carry the change in a table. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Command, Option } from 'commander';
import type { AttributedElement, AttributionResult, Measure } from './attribute/index.ts';
import { attribute, MEASURES, parseLeaves } from './attribute/index.ts';
import { RcaError } from './model/errors.ts';

interface AttributeFlags {
  readonly measure: Measure | 'auto';
  readonly format: 'text' | 'json';
  readonly cases?: readonly string[];
  readonly out?: string;
}

export function attributeCommand(): Command {
  return new Command('attribute')
    .argument('[case]', 'CSV: dimension columns, then real,predict or real_num,predict_num,real_den,predict_den')
    .description('Which values of which dimensions carry the change in a table of leaves.')
    .addOption(new Option('--measure <kind>', 'what the numbers are').choices(['auto', ...MEASURES]).default('auto'))
    .addOption(new Option('--format <format>', 'how the answer is written').choices(['text', 'json']).default('text'))
    .option('--cases <dirs...>', 'every case of these folders; needs --out')
    .option('--out <file>', 'predictions as dataset,case,set,external,seconds')
    .addHelpText('after', '\nExample:\n  rootwalk attribute case.csv --measure count')
    .action((file: string | undefined, flags: AttributeFlags) => {
      if (flags.cases !== undefined) {
        if (flags.out === undefined) throw new RcaError('RCA_BAD_CONFIG', '--cases needs --out FILE');
        predictAll(flags.cases, flags.out);
      } else if (file === undefined)
        throw new RcaError('RCA_BAD_CONFIG', 'give a case file, or --cases DIR --out FILE');
      else {
        const result = attribute(
          parseLeaves(readFileSync(file, 'utf8'), file),
          flags.measure === 'auto' ? undefined : flags.measure,
        );
        process.stdout.write(flags.format === 'json' ? `${JSON.stringify(result, null, 2)}\n` : text(result));
      }
    });
}

function predictAll(dirs: readonly string[], out: string): void {
  const lines = ['dataset,case,set,external,seconds'];
  const cases = dirs.flatMap((dir) =>
    readdirSync(dir)
      .filter((name) => name.endsWith('.csv') && name !== 'injection_info.csv')
      .sort()
      .map((name) => ({ dataset: basename(dir), file: join(dir, name), name: name.slice(0, -4) })),
  );
  cases.forEach(({ dataset, file, name }, index) => {
    const table = parseLeaves(readFileSync(file, 'utf8'), file);
    const start = process.hrtime.bigint();
    const { elements, verdict } = attribute(table);
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    const external = verdict === 'global' || verdict === 'external' ? 1 : 0;
    lines.push([dataset, name, elements.map(elementText).join(';'), external, seconds.toFixed(5)].join(','));
    if (process.stderr.isTTY)
      process.stderr.write(`\r${bar((index + 1) / cases.length, 30)} ${index + 1}/${cases.length} ${dataset}   `);
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
  const percent = (ratio: number): string => `${(100 * ratio).toFixed(1)} %`;
  const lines = [`measure ${result.measure}, verdict ${result.verdict}`];
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
  for (const element of result.elements) {
    lines.push(
      `  ${bar(element.share, 20)} ${percent(element.share).padStart(8)}  ${elementText(element)}  ${element.expected.toPrecision(4)} -> ${element.actual.toPrecision(4)}  confidence ${element.confidence.toFixed(2)}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function bar(share: number, width: number): string {
  const filled = Math.round(Math.max(0, Math.min(1, share)) * width);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}
