/** What the first round of the scan saw: the best elements of every cuboid, and why each is not the answer. */

import { prepare } from './attribute.ts';
import type { Candidate } from './candidate.ts';
import { judgeElement, rejection } from './candidate.ts';
import { canonical } from './canonical.ts';
import { termsOf } from './judge.ts';
import type { Noise } from './noise.ts';
import { guessMeasure } from './normalise.ts';
import { penaltyOf } from './scan.ts';
import { Sums } from './sums.ts';
import type { ElementTerm, LeafTable, Measure } from './types.ts';

export interface ExplainedElement extends Omit<Candidate, 'cuboid' | 'element'> {
  readonly terms: readonly ElementTerm[];
  /** Why it cannot be a cause at all; undefined: it can, and only its score decides. */
  readonly rejected?: string;
}

export interface Explanation {
  readonly measure: Measure;
  readonly noise: Noise;
  readonly leaves: number;
  readonly cuboids: readonly {
    readonly dimensions: readonly string[];
    readonly elements: number;
    readonly top: readonly ExplainedElement[];
  }[];
}

/** @param top elements per cuboid, best score first. Cost: that of one round of the scan. */
export function explain(whole: LeafTable, measure: Measure | undefined = undefined, top = 3): Explanation {
  const kind = measure ?? guessMeasure(whole);
  const { table, input, noise } = prepare(canonical(whole), kind, undefined);
  const { cuboids } = input;
  const sums = new Sums(input);
  return {
    measure: kind,
    noise,
    leaves: input.d.length,
    cuboids: cuboids
      .map((cuboid, c) => {
        const penalty = penaltyOf(cuboid, cuboids.length);
        const elements: Candidate[] = [];
        for (let e = 0; e < cuboid.size; e++) {
          if (sums.leaves(c, e) > 0) elements.push(judgeElement(sums, c, e, penalty));
        }
        elements.sort((a, b) => b.score - a.score || a.element - b.element);
        return {
          dimensions: cuboid.dimensions.map((d) => table.dimensions[d]!),
          elements: elements.length,
          top: elements.slice(0, top).map((one) => explained(termsOf(table, cuboids, one), one)),
        };
      })
      .reverse(),
  };
}

function explained(terms: readonly ElementTerm[], { cuboid: _, element: __, ...one }: Candidate): ExplainedElement {
  const rejected = rejection({ cuboid: 0, element: 0, ...one });
  return { terms, ...one, ...(rejected === undefined ? {} : { rejected }) };
}
