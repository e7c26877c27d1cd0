import { describe, expect, it } from 'vitest';
import { FACTS } from '../../src/classify/index.ts';
import { factWords, valueWords } from '../../src/model/fact-words.ts';
import { LEDGER_TERMS } from '../../src/model/walk.ts';

describe('facts in words', () => {
  it('has words for every ledger term but the rest', () => {
    for (const term of LEDGER_TERMS.filter((one) => one !== 'unexplained'))
      expect(valueWords('suspect.term', term), term).toMatch(/^[a-z ]+$/);
    expect(valueWords('suspect.kind', 'edge')).toBeUndefined();
    expect(valueWords('suspect.contribution', 0.4)).toBeUndefined();
  });

  it('shows no name of a fact', () => {
    for (const { name } of FACTS) expect(factWords(name), name).not.toMatch(/[._]/);
  });
});
