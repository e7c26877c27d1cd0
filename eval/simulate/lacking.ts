/** What a system's owner may not measure, and minutes without a fault. */
import type { Samples } from '../../src/demarcate/deviation.ts';
import type { NodeEvidence, NodeSeries } from '../../src/demarcate/fallback.ts';
import { GOLDEN } from './node-metrics.ts';

const only =
  (isKept: (series: NodeSeries) => boolean) =>
  (evidence: NodeEvidence): NodeEvidence => ({ ...evidence, series: evidence.series.filter(isKept) });

function cut(evidence: NodeEvidence, part: (samples: Samples) => Samples): NodeEvidence {
  const series = evidence.series.map(({ requests, ...one }) => ({
    ...one,
    ...part(one),
    ...(requests === undefined ? {} : { requests: part(requests) }),
  }));
  return { ...evidence, series, edges: evidence.edges.map((one) => ({ ...one, ...part(one) })) };
}

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
    (evidence) => cut(evidence, ({ baseline, current }) => ({ baseline, current: current.slice(0, 2) })),
  ],
  [
    'all but 8 of the past',
    (evidence) => cut(evidence, ({ baseline, current }) => ({ baseline: baseline.slice(-8), current })),
  ],
];

/** The last samples before the fault against those before them. */
export function healthy(evidence: NodeEvidence): NodeEvidence {
  return cut(evidence, ({ baseline, current }) => {
    const from = baseline.length - current.length;
    return { baseline: baseline.slice(0, from), current: baseline.slice(from) };
  });
}
