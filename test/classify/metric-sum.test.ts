import { describe, expect, it } from 'vitest';
import { pairOf, sumOf, sumOfMap, totalRiseSigma } from '../../src/classify/metric-sum.ts';
import { pair } from './fixtures.ts';

describe('a sum over rows', () => {
  it('counts each for the part of the windows that it was there: one instance ended, another began', () => {
    const old = [pair('segmentsOut', 100, 100, { baselineWindows: 60, currentWindows: 2 })];
    const fresh = [pair('segmentsOut', Number.NaN, 100, { baselineWindows: 0, currentWindows: 20 })];
    expect(sumOf([old, fresh], 'segmentsOut')).toMatchObject({ baseline: 100, current: 110 });
  });

  it('of drops as well, and what nobody has stays unknown', () => {
    const brief = [pair('drops.NO_SOCKET', 0, 6, { currentWindows: 1 })];
    const long = [pair('drops.NO_SOCKET', 0, 1, { currentWindows: 6 })];
    expect(sumOfMap([brief, long], 'drops', 'NO_SOCKET', true).current).toBeCloseTo(2, 9);
    expect(sumOf([brief], 'segmentsOut').current).toBeNull();
  });
});

describe('a rise over all windows', () => {
  it('of a long incident says less where its baseline was short', () => {
    const rare = pairOf(pair('retransmits', 1 / 30, 0.1, { baselineSpread: 0 }));
    expect(totalRiseSigma(rare, 480, 4_800)).toBeGreaterThan(5);
    expect(totalRiseSigma(rare, 480, 30)).toBeLessThan(2);
    expect(totalRiseSigma(rare, 480, 0)).toBeNull();
  });

  it('needs as many counts as ever where the baseline had none', () => {
    const none = pairOf(pair('retransmits', 0, 0.25, { baselineSpread: 0 }));
    expect(totalRiseSigma(none, 16, 60)).toBeCloseTo(2 * (Math.sqrt(4 + 3 / 8) - Math.sqrt(3 / 8)), 9);
  });
});
