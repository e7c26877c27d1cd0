/** `rootwalk eval rca`: ranks suspects of the cases of packs that nobody here wrote. */
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { makeSureOf } from '../../src/commands/out-file.ts';
import { rankNodes } from '../../src/demarcate/fallback.ts';
import { assertPack, readPack } from '../loaders/rca-pack.ts';

const RANKS = 10;
/** What the ranking's kinds are called in predictions. */
const KIND = { service: 'service', instance: 'instance', machine: 'host' } as const;

export function evalRcaCommand(): Command {
  return new Command('rca')
    .description('Ranks suspects of foreign root-cause cases; writes case_id,rank,node,kind,fault_type,score.')
    .requiredOption('--pack <dirs...>', 'pack folders')
    .requiredOption('--out <file>', 'predictions')
    .addHelpText('after', '\nExample:\n  rootwalk eval rca --pack DIR --out predictions.csv')
    .action(({ pack, out }: { readonly pack: readonly string[]; readonly out: string }) => predict(pack, out));
}

export function predict(packs: readonly string[], out: string): void {
  const lines = ['case_id,rank,node,kind,fault_type,score'];
  packs.forEach(assertPack);
  makeSureOf(out);
  let done = 0;
  for (const pack of packs) {
    for (const one of readPack(pack)) {
      const { id } = one;
      const ranked = ('alerts' in one ? one.history.rank(one.alerts, true) : rankNodes(one.evidence)).slice(0, RANKS);
      ranked.forEach(({ node, kind, family, score }, index) => {
        lines.push([id, index + 1, node, KIND[kind], family, score.toFixed(4)].join(','));
      });
      done++;
      if (process.stderr.isTTY) process.stderr.write(`\r${done} cases, ${pack}   `);
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\n');
  writeFileSync(out, `${lines.join('\n')}\n`);
}
