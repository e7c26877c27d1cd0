/**
 * How many abnormal windows are more than chance, of a series that is abnormal now and then while all is well: a process
 * that stops to collect garbage, a cache that expires. Two of three windows are rare when one of a thousand is abnormal,
 * and come all the time when one of ten is.
 */

/** Chance that windows of a healthy series, abnormal independently of each other, raise an alarm at a given window. */
const ALPHA = 1e-6;
/** Of 31 windows: history is 32 bits. */
const MOST = 27;

/** Windows of which `k` must be abnormal: one more may be calm, of many a few more. */
function ofWindows(k: number): number {
  return k + 1 + (k >> 3);
}

/** Largest share of abnormal windows at which `k` of `ofWindows(k)` are still beyond chance, by k. */
const LARGEST_SHARE: readonly number[] = Array.from({ length: MOST + 1 }, (_, k) =>
  k === 0 ? 0 : (ALPHA / choose(ofWindows(k), k)) ** (1 / k),
);

function choose(n: number, k: number): number {
  let ways = 1;
  for (let i = 1; i <= n - k; i++) ways *= (k + i) / i;
  return ways;
}

/**
 * @param share of the series' windows that are abnormal while nothing is wrong, 0 to 1
 * @returns how many abnormal windows raise an alarm, `least` or more, and out of how many
 */
export function windowsNeeded(share: number, least: number, leastOf: number): { readonly open: number; of: number } {
  if (share <= LARGEST_SHARE[least]!) return { open: least, of: leastOf };
  let open = least + 1;
  while (open < MOST && share > LARGEST_SHARE[open]!) open++;
  return { open, of: ofWindows(open) };
}

/** Windows behind which a share is remembered, and windows without any that every series is taken to have had before. */
const REMEMBERED = 720;
const CALM_BEFORE = 40;

/** The share after one more window, of which `seen` came before. */
export function shareAfter(share: number, seen: number, isAbnormal: boolean): number {
  return share + (Number(isAbnormal) - share) / (Math.min(seen, REMEMBERED) + CALM_BEFORE + 1);
}
