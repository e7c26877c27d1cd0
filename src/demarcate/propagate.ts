/** Follows visits along calls. */
const MAX_SWEEPS = 200;
const CONVERGED = 1e-12;

/** Calls from one service to another for each visit of the first. */
export interface Step {
  readonly from: string;
  readonly to: string;
  readonly per: number;
}

/**
 * Visits of every service when `visits` come to one of them: the fixed point of W = e + Pᵀ·W by sweeps, cycles included;
 * converges while a request makes finitely many calls. Cost: O(sweeps · steps).
 */
export function propagate(at: string, visits: number, steps: readonly Step[]): Map<string, number> {
  let all = new Map([[at, visits]]);
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    const next = new Map([[at, visits]]);
    for (const { from, to, per } of steps) {
      const own = all.get(from);
      if (own !== undefined) next.set(to, (next.get(to) ?? 0) + own * per);
    }
    let moved = 0;
    for (const [name, w] of next) moved = Math.max(moved, Math.abs(w - (all.get(name) ?? 0)));
    all = next;
    if (moved < CONVERGED) break;
  }
  return all;
}
