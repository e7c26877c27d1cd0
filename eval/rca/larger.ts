/**
 * The ranking on larger systems than the packs have: beside every case stand healthy copies of its own system, whose "now"
 * is a stretch of their past, coherent over a copy. Everything that a copy shows is noise that this very system makes.
 */
import type { Samples } from '../../src/demarcate/deviation.ts';
import type { NodeEvidence } from '../../src/demarcate/fallback.ts';
import { rankNodes } from '../../src/demarcate/fallback.ts';
import { createRandom } from '../../src/stats/random.ts';
import { mapSamples } from '../samples.ts';
import { readSystem } from './labelled.ts';

const COPIES = [0, 1, 3];
const SEEDS = 4;

export function printLarger(packs: readonly string[]): void {
  console.log(
    '\nAC@1 (AC@3) beside healthy copies of the same system, which nobody calls, or whom the symptom calls, too',
  );
  for (const pack of packs) {
    const { name, cases } = readSystem(pack);
    if (cases.length === 0) continue;
    const hasSymptoms = cases.some(({ evidence }) => (evidence.symptoms ?? []).length > 0);
    for (const isCalled of hasSymptoms ? [false, true] : [false]) {
      const cells = COPIES.map((copies) => {
        const places = cases.flatMap(({ evidence, root }, k) =>
          Array.from({ length: copies === 0 ? 1 : SEEDS }, (_, seed) =>
            rankNodes(withCopies(evidence, copies, isCalled, 1_000 * k + seed)).findIndex(({ node }) => node === root),
          ),
        );
        const share = (most: number): string =>
          (places.filter((place) => place >= 0 && place < most).length / places.length).toFixed(3);
        return `${copies + 1} x: ${share(1)} (${share(3)})`;
      });
      console.log(`  ${name}${isCalled ? ', called' : ''}: ${cells.join(', ')}`);
    }
  }
}

function withCopies(evidence: NodeEvidence, copies: number, isCalled: boolean, seed: number): NodeEvidence {
  const random = createRandom(seed);
  const all = [evidence];
  for (let k = 0; k < copies; k++) {
    const at = random();
    const past = mapSamples(evidence, (samples) => healthy(samples, at));
    const named = (node: string): string => `copy-${k}.${node}`;
    const bothNamed = ([a, b]: readonly [string, string]): readonly [string, string] => [named(a), named(b)];
    const entries = isCalled
      ? evidence.calls.flatMap(([caller, callee]): (readonly [string, string])[] =>
          evidence.symptoms?.includes(caller) === true ? [[caller, named(callee)]] : [],
        )
      : [];
    all.push({
      series: past.series.map((one) => ({ ...one, node: named(one.node) })),
      edges: past.edges.map((one) => ({ ...one, caller: named(one.caller), callee: named(one.callee) })),
      calls: [...evidence.calls.map(bothNamed), ...entries],
      partOf: new Map([...evidence.partOf].map(bothNamed)),
      runsOn: new Map([...(evidence.runsOn ?? [])].map(bothNamed)),
      unobserved: new Set([...(evidence.unobserved ?? [])].map(named)),
    });
  }
  return {
    series: all.flatMap(({ series }) => series),
    edges: all.flatMap(({ edges }) => edges),
    calls: all.flatMap(({ calls }) => calls),
    partOf: new Map(all.flatMap(({ partOf }) => [...partOf])),
    runsOn: new Map(all.flatMap(({ runsOn = [] }) => [...runsOn])),
    unobserved: new Set(all.flatMap(({ unobserved = [] }) => [...unobserved])),
    symptoms: evidence.symptoms ?? [],
  };
}

/** A stretch as long as the window, from `at` (0..1) of the way through the past, and the past without it. */
function healthy({ baseline, current }: Samples, at: number): Samples {
  const length = Math.min(current.length, Math.floor(baseline.length / 3));
  const from = Math.floor(at * (baseline.length - length + 1));
  return {
    baseline: baseline.filter((_, i) => i < from || i >= from + length),
    current: baseline.slice(from, from + length),
  };
}
