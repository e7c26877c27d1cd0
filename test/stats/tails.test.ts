/**
 * Known answers: exact rational arithmetic (Python fractions, decimal with 60 digits) and math.erfc / math.lgamma of
 * CPython 3.11.
 */
import { describe, expect, it } from 'vitest';
import {
  logBinomialUpper,
  logGamma,
  logNegativeBinomialLower,
  logNegativeBinomialUpper,
  logNormalUpper,
  logPoissonLower,
  logPoissonUpper,
  scoreOfLogP,
} from '../../src/stats/tails.ts';

describe('tail probabilities', () => {
  it.each([
    [0.1, 2.2527126517342055],
    [1.5, -0.12078223763524543],
    [10, 12.801827480081467],
    [1000.5, 5908.674175848678],
  ])('ln gamma(%d)', (x, expected) => expect(logGamma(x)).toBeCloseTo(expected, 9));

  it.each([
    [5, 100, 0.01, -5.674518399020573],
    [60, 1000, 0.01, -61.55795367421431],
    [3, 10, 0.5, -0.05623971832287608],
  ])('binomial P(X >= %d), n %d, p %d', (k, n, p, expected) =>
    expect(logBinomialUpper(k, n, p)).toBeCloseTo(expected, 8),
  );

  it('Poisson, both sides', () => {
    expect(logPoissonLower(10, 50)).toBeCloseTo(-25.76691727710768, 9);
    expect(logPoissonLower(3, 2)).toBeCloseTo(-0.15417330950167, 9);
    expect(logPoissonUpper(30, 10)).toBeCloseTo(-15.19783233962594, 9);
    expect(logPoissonUpper(3, 5)).toBeCloseTo(-0.133133779663698, 9);
  });

  it('negative binomial with mean 100 and size 20, both sides', () => {
    expect(logNegativeBinomialLower(30, 100, 20)).toBeCloseTo(-9.49553684155233, 8);
    expect(logNegativeBinomialUpper(250, 100, 20)).toBeCloseTo(-12.85810798509038, 8);
    expect(logNegativeBinomialLower(10, 50, Infinity)).toBe(logPoissonLower(10, 50));
  });

  it.each([
    [0.5, -1.1759117615936188],
    [1, -1.8410216450092634],
    [3, -6.607726221510348],
    [5, -15.064998393988724],
    [10, -53.23128515051246],
  ])('normal tail and its inverse at %d', (z, logQ) => {
    expect(logNormalUpper(z)).toBeCloseTo(logQ, 9);
    expect(scoreOfLogP(logQ)).toBeCloseTo(z, 6);
  });

  it('says 0 for what is not unusual and stays finite for what is impossible', () => {
    expect(scoreOfLogP(Math.log(0.7))).toBe(0);
    expect(scoreOfLogP(-Infinity)).toBe(1_000);
    expect(logBinomialUpper(1, 3, 0.001)).toBeGreaterThan(Math.log(0.002));
  });
});
