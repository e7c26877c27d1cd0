/** Attribution in words, for reports and the command line. */
import { sharePercent } from './format.ts';

const VERDICTS: Readonly<Record<string, string>> = {
  elements: 'the change sits on these elements',
  'mix-shift': 'calls moved between values, or come from new ones',
  global: 'global: every value moved alike',
  external: 'external: no value or combination of values accounts for the change',
  'no-change': 'no change beyond chance',
};

/** @param mixShare of a ratio or mean the share of its change that calls between values make; the rest changed by itself */
export function attributionVerdictWords(verdict: string, mixShare?: number | null): string {
  const words = VERDICTS[verdict] ?? verdict;
  if (verdict !== 'mix-shift' || mixShare === undefined || mixShare === null) return words;
  return `${words}: ${sharePercent(mixShare)} of the change; the values themselves: ${sharePercent(1 - mixShare)}`;
}

/** Now against expected, from the relative deviation 2(expected − actual)/(expected + actual): ×3.2, new, gone. */
export function deviationWords(deviation: number): string {
  if (!Number.isFinite(deviation)) return 'unknown';
  if (deviation <= -2) return 'new';
  if (deviation >= 2) return 'gone';
  return `×${((2 - deviation) / (2 + deviation)).toPrecision(3)}`;
}
