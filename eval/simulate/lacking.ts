/** What a system's owner may not measure, and minutes without a fault. */
import type { NodeEvidence, NodeSeries } from '../../src/demarcate/fallback.ts';
import { mapSamples } from '../samples.ts';
import { GOLDEN } from './node-metrics.ts';

const only =
  (isKept: (series: NodeSeries) => boolean) =>
  (evidence: NodeEvidence): NodeEvidence => ({ ...evidence, series: evidence.series.filter(isKept) });

function withoutCounts(evidence: NodeEvidence): NodeEvidence {
  const rest = evidence.series.filter(({ metric }) => metric !== 'request_count');
  return { ...evidence, series: rest.map(({ requests: _, ...one }) => one) };
}

export const LACKING: readonly (readonly [name: string, (evidence: NodeEvidence) => NodeEvidence])[] = [
  ['nothing', (evidence) => evidence],
  ['errors', only(({ family }) => family !== 'errors')],
  ['latencies', only(({ family }) => family !== 'latency')],
  ['counts of requests', withoutCounts],
  ['containers', only(({ kind, family }) => kind !== 'instance' || GOLDEN.includes(family))],
  ['machines', only(({ kind }) => kind !== 'machine')],
  ['what runs where', (evidence) => ({ ...evidence, runsOn: new Map() })],
  ['who calls whom', (evidence) => ({ ...evidence, calls: [] })],
  [
    'all but two samples',
    (evidence) => mapSamples(evidence, ({ baseline, current }) => ({ baseline, current: current.slice(0, 2) })),
  ],
  [
    'all but 8 of the past',
    (evidence) => mapSamples(evidence, ({ baseline, current }) => ({ baseline: baseline.slice(-8), current })),
  ],
];

/** The last samples before the fault against those before them. */
export function healthy(evidence: NodeEvidence): NodeEvidence {
  return mapSamples(evidence, ({ baseline, current }) => {
    const from = baseline.length - current.length;
    return { baseline: baseline.slice(0, from), current: baseline.slice(from) };
  });
}
