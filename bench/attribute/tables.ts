/** Seeded tables with injected causes. Values follow the ripple effect: the leaves of a cause share one deviation. */
import type { LeafTable } from '../../src/attribute/index.ts';
import type { Random } from '../../src/stats/random.ts';
import { createRandom, normal, shuffled } from '../../src/stats/random.ts';

export interface Shape {
  /** Values per dimension. */
  readonly cardinality: readonly number[];
  /** Rows without any traffic, of all. */
  readonly idle: number;
  /** Terms of a cause, at most. */
  readonly depth: number;
  /** Distinct rows drawn from the cube; undefined: the whole cube. */
  readonly rows?: number;
  /** Rows in random order instead of the cube's. */
  readonly shuffle?: boolean;
}

export interface SyntheticCase {
  readonly table: LeafTable;
  /** Elements as `dim=value` joined by `&`. */
  readonly truth: ReadonlySet<string>;
}

/** Forecast error of a healthy leaf, and of a leaf of a cause around the common deviation. */
const SPREAD = 0.03;
const MEAN_VALUE = 200;

/** 1–3 causes of different leaves, of one cuboid each, drops and rises by 30–80 %. */
export function syntheticCase(shape: Shape, seed: number): SyntheticCase {
  const random = createRandom(seed);
  const { cardinality, idle, depth } = shape;
  const codes = cellsOf(shape, random);
  const rows = codes[0]!.length;
  const actual = new Float64Array(rows);
  const expected = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const busy = random() >= idle;
    const value = -MEAN_VALUE * Math.log(1 - random());
    expected[i] = busy ? value : 0;
    actual[i] = busy ? value * Math.max(0, 1 + SPREAD * normal(random)) : 0;
  }
  const truth = new Set<string>();
  const taken = new Uint8Array(rows);
  const causes = 1 + Math.floor(random() * 3);
  for (let attempt = 0; truth.size < causes && attempt < 50; attempt++) {
    const terms = 1 + Math.floor(random() * depth);
    const dimensions = shuffled([...cardinality.keys()], random).slice(0, terms);
    const wanted = dimensions.map((d) => Math.floor(random() * cardinality[d]!));
    const members: number[] = [];
    let clash = false;
    for (let i = 0; i < rows && !clash; i++) {
      if (!dimensions.every((d, k) => codes[d]![i] === wanted[k])) continue;
      clash = taken[i] === 1;
      members.push(i);
    }
    if (clash || members.length < 4) continue;
    const deviation = (random() < 0.5 ? -1 : 1) * (0.3 + 0.5 * random());
    for (const i of members) {
      taken[i] = 1;
      actual[i] = expected[i]! * Math.max(0, 1 + deviation + SPREAD * normal(random));
    }
    const names = dimensions.map((d, k) => `d${d}=v${wanted[k]}`);
    truth.add(names.sort().join('&'));
  }
  return {
    table: {
      dimensions: cardinality.map((_, d) => `d${d}`),
      values: cardinality.map((size) => Array.from({ length: size }, (_, v) => `v${v}`)),
      codes,
      actual,
      expected,
    },
    truth,
  };
}

/** Per dimension the code of every row: the cells of the cube in order, or a seeded draw of them. */
function cellsOf({ cardinality, rows, shuffle }: Shape, random: Random): Uint32Array[] {
  const cube = cardinality.reduce((product, size) => product * size, 1);
  const wanted = rows ?? cube;
  const cells = new Float64Array(wanted);
  if (rows === undefined) for (let i = 0; i < cube; i++) cells[i] = i;
  else {
    const seen = new Set<number>();
    while (seen.size < rows) seen.add(Math.floor(random() * cube));
    cells.set(Float64Array.from(seen).sort());
  }
  if (shuffle === true)
    for (let i = wanted - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [cells[i], cells[j]] = [cells[j]!, cells[i]!];
    }
  const codes = cardinality.map(() => new Uint32Array(wanted));
  for (let i = 0; i < wanted; i++) {
    let rest = cells[i]!;
    for (let d = cardinality.length - 1; d >= 0; d--) {
      const size = cardinality[d]!;
      codes[d]![i] = rest % size;
      rest = Math.floor(rest / size);
    }
  }
  return codes;
}
