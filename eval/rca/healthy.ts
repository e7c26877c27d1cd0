/**
 * The ranking on time without a fault: its first suspect should be nobody. Cases and healthy windows side by side, and
 * what stands out where nothing should.
 */
import { rankNodes } from '../../src/demarcate/fallback.ts';
import { readHealthy, readPack } from '../loaders/rca-pack.ts';

const WINDOWS = 60;
/** A first suspect below this stands out no more than chance: about 20 robust standard deviations of one measure. */
export const STANDS_OUT = 3;
const SHOWN = 5;

export function printHealthy(packs: readonly string[]): void {
  console.log(`\nfirst suspects that stand out (score of ${STANDS_OUT} or more): cases and fault-free windows`);
  for (const pack of packs) {
    const cases: number[] = [];
    for (const one of readPack(pack)) if ('evidence' in one) cases.push(rankNodes(one.evidence)[0]?.score ?? 0);
    if (cases.length === 0) continue;
    const healthy = [...readHealthy(pack, WINDOWS)].map(({ id, evidence }) => ({ id, first: rankNodes(evidence)[0] }));
    const loud = healthy
      .filter(({ first }) => (first?.score ?? 0) >= STANDS_OUT)
      .sort((a, b) => (b.first?.score ?? 0) - (a.first?.score ?? 0));
    const named = cases.filter((score) => score >= STANDS_OUT).length;
    const above = cases.flatMap((score) => healthy.map(({ first }): number => Number(score > (first?.score ?? 0))));
    const auc = above.reduce((sum, one) => sum + one, 0) / Math.max(1, above.length);
    const name = pack.split('/').at(-1) ?? pack;
    console.log(
      `  ${name}: ${named} of ${cases.length} cases, ${loud.length} of ${healthy.length} healthy; AUC ${auc.toFixed(3)}`,
    );
    for (const { id, first } of loud.slice(0, SHOWN))
      console.log(`      ${id}: ${first?.node} ${first?.family} ${first?.score.toFixed(2)}`);
  }
}
