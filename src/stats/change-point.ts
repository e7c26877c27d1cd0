/** When did it change: least squares over a stored stretch. */

/**
 * The split that best separates a stretch into two levels: index of the first value after the change and the drop in the
 * sum of squares, as a share; index -1 when fewer than 2 finite values. NaN values are skipped. Cost: O(n).
 */
export function changePoint(values: ArrayLike<number>): { readonly index: number; readonly gain: number } {
  let total = 0;
  let squares = 0;
  let n = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isFinite(value)) continue;
    total += value;
    squares += value * value;
    n++;
  }
  if (n < 2) return { index: -1, gain: 0 };
  const around = squares - (total * total) / n;
  let best = -1;
  let bestBetween = 0;
  let left = 0;
  let k = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isFinite(value)) continue;
    if (k > 0) {
      const difference = left / k - (total - left) / (n - k);
      const between = ((k * (n - k)) / n) * difference * difference;
      if (between > bestBetween) {
        bestBetween = between;
        best = i;
      }
    }
    left += value;
    k++;
  }
  return { index: best, gain: around > 0 ? bestBetween / around : 0 };
}
