/** The baseline of an incident cut into stretches of about equal length: how they differ is its noise. */
import type { EdgeStretches, Stretches } from '../model/comparison.ts';
import type { Side } from '../model/records.ts';
import type { Selection } from './compare-parts.ts';
import { sortBy } from './compare-parts.ts';
import type { Slots } from './compare-slots.ts';
import { Directory } from './directory.ts';
import { EDGE_KEY_WIDTH, edgeKey } from './edge-key.ts';
import type { Identities } from './identities.ts';

/** Enough to know a spread to a quarter of it, few enough for a ledger of each. */
const STRETCHES = 8;

/** Sums of calls per edge, side and stretch. Rows of a collector in a window of which it lost records are in none. */
export class StretchSums {
  readonly #identities: Identities;
  readonly #edges = new Directory(EDGE_KEY_WIDTH, 64);
  /** Slot -> edge. */
  readonly #edgeOf: Uint32Array;
  readonly #windows: number[] = new Array<number>(STRETCHES).fill(0);
  readonly #all: number;
  readonly #count: Float64Array;
  readonly #errors: Float64Array;
  readonly #duration: Float64Array;
  #before = 0;
  #now = 0;

  constructor(identities: Identities, { leaves }: Slots, { baseline, baselineBlocks }: Selection) {
    this.#identities = identities;
    this.#edgeOf = Uint32Array.from(leaves, (leaf) => this.#edges.intern(edgeKey(identities.calls, leaf)));
    this.#all = baseline.length + baselineBlocks.reduce((sum, block) => sum + block.windows, 0);
    this.#count = new Float64Array(this.#edges.size * STRETCHES);
    this.#errors = new Float64Array(this.#edges.size * STRETCHES);
    this.#duration = new Float64Array(this.#edges.size * STRETCHES);
  }

  /** What is added from now on comes from the next `windows` windows of the baseline, oldest first. */
  next(windows: number): void {
    this.#now = Math.min(STRETCHES - 1, Math.floor((this.#before * STRETCHES) / this.#all));
    this.#windows[this.#now] = this.#windows[this.#now]! + windows;
    this.#before += windows;
  }

  add(slot: number, count: number, errors: number, duration: number): void {
    const at = this.#edgeOf[slot]! * STRETCHES + this.#now;
    this.#count[at] = this.#count[at]! + count;
    this.#errors[at] = this.#errors[at]! + errors;
    if (count > 0) this.#duration[at] = this.#duration[at]! + duration;
  }

  result(): Stretches {
    const { names } = this.#identities;
    const of = (values: Float64Array, edge: number): Float64Array =>
      values.subarray(edge * STRETCHES, (edge + 1) * STRETCHES);
    const edges = Array.from({ length: this.#edges.size }, (_, edge): EdgeStretches => {
      const [caller, callee, side] = this.#edges.keys.subarray(edge * EDGE_KEY_WIDTH, (edge + 1) * EDGE_KEY_WIDTH);
      return {
        caller: names.name(caller!),
        callee: names.name(callee!),
        side: (side === 1 ? 'server' : 'client') satisfies Side,
        count: of(this.#count, edge),
        errors: of(this.#errors, edge),
        durationSumUs: of(this.#duration, edge),
      };
    });
    return {
      windows: this.#windows,
      edges: sortBy(edges, ({ caller, callee, side }) => `${caller}\0${callee}\0${side}`),
    };
  }
}
