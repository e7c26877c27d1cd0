import { describe, expect, it } from 'vitest';
import { DailyRange } from '../../src/detect/daily-range.ts';
import { Expectation } from '../../src/detect/expectation.ts';
import { RecentMedian } from '../../src/detect/recent-median.ts';
import { Unrest } from '../../src/detect/unrest.ts';
import { createRandom } from '../../src/stats/random.ts';

describe('recent median', () => {
  it('is that of what is known, then of the last points only', () => {
    const median = new RecentMedian(3);
    const seen = [5, 1, 9, 2, 2].map((value) => {
      median.push(value);
      return [median.known, median.value];
    });
    expect(seen).toEqual([
      [1, 5],
      [2, 3],
      [3, 5],
      [3, 2],
      [3, 2],
    ]);
  });
});

describe('recent median of many', () => {
  it('is what sorting the last points gives', () => {
    const random = createRandom(5);
    const median = new RecentMedian(15);
    const all: number[] = [];
    for (let i = 0; i < 500; i++) {
      all.push(Math.floor(20 * random()) - 10);
      median.push(all.at(-1)!);
      const last = all.slice(-15).sort((a, b) => a - b);
      const half = last.length / 2;
      expect(median.value).toBe((last[Math.ceil(half) - 1]! + last[Math.floor(half)]!) / 2);
    }
  });
});

describe('expectation', () => {
  it('is the season until ten points are known, then the mean of three forecasts', () => {
    const expectation = new Expectation();
    for (let i = 0; i < 9; i++) expectation.push(30, 20);
    expect(expectation.at(20)).toBe(20);
    for (let i = 0; i < 6; i++) expectation.push(30, 20);
    // Both levels are 10 above the season, the last minutes are 30 whatever the season says.
    expect(expectation.at(20)).toBe(30);
    expect(expectation.at(50)).toBe((60 + 60 + 30) / 3);
    // Three points of 60: the five-point level has moved to 40 above the season, the others have not.
    for (let i = 0; i < 3; i++) expectation.push(60, 20);
    expect(expectation.at(20)).toBe((30 + 60 + 30) / 3);
  });
});

describe('daily range', () => {
  it('is the mean of the last whole days, and unknown before the first or when nothing moved', () => {
    const range = new DailyRange(4, 2);
    const day = (...values: number[]) => {
      for (const value of values) range.push(value);
      return range.shareOf(-10);
    };
    expect(day(5, 5, 5, 5)).toBeNaN();
    expect(day(0, 10, 100)).toBeNaN();
    expect(day(50)).toBe(10 / 50);
    expect(day(0, 20, 0, 0)).toBe(10 / 60);
    expect(day(3, 3, 3, 3)).toBe(10 / 10);
  });
});

describe('unrest', () => {
  const feed = (unrest: Unrest, steps: number, size: number) => {
    let last = 1;
    for (let i = 0; i < steps; i++) last = unrest.push(i % 2 === 0 ? 0 : size);
    return last;
  };

  it('is 1 in a steady curve and in a calm, more in a storm, and again 1 after it', () => {
    const unrest = new Unrest(10_000);
    expect(feed(unrest, 2_000, 1)).toBeCloseTo(1, 1);
    const storm = feed(unrest, 60, 8);
    expect(storm).toBeGreaterThan(4);
    expect(storm).toBeLessThanOrEqual(8);
    expect(feed(unrest, 200, 1)).toBe(1);
    expect(feed(unrest, 200, 0.1)).toBe(1);
  });

  it('does not take the week for restless after an outage of fifty points', () => {
    const unrest = new Unrest(10_000);
    feed(unrest, 2_000, 1);
    feed(unrest, 50, 200);
    feed(unrest, 500, 1);
    expect(feed(unrest, 60, 8)).toBeGreaterThan(4);
  });

  it('does not go deaf when a curve wakes up after days of zeros', () => {
    const unrest = new Unrest(10_080);
    for (let i = 0; i < 4_320; i++) unrest.push(0);
    // Ten hours later the clipped mean alone would still be next to nothing, and unrest a billion.
    expect(feed(unrest, 600, 5)).toBeLessThan(100);
  });
});
