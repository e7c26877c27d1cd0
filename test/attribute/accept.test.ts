/** Which found elements are taken for causes, on tables small enough to count by hand. */
import { describe, expect, it } from 'vitest';
import { accept } from '../../src/attribute/accept.ts';
import { robustGain } from '../../src/attribute/robust.ts';
import type { Found } from '../../src/attribute/scan.ts';
import type { ScanInput } from '../../src/attribute/sums.ts';

interface Element {
  readonly leaves: number;
  /** Relative deviation of each leaf, and its expected value. */
  readonly deviation: number;
  readonly level: number;
  readonly cuboid?: number;
}

const SIGMA = 0.1;

/** Disjoint elements, and healthy leaves of which so many are 6σ off. */
function table(elements: readonly Element[], wild: number): { input: ScanInput; found: Found[] } {
  const d: number[] = [];
  const f: number[] = [];
  const found = elements.map(({ leaves, deviation, level, cuboid = 0 }, element): Found => {
    const members = Int32Array.from({ length: leaves }, (_, k) => d.length + k);
    for (let k = 0; k < leaves; k++) {
      d.push(deviation);
      f.push(level);
    }
    const gain = (leaves * deviation ** 2) / SIGMA ** 2 / 2;
    const penalty = 20;
    const change = (leaves * level * -2 * deviation) / (2 + deviation);
    const [score, purity, runnerUp] = [gain - penalty, 1, undefined];
    return { cuboid, element, gain, penalty, score, purity, deviation, change, leaves, members, runnerUp };
  });
  for (let k = 0; k < 1000; k++) {
    d.push(k < wild ? 6 * SIGMA : (k % 2 === 0 ? 1 : -1) * SIGMA);
    f.push(0.001);
  }
  const w = Float64Array.from(d, () => SIGMA ** -2);
  const v = Float64Array.from(d, (deviation, i) => (f[i]! * (2 - deviation)) / (2 + deviation));
  return { input: { cuboids: [], d: Float64Array.from(d), w, v, f: Float64Array.from(f) }, found };
}

function accepted(elements: readonly Element[], wild: number): number[] {
  const { input, found } = table(elements, wild);
  const { causes, heavyTails } = accept(input, found);
  expect(heavyTails).toBe(wild > 3);
  return causes.map(({ element }) => element);
}

const cause: Element = { leaves: 20, deviation: 1, level: 100 };
/** Few leaves: beyond the normal law's price, never sure by the t law. */
const few: Element = { leaves: 4, deviation: 1, level: 500 };
const WILD = 20;

describe('where healthy leaves are wild', () => {
  const leaf: Element = { leaves: 1, deviation: 1.8, level: 800 };

  it('one leaf is not enough beside a cause, however far it is off', () => {
    expect(accepted([cause, leaf], 0)).toEqual([0, 1]);
    expect(accepted([cause, leaf], WILD)).toEqual([0]);
    expect(accepted([cause, { ...leaf, leaves: 3, level: 270 }], WILD)).toEqual([0, 1]);
  });

  it('one leaf is when it is the largest', () => {
    expect(accepted([cause, { ...leaf, level: 3000 }], WILD)).toEqual([1, 0]);
  });

  it('a twentieth of the largest is when it moved alike in the same dimensions', () => {
    const small: Element = { ...few, level: 30 };
    expect(accepted([few, small], WILD)).toEqual([0, 1]);
    expect(accepted([few, { ...small, deviation: 0.95 }], WILD)).toEqual([0, 1]);
    expect(accepted([few, { ...small, deviation: 0.85 }], WILD)).toEqual([0]);
    expect(accepted([few, { ...small, deviation: -1, level: 10 }], WILD)).toEqual([0]);
    expect(accepted([few, { ...small, cuboid: 1 }], WILD)).toEqual([0]);
    expect(accepted([few, { ...small, level: 20 }], WILD)).toEqual([0]);
  });

  it('so is one that moved otherwise when many leaves say so', () => {
    const many: Element = { leaves: 40, deviation: 0.7, level: 5, cuboid: 1 };
    expect(accepted([cause, many], WILD)).toEqual([0, 1]);
    expect(accepted([cause, { ...many, level: 3 }], WILD)).toEqual([0]);
    expect(accepted([cause, { ...many, leaves: 4, level: 50 }], WILD)).toEqual([0]);
  });

  it('one that did not move alike does not hide a smaller one that did', () => {
    const other: Element = { ...few, level: 45, deviation: 0.7 };
    expect(accepted([few, other, { ...few, level: 30 }], WILD)).toEqual([0, 2]);
  });
});

describe('robustGain', () => {
  it('grows with leaves that moved alike, hardly with one that is far off', () => {
    const gain = (leaves: number, deviation: number): number => {
      const { input, found } = table([{ leaves, deviation, level: 1 }], 0);
      return robustGain(input, found[0]!);
    };
    expect(gain(1, 0.3)).toBeCloseTo(2 * Math.log(4), 12);
    expect(gain(10, 0.3)).toBeCloseTo(20 * Math.log(4), 12);
    expect(gain(1, 1.8)).toBeLessThan(10);
    expect(gain(1, 0)).toBe(0);
  });

  it('leaves that disagree take away what the others say', () => {
    const { input, found } = table([{ leaves: 2, deviation: 0.3, level: 1 }], 0);
    input.d[0] = -0.3;
    expect(robustGain(input, found[0]!)).toBeCloseTo(2 * Math.log(12 / 39) + 2 * Math.log(4), 12);
  });
});
