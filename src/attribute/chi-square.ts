/**
 * Upper tail of the chi-square distribution by the Wilson-Hilferty cube-root normal approximation.
 * Relative error below 1 % around the usual levels for >= 3 degrees of freedom. Source: Wilson & Hilferty 1931.
 * @param x   statistic, >= 0
 * @param df  degrees of freedom, >= 1
 */
export function chiSquareTail(x: number, df: number): number {
  if (x <= 0) return 1;
  const z = ((x / df) ** (1 / 3) - (1 - 2 / (9 * df))) / Math.sqrt(2 / (9 * df));
  return normalTail(z);
}

/** Source: Abramowitz & Stegun 7.1.26; absolute error below 1.5e-7. */
function normalTail(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const erfc =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) *
    Math.exp(-x * x);
  return z >= 0 ? erfc / 2 : 1 - erfc / 2;
}
