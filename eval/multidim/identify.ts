/**
 * Can the truth be told from a wrong answer at all? For leaves with deviations d of weight w, G = (Σwd)² / 2Σw is the
 * log-likelihood that one common deviation gains over none. A truth that gains no more than what was named in its place,
 * or selects the same leaves, is not identifiable from these numbers by this likelihood.
 */
import { prepare } from '../../src/attribute/attribute.ts';
import { canonical } from '../../src/attribute/canonical.ts';
import type { AttributionResult, LeafTable } from '../../src/attribute/index.ts';

/** Why a true element that was not named could not be told: what the evidence says, strongest reason first. */
export type Reason = 'same-leaves' | 'gain-not-larger' | 'below-chance' | 'identifiable';

export interface MissedElement {
  readonly truth: string;
  readonly gain: number;
  readonly reason: Reason;
  /** Wrongly named element with most leaves in common; undefined: none has any. */
  readonly chosen?: string;
  readonly chosenGain?: number;
}

export interface CaseEvidence {
  readonly missed: readonly MissedElement[];
  /** Gain of all true and of all named elements together, each leaf counted for the first element that has it. */
  readonly truthGain: number;
  readonly namedGain: number;
  /** The named elements are no more than the true ones and gain at least as much: no likelihood prefers the truth. */
  readonly outdone: boolean;
}

/**
 * @param whole   the case's table
 * @param result  what `attribute` said of it
 * @param truth   elements as `dim=value` joined by `&`
 * Only leaves with events count. A gain below ln(elements of all cuboids) is expected of the best of that many without
 * any cause: 'below-chance'. Cost: that of `prepare`, and O(leaves) per element.
 */
export function evidence(
  whole: LeafTable,
  result: AttributionResult,
  truth: ReadonlySet<string>,
  named: ReadonlySet<string>,
): CaseEvidence {
  const shifted = result.verdict === 'mix-shift' && whole.actualDenominator && whole.expectedDenominator;
  const seen = shifted ? { ...whole, actual: whole.actualDenominator, expected: whole.expectedDenominator } : whole;
  const full = canonical(seen);
  const { input, rowOf } = prepare(full, shifted ? 'count' : result.measure, undefined);
  // The full table's dimensions, for a truth may name one that the method leaves out, having one live value.
  const table =
    rowOf === undefined
      ? full
      : { ...full, codes: full.codes.map((codes) => Uint32Array.from(rowOf, (row) => codes[row]!)) };
  const chance = Math.log(input.cuboids.reduce((sum, { size }) => sum + size, 0));
  const leavesOf = (element: string): Set<number> => membersOf(table, element);
  const wrong = minus(named, truth)
    .sort()
    .map((element) => ({ element, leaves: leavesOf(element) }));
  const missed = minus(truth, named)
    .sort()
    .map((element): MissedElement => {
      const leaves = leavesOf(element);
      const gain = gainOf(input, leaves);
      let chosen: (typeof wrong)[number] | undefined;
      let overlap = 0;
      for (const other of wrong) {
        const common = other.leaves.size - minus(other.leaves, leaves).length;
        // Of equal overlaps the smaller element is the closer one.
        if (common > overlap || (common === overlap && common > 0 && other.leaves.size < chosen!.leaves.size)) {
          chosen = other;
          overlap = common;
        }
      }
      if (chosen === undefined)
        return { truth: element, gain, reason: gain <= chance ? 'below-chance' : 'identifiable' };
      const chosenGain = gainOf(input, chosen.leaves);
      const same = leaves.size === chosen.leaves.size && overlap === leaves.size;
      const reason = same
        ? 'same-leaves'
        : gain <= chosenGain
          ? 'gain-not-larger'
          : gain <= chance
            ? 'below-chance'
            : 'identifiable';
      return { truth: element, gain, reason, chosen: chosen.element, chosenGain };
    });
  const truthGain = jointGain(input, [...truth].sort().map(leavesOf));
  const namedGain = jointGain(input, [...named].sort().map(leavesOf));
  const outdone = missed.length > 0 && named.size <= truth.size && truthGain <= namedGain * (1 + 1e-12);
  return { missed, truthGain, namedGain, outdone };
}

/** Leaves an element selects; none when it names a dimension or value the table does not have. */
export function membersOf(table: LeafTable, element: string): Set<number> {
  const out = new Set<number>();
  const conditions: (readonly [Uint32Array, number])[] = [];
  for (const term of element.split('&')) {
    const cut = term.indexOf('=');
    const d = table.dimensions.indexOf(term.slice(0, cut));
    const code = table.values[d]?.indexOf(term.slice(cut + 1)) ?? -1;
    if (code < 0) return out;
    conditions.push([table.codes[d]!, code]);
  }
  const rows = table.codes[0]?.length ?? 0;
  for (let i = 0; i < rows; i++) if (conditions.every(([codes, code]) => codes[i] === code)) out.add(i);
  return out;
}

interface Weighed {
  readonly d: Float64Array;
  readonly w: Float64Array;
}

export function gainOf({ d, w }: Weighed, leaves: Iterable<number>): number {
  let B = 0;
  let C = 0;
  for (const i of leaves) {
    B += w[i]! * d[i]!;
    C += w[i]!;
  }
  return C > 0 ? (B * B) / C / 2 : 0;
}

function jointGain(input: Weighed, sets: readonly ReadonlySet<number>[]): number {
  const taken = new Set<number>();
  let gain = 0;
  for (const leaves of sets) {
    gain += gainOf(input, minus(leaves, taken));
    for (const i of leaves) taken.add(i);
  }
  return gain;
}

function minus<T>(all: ReadonlySet<T>, without: ReadonlySet<T>): T[] {
  return [...all].filter((one) => !without.has(one));
}
