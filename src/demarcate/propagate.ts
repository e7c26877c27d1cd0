/** Follows along calls what is handed on: visits, errors, time. */
const MAX_SWEEPS = 200;
/** Of what begins. */
const CONVERGED = 1e-12;

/** What each one at the first of two services hands on to the second. */
export interface Step {
  readonly from: string;
  readonly to: string;
  readonly per: number;
}

/**
 * What comes by at every service when `start` begins at some: the fixed point of W = e + Pᵀ·W by sweeps, cycles included;
 * converges while a request makes finitely many calls. Never by paths, of which a mesh has more than can be counted.
 * Cost: O(sweeps · steps).
 */
export function propagate(start: ReadonlyMap<string, number>, steps: readonly Step[]): Map<string, number> {
  const names = new Map<string, number>();
  const indexOf = (name: string): number => {
    const index = names.get(name) ?? names.size;
    names.set(name, index);
    return index;
  };
  for (const name of start.keys()) indexOf(name);
  const from = Int32Array.from(steps, (step) => indexOf(step.from));
  const to = Int32Array.from(steps, (step) => indexOf(step.to));
  const per = Float64Array.from(steps, (step) => step.per);
  const begin = new Float64Array(names.size);
  for (const [name, amount] of start) begin[indexOf(name)] = amount;
  const scale = begin.reduce((most, amount) => Math.max(most, Math.abs(amount)), 0);

  let all = begin;
  let next = new Float64Array(names.size);
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    next.set(begin);
    for (let i = 0; i < per.length; i++) {
      const own = all[from[i]!]!;
      if (own !== 0) next[to[i]!]! += own * per[i]!;
    }
    let moved = 0;
    for (let i = 0; i < next.length; i++) moved = Math.max(moved, Math.abs(next[i]! - all[i]!));
    [all, next] = [next, sweep === 0 ? new Float64Array(names.size) : all];
    if (moved < CONVERGED * scale) break;
  }
  return new Map([...names].flatMap(([name, i]): [string, number][] => (all[i] === 0 ? [] : [[name, all[i]!]])));
}
