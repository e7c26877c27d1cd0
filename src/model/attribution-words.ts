/** Attribution in words, for reports and the command line. */

const VERDICTS: Readonly<Record<string, string>> = {
  elements: 'the change sits on these elements',
  'mix-shift': 'calls moved between values; each value by itself is as before',
  global: 'global: every value moved alike',
  external: 'external: what moved is in no recorded dimension',
  'no-change': 'no change beyond chance',
};

export function attributionVerdictWords(verdict: string): string {
  return VERDICTS[verdict] ?? verdict;
}

/** Now against expected, from the relative deviation 2(expected − actual)/(expected + actual): ×3.2, new, gone. */
export function deviationWords(deviation: number): string {
  if (!Number.isFinite(deviation)) return 'unknown';
  if (deviation <= -2) return 'new';
  if (deviation >= 2) return 'gone';
  return `×${((2 - deviation) / (2 + deviation)).toPrecision(3)}`;
}
