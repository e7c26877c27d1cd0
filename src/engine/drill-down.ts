/** The dimensional drill-downs a report shows: of calls into the symptom's service, and into the first suspect's. */
import type { AttributionResult, LeafTable, Measure, Noise } from '../attribute/index.ts';
import { attribute, COUNT_DISPERSION } from '../attribute/index.ts';
import type { CallLeaf, Comparison } from '../model/comparison.ts';
import { compareNames } from '../model/entity.ts';
import type { AttributionSummary } from '../model/report.ts';
import type { LedgerKind, Walk } from '../model/walk.ts';

const MEASURE_OF: Readonly<Record<LedgerKind, Measure>> = { latency: 'mean', errors: 'ratio', traffic: 'count' };
const MEASURE_WORDS: Readonly<Record<Measure, string>> = {
  count: 'number',
  errors: 'errors',
  ratio: 'error ratio',
  mean: 'mean duration',
};

/** Dimension -> how a leaf tells its value. An outcome is no dimension of durations or errors: it would explain itself. */
const DIMENSIONS: Readonly<Record<string, (leaf: CallLeaf) => string | undefined>> = {
  caller: (leaf) => leaf.caller,
  operation: (leaf) => leaf.operation,
  protocol: (leaf) => leaf.protocol,
  caller_instance: (leaf) => leaf.callerInstance,
  instance: (leaf) => leaf.calleeInstance,
  caller_machine: (leaf) => leaf.callerMachine,
  machine: (leaf) => leaf.calleeMachine,
  zone: (leaf) => leaf.tags?.['zone'],
  version: (leaf) => leaf.tags?.['version'],
};

/** (5 %)² relative error of a baseline as forecast; leaves with fewer calls tell nothing of the spread. */
const FORECAST_SIGMA2 = 0.0025;
const MIN_CALLS = 20;
/** Share of the overall error rate that every combination is given (see countSilence). */
const QUIET_SHARE = 0.3;
/** Of more leaves than this, those with fewest calls are summed as one whose values are all OTHER: nothing is lost. */
const MAX_LEAVES = 20_000;
const OTHER = '(other)';

export function drillDown(comparison: Comparison, walk: Walk): readonly AttributionSummary[] {
  const [kind] = walk.ledgers.map((ledger) => ledger.kind);
  if (kind === undefined) return [];
  const suspect = walk.suspects[0];
  const services = [walk.symptom.name, suspect?.service ?? suspect?.entity.to ?? suspect?.entity.name];
  const measure = MEASURE_OF[kind];
  return [...new Set(services)].flatMap((service) => {
    const table = service === undefined ? undefined : leavesOf(comparison, service, measure);
    return table === undefined
      ? []
      : [summary(service ?? '', attribute(table, measure, noiseOf(comparison, service ?? '', measure)))];
  });
}

/**
 * Noise of the baseline itself: windows are known to scatter by a few per cent; a mean duration of n calls scatters like
 * the calls' own spread over n, read from how the window means scattered (median over leaves).
 */
function noiseOf(comparison: Comparison, service: string, measure: Measure): Noise {
  if (measure !== 'mean') return { sigma2: FORECAST_SIGMA2, dispersion: COUNT_DISPERSION };
  const spreads = comparison.calls
    .filter((leaf) => leaf.callee === service && leaf.baseline.count >= MIN_CALLS)
    .map(({ baseline: { count, durationSumUs, durationSquareUs2 } }) => {
      const mean = durationSumUs / count;
      return ((durationSquareUs2 / count - mean * mean) * (count / comparison.baseline.windows)) / (mean * mean);
    })
    .filter((spread) => Number.isFinite(spread) && spread >= 0)
    .sort((a, b) => a - b);
  return { sigma2: FORECAST_SIGMA2, dispersion: Math.max(1, spreads[Math.floor(spreads.length / 2)] ?? 1) };
}

function leavesOf(comparison: Comparison, service: string, measure: Measure): LeafTable | undefined {
  const into = comparison.calls.filter((leaf) => leaf.callee === service);
  const side = into.some((leaf) => leaf.side === 'server') ? 'server' : 'client';
  const leaves = into
    .filter((leaf) => leaf.side === side)
    .sort(
      (a, b) =>
        b.current.count + b.baseline.count - a.current.count - a.baseline.count ||
        compareNames(identity(a), identity(b)),
    )
    .map((leaf, rank) => (rank < MAX_LEAVES ? leaf : restOf(leaf)));
  const names = Object.keys(DIMENSIONS).filter((name) => leaves.some((leaf) => DIMENSIONS[name]?.(leaf) !== undefined));
  const scale = comparison.baseline.windows > 0 ? comparison.current.windows / comparison.baseline.windows : 0;
  const rows = merge(leaves, names, measure, scale);
  if (measure === 'ratio') countSilence(rows);
  if (rows.length === 0 || names.length === 0 || scale === 0) return undefined;
  const dictionaries = names.map((_, d) => [...new Set(rows.map((row) => row.key[d] ?? ''))].sort(compareNames));
  const column = (read: (row: Row) => number): Float64Array => Float64Array.from(rows, read);
  return {
    dimensions: names,
    values: dictionaries,
    codes: names.map((_, d) => {
      const index = new Map(dictionaries[d]?.map((value, i) => [value, i]));
      return Uint32Array.from(rows, (row) => index.get(row.key[d] ?? '') ?? 0);
    }),
    actual: column((row) => row.actual),
    expected: column((row) => row.expected),
    ...(measure === 'count'
      ? {}
      : {
          actualDenominator: column((row) => row.actualCount),
          expectedDenominator: column((row) => row.expectedCount),
        }),
  };
}

/**
 * Requests without an error are evidence: a combination that stayed at none did not move. With nothing before to compare
 * with (the usual case: no errors at all) every combination is given the same small rate, before and now.
 */
function countSilence(rows: readonly Row[]): void {
  const requests = rows.reduce((sum, row) => sum + row.actualCount, 0);
  const rate = requests > 0 ? (QUIET_SHARE * rows.reduce((sum, row) => sum + row.actual, 0)) / requests : 0;
  for (const row of rows) {
    row.actual += rate * row.actualCount;
    row.expected += rate * row.expectedCount;
  }
}

interface Row {
  readonly key: readonly string[];
  actual: number;
  expected: number;
  actualCount: number;
  expectedCount: number;
}

/** Outcomes of one combination are summed: errors and durations over all its calls. */
/** A leaf beyond the limit: its numbers under names that stand for all of them. */
function restOf(leaf: CallLeaf): CallLeaf {
  return {
    ...leaf,
    caller: OTHER,
    operation: OTHER,
    protocol: OTHER,
    callerInstance: OTHER,
    calleeInstance: OTHER,
    callerMachine: OTHER,
    calleeMachine: OTHER,
    tags: { zone: OTHER, version: OTHER },
  };
}

function merge(leaves: readonly CallLeaf[], names: readonly string[], measure: Measure, scale: number): Row[] {
  const rows = new Map<string, Row>();
  for (const leaf of leaves) {
    const key = names.map((name) => DIMENSIONS[name]?.(leaf) ?? '(unknown)');
    const text = key.join('\u0000');
    const row = rows.get(text) ?? { key, actual: 0, expected: 0, actualCount: 0, expectedCount: 0 };
    const value = (sums: CallLeaf['current']): number => {
      if (measure === 'count') return sums.count;
      if (measure === 'ratio') return sums.errors;
      return Number.isFinite(sums.durationSumUs) ? sums.durationSumUs : 0;
    };
    row.actual += value(leaf.current);
    row.expected += value(leaf.baseline) * scale;
    row.actualCount += leaf.current.count;
    row.expectedCount += leaf.baseline.count * scale;
    rows.set(text, row);
  }
  return [...rows.entries()].sort((a, b) => compareNames(a[0], b[0])).map(([, row]) => row);
}

function identity(leaf: CallLeaf): string {
  return Object.values(DIMENSIONS)
    .map((read) => read(leaf) ?? '')
    .join('\u0000');
}

function summary(service: string, result: AttributionResult): AttributionSummary {
  return {
    measure: `${MEASURE_WORDS[result.measure]} of calls into ${service}`,
    verdict: result.verdict,
    ...(result.split === null || result.split.change === 0 ? {} : { mixShare: result.split.mix / result.split.change }),
    singles: result.dimensions
      .filter(({ values }) => values.length > 1)
      .map(({ dimension, verdict, values, pValue }) => ({ dimension, verdict, values: values.slice(0, 3), pValue })),
    elements: result.elements.slice(0, 5).map(({ terms, share, confidence, deviation }) => ({
      element: terms.map(({ dimension, value }) => `${dimension}=${value}`).join(' & '),
      share,
      confidence,
      deviation,
    })),
  };
}
