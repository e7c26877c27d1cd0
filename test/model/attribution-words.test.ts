import { describe, expect, it } from 'vitest';
import { VERDICTS } from '../../src/attribute/types.ts';
import { attributionVerdictWords, deviationWords } from '../../src/model/attribution-words.ts';

describe('attribution in words', () => {
  it.each([
    [-2, 'new'],
    [2, 'gone'],
    [0, '×1.00'],
    [-1, '×3.00'],
    [1, '×0.333'],
    [Number.NaN, 'unknown'],
  ])('deviation %d is %s', (deviation, words) => {
    expect(deviationWords(deviation)).toBe(words);
  });

  it('has words for every verdict', () => {
    for (const verdict of VERDICTS) expect(attributionVerdictWords(verdict)).toMatch(/ /);
  });

  it('a shift of calls says how much of the change is no shift', () => {
    const moved = 'calls moved between values, or come from new ones';
    expect(attributionVerdictWords('mix-shift', 0.76)).toBe(
      `${moved}: 76 % of the change; the values themselves: 24 %`,
    );
    expect(attributionVerdictWords('mix-shift')).toBe(moved);
    expect(attributionVerdictWords('global', 0.76)).toBe('global: every value moved alike');
  });
});
