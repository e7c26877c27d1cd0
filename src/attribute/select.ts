/** The k-th smallest of a range of an array. */

/**
 * Quickselect with the median of three (Hoare 1961; Sedgewick 1978), which reorders the range.
 * @param values finite numbers in [from, to)
 * @param rank   0: the smallest; from + rank < to
 * Cost: O(to − from) expected.
 */
export function select(values: Float64Array, from: number, to: number, rank: number): number {
  const k = from + rank;
  let low = from;
  let high = to - 1;
  while (low < high) {
    const pivot = middle(values[low]!, values[(low + high) >>> 1]!, values[high]!);
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i]! < pivot) i++;
      while (values[j]! > pivot) j--;
      if (i > j) break;
      const swapped = values[i]!;
      values[i] = values[j]!;
      values[j] = swapped;
      i++;
      j--;
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else break;
  }
  return values[k]!;
}

function middle(a: number, b: number, c: number): number {
  return a < b ? (b < c ? b : a < c ? c : a) : a < c ? a : b < c ? c : b;
}
