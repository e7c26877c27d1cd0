/** From when on an incident that grew is all there: what a comparison holds, and what others may take for healthy. */
import { describe, expect, it } from 'vitest';
import type { Anomaly } from '../../src/model/incident.ts';
import { allThereMs, grownSinceMs } from '../../src/model/onset.ts';

const MINUTE_MS = 60_000;

function slow(name: string, onset: number, grown?: number, symptom: Anomaly['symptom'] = 'latency_rise'): Anomaly {
  return {
    entity: { kind: 'service', name },
    metric: 'duration_mean_us',
    symptom,
    onsetMs: onset * MINUTE_MS,
    ...(grown === undefined ? {} : { grownMs: grown * MINUTE_MS }),
    detectedMs: 0,
    lastMs: 0,
    baseline: 1,
    current: 2,
    score: 6,
    volume: 100,
  };
}

describe('what grew little by little', () => {
  it('is nothing where all came at once', () => {
    expect(grownSinceMs([slow('a', 3), slow('b', 4)])).toBeUndefined();
    expect(allThereMs([slow('a', 3), slow('b', 4)], 10 * MINUTE_MS)).toBeUndefined();
  });

  it('is there from its first part on for others, and from its last one on for itself', () => {
    const anomalies = [slow('a', 1), slow('b', 0, 6), slow('c', 0, 8)];
    expect(grownSinceMs(anomalies)).toBe(1 * MINUTE_MS);
    expect(allThereMs(anomalies, 10 * MINUTE_MS)).toBe(8 * MINUTE_MS);
  });

  it('does not wait for what came just now, nor for more traffic', () => {
    const anomalies = [slow('b', 0, 6), slow('c', 0, 8), slow('d', 7, undefined, 'traffic_rise')];
    expect(allThereMs(anomalies, 7 * MINUTE_MS)).toBe(6 * MINUTE_MS);
    expect(allThereMs(anomalies, 5 * MINUTE_MS)).toBe(6 * MINUTE_MS);
  });
});
