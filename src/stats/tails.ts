/**
 * Tail probabilities as natural logarithms, stable far into the tail, and their equivalent in standard deviations.
 * Sources: incomplete gamma and beta by series and Lentz's continued fraction, Press et al., Numerical Recipes (3rd ed.),
 * sections 6.2 and 6.4; log-gamma by Lanczos (g = 7, n = 9, coefficients of P. Godfrey), relative error below 1e-13.
 */

const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];
const LOG_SQRT_2PI = 0.9189385332046728;
const TINY = 1e-300;
const EPSILON = 1e-15;
const MAX_TERMS = 10_000;

/** ln Γ(x) for x > 0. (simple-statistics' gammaln is good to 1e-8 only, which a difference of large terms loses.) */
export function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const y = x - 1;
  let sum = LANCZOS[0]!;
  for (let i = 1; i < LANCZOS.length; i++) sum += LANCZOS[i]! / (y + i);
  const t = y + 7.5;
  return LOG_SQRT_2PI + (y + 0.5) * Math.log(t) - t + Math.log(sum);
}

/** ln P(X >= k) for X ~ Poisson(mean). k may be fractional (counts divided by an over-dispersion). */
export function logPoissonUpper(k: number, mean: number): number {
  if (k <= 0) return 0;
  if (mean <= 0) return -Infinity;
  if (mean < k + 1) return Math.min(0, logGammaSeries(k, mean));
  return log1mExp(logGammaFraction(k, mean));
}

/** ln P(X <= k) for X ~ Poisson(mean). */
export function logPoissonLower(k: number, mean: number): number {
  if (mean <= 0) return 0;
  if (k < 0) return -Infinity;
  const a = k + 1;
  if (mean >= a + 1) return Math.min(0, logGammaFraction(a, mean));
  return log1mExp(logGammaSeries(a, mean));
}

/** ln P(X >= k) for X ~ Binomial(n, p). Arguments may be fractional (divided by an over-dispersion). */
export function logBinomialUpper(k: number, n: number, p: number): number {
  if (k <= 0) return 0;
  if (k > n) return -Infinity;
  if (p <= 0) return -Infinity;
  if (p >= 1) return 0;
  return logIncompleteBeta(k, Math.max(n - k + 1, EPSILON), p);
}

/**
 * ln P(X <= k) (`lower`) or ln P(X >= k) (`upper`) of the negative binomial with this mean and size: variance
 * mean + mean²/size. size = Infinity is Poisson.
 */
export function logNegativeBinomialLower(k: number, mean: number, size: number): number {
  if (!Number.isFinite(size)) return logPoissonLower(k, mean);
  if (k < 0) return -Infinity;
  if (mean <= 0) return 0;
  return logIncompleteBeta(size, k + 1, size / (size + mean));
}

export function logNegativeBinomialUpper(k: number, mean: number, size: number): number {
  if (!Number.isFinite(size)) return logPoissonUpper(k, mean);
  if (k <= 0) return 0;
  if (mean <= 0) return -Infinity;
  return logIncompleteBeta(k, size, mean / (size + mean));
}

/**
 * The number z with ln P(Z >= z) = logP for a standard normal Z: makes scores of different tests comparable.
 * 0 for p >= 0.5. Asymptotic start, then Newton on ln Q(z); relative error below 1e-6 for z in 0.1..1000.
 */
export function scoreOfLogP(logP: number): number {
  if (!(logP < -Math.LN2)) return 0;
  if (logP === -Infinity) return MAX_SCORE;
  let z = Math.sqrt(Math.max(-2 * logP - 2 * LOG_SQRT_2PI, 0.01));
  z = Math.sqrt(Math.max(-2 * logP - 2 * LOG_SQRT_2PI - 2 * Math.log(Math.max(z, 1)), 0.0025));
  for (let i = 0; i < 6; i++) {
    const logQ = logNormalUpper(z);
    const hazard = Math.exp(-0.5 * z * z - LOG_SQRT_2PI - logQ);
    const step = (logQ - logP) / hazard;
    z += step;
    if (z < 0) z = 0;
    if (Math.abs(step) < 1e-9) break;
  }
  return Math.min(z, MAX_SCORE);
}

/** Scores stop here: beyond it every change is certain and sums of squares stay finite. */
export const MAX_SCORE = 1_000;

/** ln P(Z >= z), z >= 0: Laplace's continued fraction (Abramowitz and Stegun 26.2.14), series 26.2.10 near 0. */
export function logNormalUpper(z: number): number {
  if (z < 2) {
    let term = z;
    let sum = z;
    for (let i = 1; i < 80; i++) {
      term *= (z * z) / (2 * i + 1);
      sum += term;
      if (term < EPSILON * sum) break;
    }
    return Math.log(0.5 - sum * Math.exp(-0.5 * z * z - LOG_SQRT_2PI));
  }
  let fraction = z;
  for (let i = 60; i >= 1; i--) fraction = z + i / fraction;
  return -0.5 * z * z - LOG_SQRT_2PI - Math.log(fraction);
}

function logGammaSeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let n = 1; n < MAX_TERMS; n++) {
    term *= x / (a + n);
    sum += term;
    if (term < sum * EPSILON) break;
  }
  return Math.log(sum) + a * Math.log(x) - x - logGamma(a);
}

function logGammaFraction(a: number, x: number): number {
  let b = x + 1 - a;
  let c = 1 / TINY;
  let d = 1 / b;
  let h = d;
  for (let i = 1; i < MAX_TERMS; i++) {
    const an = -i * (i - a);
    b += 2;
    d = 1 / nonZero(an * d + b);
    c = nonZero(b + an / c);
    const step = d * c;
    h *= step;
    if (Math.abs(step - 1) < EPSILON) break;
  }
  return Math.log(h) + a * Math.log(x) - x - logGamma(a);
}

/** ln I_x(a, b), the regularised incomplete beta function. */
function logIncompleteBeta(a: number, b: number, x: number): number {
  if (x <= 0) return -Infinity;
  if (x >= 1) return 0;
  const front = logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x);
  if (x < (a + 1) / (a + b + 2)) return Math.min(0, front + Math.log(betaFraction(a, b, x)) - Math.log(a));
  return log1mExp(Math.min(0, front + Math.log(betaFraction(b, a, 1 - x)) - Math.log(b)));
}

function betaFraction(a: number, b: number, x: number): number {
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1));
  let h = d;
  for (let m = 1; m < MAX_TERMS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d);
    c = nonZero(1 + even / c);
    h *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonZero(1 + odd * d);
    c = nonZero(1 + odd / c);
    const step = d * c;
    h *= step;
    if (Math.abs(step - 1) < EPSILON) break;
  }
  return h;
}

function nonZero(x: number): number {
  return Math.abs(x) < TINY ? TINY : x;
}

/** ln(1 - e^x) for x <= 0. */
function log1mExp(x: number): number {
  if (x >= 0) return -Infinity;
  return x > -Math.LN2 ? Math.log(-Math.expm1(x)) : Math.log1p(-Math.exp(x));
}
