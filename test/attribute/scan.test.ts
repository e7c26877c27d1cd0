/**
 * The scan rolls up what its bound needs, the rest on demand, and judges few elements. Here it is compared, to
 * the last bit, with one that rolls up every sum at once, takes leaves out of every sum and looks at every element.
 */
import { describe, expect, it } from 'vitest';
import { prepare } from '../../src/attribute/attribute.ts';
import { canonical } from '../../src/attribute/canonical.ts';
import type { LeafTable } from '../../src/attribute/index.ts';
import type { Cuboid } from '../../src/attribute/lattice.ts';
import { bits, buildLattice, firstLeaf } from '../../src/attribute/lattice.ts';
import { MAX_ELEMENTS, penaltyOf, scan } from '../../src/attribute/scan.ts';
import type { ScanInput } from '../../src/attribute/sums.ts';
import { createRandom, poisson } from '../../src/stats/random.ts';
import { cube } from './cube.ts';

/** A = Σwd², B = Σwd, C = Σw, n, E = Σmd², F = Σmd, M = Σm, Δ = Σ(v−f). */
const WIDTH = 8;

interface Judged {
  readonly cuboid: number;
  readonly element: number;
  readonly score: number;
  readonly gain: number;
  readonly purity: number;
  readonly deviation: number;
  readonly change: number;
  readonly leaves: number;
}

function leafSums({ d, w, v, f }: ScanInput): number[][] {
  return [...d.keys()].map((i) => {
    const [x, weight, m] = [d[i]!, w[i]!, (v[i]! + f[i]!) / 2];
    return weight === 0
      ? Array<number>(WIDTH).fill(0)
      : [weight * x * x, weight * x, weight, 1, m * x * x, m * x, m, v[i]! - f[i]!];
  });
}

function judgeAll(sums: readonly number[], cuboid: number, element: number, penalty: number): Judged {
  const [A = 0, B = 0, C = 0, n = 0, E = 0, F = 0, M = 0, change = 0] = sums;
  const z2 = (B * B) / C;
  const unexplained = Math.max(0, (A - z2 - (n - 1)) / 2);
  const byWeight = (z2 - 0.5) / Math.max(A - 0.8 * n, 1e-9);
  const byVolume = E > 0 ? Math.min(1, (F * F) / M / E) : 0;
  const purity = Math.min(1, Math.max(byWeight, byVolume));
  const score = (z2 / 2 - 0.1 * unexplained) * byVolume - penalty;
  return { cuboid, element, score, gain: z2 / 2, purity, deviation: B / C, change, leaves: n };
}

const same = (a: Judged, b: Judged): boolean =>
  a.leaves === b.leaves && Math.abs(a.change - b.change) <= 1e-9 * Math.abs(a.change);

function plainScan(input: ScanInput): { found: Judged; members: number[]; runnerUp: Judged | undefined }[] {
  const { cuboids } = input;
  const leaves = leafSums(input);
  const above: number[][] = cuboids.map(() => []);
  const sums: number[][][] = [];
  for (const [c, { parent, map, size }] of cuboids.entries()) {
    const own = Array.from({ length: size }, () => Array<number>(WIDTH).fill(0));
    (parent < 0 ? leaves : sums[parent]!).forEach((from, k) => {
      const to = own[map === undefined ? k : map[k]!]!;
      for (let s = 0; s < WIDTH; s++) to[s] = to[s]! + from[s]!;
    });
    sums.push(own);
    above[c] = leaves.map((_, i) => {
      const e = parent < 0 ? i : above[parent]![i]!;
      return map === undefined ? e : map[e]!;
    });
  }
  const out = [];
  while (out.length < MAX_ELEMENTS) {
    let best: Judged | undefined;
    let second: Judged | undefined;
    cuboids.forEach((cuboid, c) => {
      sums[c]!.forEach((own, e) => {
        if (own[3] === 0) return;
        const one = judgeAll(own, c, e, penaltyOf(cuboid, cuboids.length));
        if (!(one.score > (second?.score ?? 0)) || Math.abs(one.deviation) < 0.1 || one.purity < 0.8) return;
        if (best === undefined || one.score > best.score) {
          if (best !== undefined && !same(best, one)) second = best;
          best = one;
        } else if (!same(best, one)) second = one;
      });
    });
    if (best === undefined) break;
    const found = shortest(cuboids, sums, above, best);
    const members = [...leaves.keys()].filter((i) => above[found.cuboid]![i] === found.element && leaves[i]![3]! > 0);
    out.push({ found, members, runnerUp: second !== undefined && !same(best, second) ? second : undefined });
    for (const i of members) {
      cuboids.forEach((_, c) => {
        const own = sums[c]![above[c]![i]!]!;
        for (let s = 0; s < WIDTH; s++) own[s] = own[s]! - leaves[i]![s]!;
      });
      leaves[i] = Array<number>(WIDTH).fill(0);
    }
  }
  return out;
}

function shortest(
  cuboids: readonly Cuboid[],
  sums: readonly number[][][],
  above: readonly number[][],
  best: Judged,
): Judged {
  const { mask } = cuboids[best.cuboid]!;
  for (let c = cuboids.length - 1; c >= 0; c--) {
    const other = cuboids[c]!.mask;
    if (bits(other) >= bits(mask)) return best;
    if ((other & mask) !== other) continue;
    const element = above[c]![firstLeaf(cuboids[best.cuboid]!, best.element)]!;
    if (sums[c]![element]![3] === best.leaves) return { ...best, cuboid: c, element };
  }
  return best;
}

const pick = (one: Judged | undefined): Judged | undefined =>
  one && {
    cuboid: one.cuboid,
    element: one.element,
    score: one.score,
    gain: one.gain,
    purity: one.purity,
    deviation: one.deviation,
    change: one.change,
    leaves: one.leaves,
  };

function expectSame(table: LeafTable): number {
  const { input, table: prepared } = prepare(canonical(table), 'count', undefined);
  const plain = plainScan(input);
  const { found } = scan(input, prepared.codes);
  expect(found.map((one) => ({ found: pick(one), members: [...one.members], runnerUp: pick(one.runnerUp) }))).toEqual(
    plain,
  );
  return found.length;
}

describe('the scan is the plain one, to the bit', () => {
  it('causes at several depths', () => {
    let rounds = 0;
    for (let seed = 1; seed <= 12; seed++)
      for (const counts of [false, true])
        rounds += expectSame(
          cube({
            seed,
            counts,
            shape: [5, 6, 4, 3],
            meanLevel: 40 * seed,
            sigma: 0.02 * (seed % 5),
            causes: [
              { element: 'a=a2', factor: 0.5 },
              { element: 'b=b3&c=c1', factor: 2 },
              { element: 'a=a1&b=b1&d=d2', factor: 0.2 },
              { element: 'c=c2&d=d3', factor: 1.6 },
            ],
          }),
        );
    expect(rounds).toBeGreaterThan(60);
  });

  it('ties, dimensions that follow from others, sparse and tiny tables', () => {
    let rounds = 0;
    for (let seed = 1; seed <= 150; seed++) {
      const random = createRandom(seed);
      const rows = 5 + Math.floor(random() * 60);
      const host = Uint32Array.from({ length: rows }, () => Math.floor(random() * 6));
      const expected = Float64Array.from({ length: rows }, () => 20 * Math.floor(1 + random() * 3));
      rounds += expectSame({
        dimensions: ['host', 'path', 'zone'],
        values: [6, 9, 2].map((size) => Array.from({ length: size }, (_, k) => `v${k}`)),
        codes: [host, Uint32Array.from({ length: rows }, () => Math.floor(random() * 9)), host.map((h) => h % 2)],
        expected,
        actual: expected.map((x, i) => (host[i]! < 2 ? 0 : host[i] === 3 ? 4 * x : seed % 2 ? x : poisson(random, x))),
      });
    }
    expect(rounds).toBeGreaterThan(200);
  });

  it('more leaves than a block', () => {
    const causes = [
      { element: 'b=b3', factor: 0.6 },
      { element: 'a=a2&c=c5', factor: 2 },
      { element: 'a=a7&b=b9', factor: 0.3 },
    ];
    expect(expectSame(cube({ shape: [20, 18, 16], causes }))).toBeGreaterThan(2);
  });

  it('seven dimensions: cuboids that roll up from the leaves', () => {
    const random = createRandom(4);
    const codes = Array.from({ length: 7 }, () => Uint32Array.from({ length: 300 }, () => Math.floor(random() * 3)));
    const expected = Float64Array.from({ length: 300 }, () => 100 + 100 * random());
    const rounds = expectSame({
      dimensions: codes.map((_, d) => `d${d}`),
      values: codes.map(() => ['x', 'y', 'z']),
      codes,
      expected,
      actual: expected.map((x, i) => x * (codes[2]![i] === 1 ? 0.4 : 1 + 0.04 * (random() - 0.5))),
    });
    expect(rounds).toBeGreaterThan(0);
  });
});

it('elements are numbered by their first leaf, whether by a table, a hash or wide keys', () => {
  for (const cardinality of [
    [4, 3, 5],
    [400, 300, 500],
    [4000, 3000, 5000],
    [2 ** 20, 2 ** 20, 7],
  ]) {
    const random = createRandom(9);
    const rows = 200;
    const codes = cardinality.map((size) =>
      Uint32Array.from({ length: rows }, () => Math.floor((size / 4) * Math.floor(random() * 4))),
    );
    for (const { dimensions, size, example, parent, map, mask } of buildLattice(codes, cardinality, rows, 2)) {
      expect(parent < 0 ? dimensions.length : bits(mask)).toBeLessThanOrEqual(2);
      if (parent >= 0) continue;
      const seen = new Map<string, number>();
      const expected = [...Array(rows).keys()].map((i) => {
        const key = dimensions.map((d) => codes[d]![i]).join();
        if (!seen.has(key)) seen.set(key, seen.size);
        return seen.get(key);
      });
      expect([...map!]).toEqual(expected);
      expect(size).toBe(seen.size);
      expect([...example!]).toEqual([...Array(size).keys()].map((e) => expected.indexOf(e)));
    }
  }
});
