/** Which walk stands for an incident when its first windows can no longer be told apart. */
import { describe, expect, it } from 'vitest';
import type { Walked } from '../../src/engine/evidence.ts';
import { walkThrough } from '../../src/engine/evidence.ts';
import { draw } from '../demarcate/draw.ts';

const comparison = draw({ graph: 'web -> api -> db', self: { db: [1_000, 51_000] } });
const walked = walkThrough({ comparison, later: [], isFolded: false });

describe('what was found while single windows were kept', () => {
  const kept: Walked = { ...walked, walk: { ...walked.walk, notes: ['kept'] }, leftOutFromMs: 1 };

  it('stays when they are folded into minutes, if something began later', () => {
    expect(walkThrough({ comparison, later: [], isFolded: true }, kept)).toBe(kept);
  });

  it('is made anew as long as they are there, and where nothing began later', () => {
    expect(walkThrough({ comparison, later: [], isFolded: false }, kept)).toEqual(walked);
    const { leftOutFromMs: _, ...plain } = kept;
    expect(walkThrough({ comparison, later: [], isFolded: true }, plain)).toEqual(walked);
    expect(walkThrough({ comparison, later: [], isFolded: true })).toEqual(walked);
  });

  it('leaves windows out where other services got into trouble, whatever is found there', () => {
    expect(walkThrough({ comparison, leftOutFromMs: 7, later: [], isFolded: false })).toEqual({
      ...walked,
      leftOutFromMs: 7,
    });
  });
});
