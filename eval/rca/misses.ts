/** Per missed case: what the data show of the root, whether fault-free time shows as much, and what was named instead. */
import { deviation } from '../../src/demarcate/deviation.ts';
import type { NodeEvidence } from '../../src/demarcate/fallback.ts';
import { rankNodes } from '../../src/demarcate/fallback.ts';
import { readPack } from '../loaders/rca-pack.ts';
import { readTruth } from './truth.ts';

/** Fault-free windows a root's signs are held against. */
const WINDOWS = 40;
/** A sign that more of them show is none. */
const CHANCE = 0.1;

export interface Miss {
  readonly id: string;
  readonly faultType: string;
  readonly root: string;
  /** 1 is first; 0: not among the candidates. */
  readonly rank: number;
  /** Largest deviation of a series or edge of the root, log units as in the fallback; and its name. */
  readonly sign: readonly [score: number, name: string];
  /** Share of fault-free windows in which the root deviates as much; NaN: no series to tell. */
  readonly byChance: number;
  readonly named: string;
  readonly namedSign: readonly [score: number, name: string];
}

/** Cases of a pack with series whose root is not ranked first; and how many there are. */
export function missesOf(pack: string): { readonly cases: number; readonly misses: readonly Miss[] } {
  const truth = readTruth(pack);
  const misses: Miss[] = [];
  let cases = 0;
  for (const one of readPack(pack)) {
    if (!('evidence' in one)) continue;
    cases++;
    const { root, faultType } = truth.get(one.id) ?? { root: '', faultType: '' };
    const ranked = rankNodes(one.evidence);
    const rank = ranked.findIndex(({ node }) => node === root) + 1;
    if (rank === 1) continue;
    const sign = strongest(one.evidence, root);
    misses.push({
      id: one.id,
      faultType,
      root,
      rank,
      sign,
      byChance: chance(one.evidence, root, sign[0]),
      named: ranked[0]?.node ?? '',
      namedSign: strongest(one.evidence, ranked[0]?.node ?? ''),
    });
  }
  return { cases, misses };
}

export function printMisses(packs: readonly string[]): void {
  console.log('\nmissed cases; deviations are logarithms of robust standard deviations beyond 3');
  for (const pack of packs) {
    const { cases, misses } = missesOf(pack);
    if (cases === 0) continue;
    const noTrace = misses.filter(({ sign, byChance }) => sign[0] === 0 || byChance >= CHANCE).length;
    console.log(`\n${pack.split('/').at(-1)}: ${misses.length} of ${cases}; no trace of the root in ${noTrace}`);
    for (const { id, faultType, root, rank, sign, byChance, named, namedSign } of misses) {
      const share = Number.isNaN(byChance) ? '' : `, in ${(100 * byChance).toFixed(0)} % of fault-free windows as much`;
      console.log(`  ${id} ${faultType} ${root}: rank ${rank || '-'}; ${sign[1]} ${sign[0].toFixed(2)}${share}`);
      console.log(`      named ${named}: ${namedSign[1]} ${namedSign[0].toFixed(2)}`);
    }
  }
}

function strongest(evidence: NodeEvidence, node: string): readonly [number, string] {
  let best: readonly [number, string] = [0, 'nothing'];
  for (const { metric, baseline, current, worse } of seriesOf(evidence, node)) {
    const score = deviation(baseline, current, worse);
    if (score > best[0]) best = [score, metric];
  }
  for (const { caller, callee, measure, baseline, current } of evidence.edges) {
    if (caller !== node && callee !== node) continue;
    const score = deviation(baseline, current, 1);
    if (score > best[0]) best = [score, `${measure} ${caller}>${callee}`];
  }
  return best;
}

/** Slides a window of the case's length over the fault-free samples. */
function chance(evidence: NodeEvidence, node: string, sign: number): number {
  if (sign === 0) return 1;
  const own = seriesOf(evidence, node).filter(({ current, baseline }) => baseline.length >= 4 * current.length);
  if (own.length === 0) return Number.NaN;
  let as = 0;
  for (let k = 0; k < WINDOWS; k++) {
    const reached = own.some(({ baseline, current, worse }) => {
      const from = Math.floor((k * (baseline.length - current.length)) / (WINDOWS - 1));
      const window = baseline.slice(from, from + current.length);
      const rest = Float64Array.of(...baseline.slice(0, from), ...baseline.slice(from + current.length));
      return deviation(rest, window, worse) >= sign;
    });
    if (reached) as++;
  }
  return as / WINDOWS;
}

function seriesOf({ series, partOf }: NodeEvidence, node: string): NodeEvidence['series'] {
  return series.filter((one) => one.node === node || partOf.get(one.node) === node);
}
