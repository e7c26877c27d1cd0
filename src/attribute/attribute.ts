/** Which values of which dimensions carry a change. The whole method: normalise, weigh, scan, judge. */
import { RcaError } from '../model/errors.ts';
import type { CanonicalTable } from './canonical.ts';
import { canonical } from './canonical.ts';
import { findCauses } from './causes.ts';
import type { Prepared } from './judge.ts';
import { judge } from './judge.ts';
import { buildLattice } from './lattice.ts';
import type { Noise } from './noise.ts';
import { COUNT_DISPERSION, leafWeights } from './noise.ts';
import type { RateMix } from './normalise.ts';
import { checkTable, guessMeasure, normalise, rateMix } from './normalise.ts';
import type { AttributionResult, LeafTable, Measure } from './types.ts';

/** Deepest cuboids: elements with more terms than this are rarely meant and rarely told apart. */
const MAX_LAYER = 6;
/** A mix change above this share of the whole change makes it a shift of traffic. */
const MIX_SHARE = 0.5;

/**
 * @param whole    dictionary-encoded leaves; actual and expected values of the same unit, finite, >= 0
 * @param measure  undefined: guessed from the columns and numbers
 * @param noise    of the expected values, when a baseline knows it; undefined: fitted from the leaves themselves
 * @throws {RcaError} RCA_BAD_INPUT: numbers not finite, columns that do not fit; a negative number counts as 0
 * @returns ranked elements (largest change first), drill-down per dimension, verdict
 * Cost: O(2^D · elements) per cause; one allocation of the lattice.
 * Source: generalised likelihood-ratio scan over sums; ripple effect of HotSpot (2018) and Squeeze (2019).
 */
export function attribute(
  whole: LeafTable,
  measure: Measure | undefined = undefined,
  noise: Noise | undefined = undefined,
): AttributionResult {
  const used = checkTable(whole);
  const kind = measure ?? guessMeasure(whole);
  if ((kind === 'ratio' || kind === 'mean') && whole.actualDenominator === undefined)
    throw new RcaError(
      'RCA_BAD_INPUT',
      `attribution of a ${kind}: expected denominators, found none; give requests per leaf`,
    );
  const table = canonical(whole, used);
  const parts = kind === 'ratio' || kind === 'mean' ? rateMix(table) : null;
  const split = parts === null ? null : { change: parts.change, rate: parts.rate, mix: parts.mix };
  if (
    split !== null &&
    Math.abs(split.mix) > MIX_SHARE * Math.abs(split.change) &&
    Math.abs(split.mix) > Math.abs(split.rate)
  ) {
    const shifted = attributeValues(
      { ...table, actual: table.actualDenominator!, expected: table.expectedDenominator! },
      'count',
      noise === undefined ? undefined : { ...noise, dispersion: COUNT_DISPERSION },
      parts,
    );
    if (shifted.elements.length > 0) return { ...shifted, measure: kind, verdict: 'mix-shift', split };
  }
  return { ...attributeValues(table, kind, noise, parts), split };
}

/** A dimension with one value among the leaves tells nothing apart. At least one dimension stays. */
function withoutConstants(table: LeafTable): LeafTable {
  const varies = table.codes.map(
    (codes) => codes[0] !== codes[codes.length - 1] || codes.some((code) => code !== codes[0]),
  );
  const kept = [...varies.keys()].filter((d) => varies[d]);
  if (kept.length === varies.length) return table;
  if (kept.length === 0) kept.push(0);
  return {
    ...table,
    dimensions: kept.map((d) => table.dimensions[d]!),
    values: kept.map((d) => table.values[d]!),
    codes: kept.map((d) => table.codes[d]!),
  };
}

function attributeValues(
  table: CanonicalTable,
  measure: Measure,
  noise: Noise | undefined,
  parts: RateMix | null,
): AttributionResult {
  const prepared = prepare(table, measure, noise);
  return judge(prepared, measure, findCauses(prepared.input, prepared.table.codes), parts);
}

/** Leaves with events, weighed, and the lattice over them. A leaf without any says nothing and costs nothing. */
export function prepare(whole: CanonicalTable, measure: Measure, noise: Noise | undefined): Prepared {
  const all = normalise(whole, measure);
  const rowOf = all.live === all.events.length ? undefined : rowsWithEvents(all.events, all.live);
  const live = (column: Float64Array): Float64Array => (rowOf === undefined ? column : pick(column, rowOf));
  const { keys, ...columns } = whole;
  const table = withoutConstants(
    rowOf === undefined ? columns : { ...columns, codes: whole.codes.map((codes) => pickCodes(codes, rowOf)) },
  );
  const d = live(all.d);
  const v = live(all.v);
  const f = live(all.f);
  const counts = areWhole(v);
  const weighed = leafWeights(d, live(all.events), counts, noise);
  const cardinality = table.values.map((values) => Math.max(1, values.length));
  const ofAll = rowOf === undefined && table.codes.length === whole.codes.length ? keys : undefined;
  const cuboids = buildLattice(table.codes, cardinality, all.live, MAX_LAYER, ofAll);
  return { table, input: { cuboids, d, w: weighed.weights, v, f }, noise: weighed.noise, rowOf };
}

function areWhole(v: Float64Array): boolean {
  for (let i = 0; i < v.length; i++) if (v[i] !== Math.floor(v[i]!)) return false;
  return true;
}

function rowsWithEvents(events: Float64Array, live: number): Uint32Array {
  const out = new Uint32Array(live);
  positives(events, out);
  return out;
}

function positives(events: Float64Array, out: Uint32Array): void {
  for (let i = 0, k = 0; k < out.length; i++) if (events[i]! > 0) out[k++] = i;
}

function pick(from: Float64Array, rows: Uint32Array): Float64Array {
  const out = new Float64Array(rows.length);
  for (let k = 0; k < out.length; k++) out[k] = from[rows[k]!]!;
  return out;
}

function pickCodes(from: Uint32Array, rows: Uint32Array): Uint32Array {
  const out = new Uint32Array(rows.length);
  for (let k = 0; k < out.length; k++) out[k] = from[rows[k]!]!;
  return out;
}
