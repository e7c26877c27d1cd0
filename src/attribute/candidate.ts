/** An element as a cause: its score, what rules it out, and which of several is the best. */
import type { ElementSums, Sums } from './sums.ts';

/** An element of a cuboid and how it fares. */
export interface Candidate {
  readonly cuboid: number;
  readonly element: number;
  /** Log-likelihood gained, nats; and what the search for it costs. */
  readonly gain: number;
  readonly penalty: number;
  readonly score: number;
  /** Share of its leaves' deviation that one common deviation explains; 1: the ripple effect holds exactly. */
  readonly purity: number;
  readonly deviation: number;
  /** Σ(v−f). */
  readonly change: number;
  readonly leaves: number;
}

/** Every constant here was chosen by the table in docs/attribution.md. */
const MIN_PURITY = 0.8;
export const MIN_DEVIATION = 0.1;
/** Weight of what a common deviation leaves unexplained inside the element. */
const UNEXPLAINED_WEIGHT = 0.1;

/** One allocation per element that could win, none for the others. */
export function judgeElement(sums: Sums, cuboid: number, element: number, penalty: number): Candidate {
  const { A, B, C, n, E, F, M, change }: ElementSums = sums.element(cuboid, element);
  const z2 = (B * B) / C;
  const unexplained = Math.max(0, (A - z2 - (n - 1)) / 2);
  const byWeight = (z2 - 0.5) / Math.max(A - 0.8 * n, 1e-9);
  const byVolume = E > 0 ? Math.min(1, (F * F) / M / E) : 0;
  return {
    cuboid,
    element,
    gain: z2 / 2,
    penalty,
    score: (z2 / 2 - UNEXPLAINED_WEIGHT * unexplained) * byVolume - penalty,
    purity: Math.min(1, Math.max(byWeight, byVolume)),
    deviation: B / C,
    change,
    leaves: n,
  };
}

/** Why an element cannot be a cause; undefined: it can. */
export function rejection({ score, deviation, purity }: Candidate): string | undefined {
  if (score <= 0) return 'chance: gain below the price of the search';
  if (Math.abs(deviation) < MIN_DEVIATION) return `deviation below ${MIN_DEVIATION}`;
  if (purity < MIN_PURITY) return `its parts moved differently (purity below ${MIN_PURITY})`;
  return undefined;
}

/** Best and second best over different leaves. Ties: the earlier cuboid (finer first), then the earlier element. */
export class Ranking {
  #best: Candidate | undefined;
  #second: Candidate | undefined;

  get best(): Candidate | undefined {
    return this.#best;
  }

  get second(): Candidate | undefined {
    return this.#second;
  }

  /** What a score must be above to matter. */
  get floor(): number {
    return this.#second?.score ?? 0;
  }

  add(one: Candidate): void {
    const best = this.#best;
    if (best === undefined || ahead(one, best)) {
      if (best !== undefined && !sameLeaves(best, one)) this.#second = best;
      this.#best = one;
    } else if (!sameLeaves(best, one) && (this.#second === undefined || ahead(one, this.#second))) this.#second = one;
  }
}

function ahead(a: Candidate, b: Candidate): boolean {
  if (a.score !== b.score) return a.score > b.score;
  return a.cuboid === b.cuboid ? a.element < b.element : a.cuboid < b.cuboid;
}

function sameLeaves(a: Candidate, b: Candidate): boolean {
  return a.leaves === b.leaves && Math.abs(a.change - b.change) <= 1e-9 * Math.abs(a.change);
}
