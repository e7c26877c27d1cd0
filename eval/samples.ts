/** A system's evidence with other samples. */
import type { Samples } from '../src/demarcate/deviation.ts';
import type { NodeEvidence } from '../src/demarcate/fallback.ts';

/** Every past and window, counts of requests too, as `part` makes them. */
export function mapSamples(evidence: NodeEvidence, part: (samples: Samples) => Samples): NodeEvidence {
  const series = evidence.series.map(({ requests, ...one }) => ({
    ...one,
    ...part(one),
    ...(requests === undefined ? {} : { requests: part(requests) }),
  }));
  return { ...evidence, series, edges: evidence.edges.map((one) => ({ ...one, ...part(one) })) };
}
