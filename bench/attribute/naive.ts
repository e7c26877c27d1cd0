/**
 * The straightforward scan, to compare with: layer by layer, each cuboid aggregated from the rows into a Map with string
 * keys, the likelihood gain of every element, the best of all removed, up to three times. It does less than
 * `attribute`: a fixed noise model, no drill-down, no verdict, no test of what it found.
 */
import type { LeafTable } from '../../src/attribute/index.ts';

interface Element {
  B: number;
  C: number;
  n: number;
}

const MAX_CAUSES = 3;
/** Variance of a relative deviation: a forecast good to 5 %, counts 1.15 times Poisson; and nats per term. */
const SIGMA2 = 0.0025;
const DISPERSION = 1.15;
const TERM_COST = 4;

/** @returns elements as `dim=value` joined by `&`, best first. Cost: O(causes · 2^D · rows). */
export function naive({ dimensions, values, codes, actual, expected }: LeafTable): string[] {
  const rows = [...actual.keys()].filter((i) => actual[i]! + expected[i]! > 0);
  const d = rows.map((i) => (2 * (expected[i]! - actual[i]!)) / (expected[i]! + actual[i]!));
  const w = rows.map((i) => 1 / (SIGMA2 + (2 * DISPERSION) / (actual[i]! + expected[i]!)));
  const active = rows.map(() => true);
  const cuboids = subsets(dimensions.length);
  const keyOf = (cuboid: readonly number[], i: number): string => {
    let key = '';
    for (const k of cuboid) key += `${k > cuboid[0]! ? '&' : ''}${dimensions[k]}=${values[k]![codes[k]![i]!]}`;
    return key;
  };
  const found: string[] = [];
  while (found.length < MAX_CAUSES) {
    let best: { key: string; cuboid: readonly number[]; score: number } | undefined;
    for (const cuboid of cuboids) {
      const elements = new Map<string, Element>();
      for (let r = 0; r < rows.length; r++) {
        if (!active[r]) continue;
        const key = keyOf(cuboid, rows[r]!);
        let element = elements.get(key);
        if (element === undefined) {
          element = { B: 0, C: 0, n: 0 };
          elements.set(key, element);
        }
        element.B += w[r]! * d[r]!;
        element.C += w[r]!;
        element.n++;
      }
      const penalty = Math.log(elements.size) + Math.log(cuboids.length) + TERM_COST * cuboid.length;
      for (const [key, { B, C }] of elements) {
        const score = (B * B) / C / 2 - penalty;
        if (score > (best?.score ?? 0)) best = { key, cuboid, score };
      }
    }
    if (best === undefined) break;
    found.push(best.key);
    for (let r = 0; r < rows.length; r++) if (keyOf(best.cuboid, rows[r]!) === best.key) active[r] = false;
  }
  return found;
}

/** Every set of dimensions, fewest first. */
function subsets(dimensions: number): number[][] {
  const all: number[][] = [];
  for (let mask = 1; mask < 1 << dimensions; mask++)
    all.push([...Array(dimensions).keys()].filter((d) => mask & (1 << d)));
  return all.sort((a, b) => a.length - b.length);
}
