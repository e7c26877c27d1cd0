import { describe, expect, it } from 'vitest';
import { DEFAULT_DETECT_CONFIG } from '../../src/detect/config.ts';
import { CallGraph } from '../../src/detect/connect.ts';
import { Entities } from '../../src/detect/entities.ts';
import type { Active } from '../../src/detect/incidents.ts';
import { Incidents } from '../../src/detect/incidents.ts';

const WINDOW_MS = 5_000;

function failing(name: string, onsetMs: number, atMs: number): Active {
  return {
    opens: true,
    anomaly: {
      entity: { kind: 'service', name },
      metric: 'error_ratio',
      symptom: 'error_rise',
      baseline: 0,
      current: 0.5,
      score: 9,
      volume: 100,
      onsetMs,
      detectedMs: onsetMs,
      lastMs: atMs,
    },
  };
}

describe('resolved incidents', () => {
  it('are forgotten beyond the last 200, also while the first of all stays open', () => {
    const incidents = new Incidents('e', DEFAULT_DETECT_CONFIG, new CallGraph(new Entities()));
    const each = DEFAULT_DETECT_CONFIG.resolveWindows + 1;
    for (let w = 0; w < 300 * each; w++) {
      const atMs = w * WINDOW_MS;
      const active = [failing('lasting', 0, atMs)];
      if (w % each === 0) active.push(failing(`s${w}`, atMs, atMs));
      incidents.step(active, atMs, WINDOW_MS);
    }
    const listed = incidents.list();
    expect(listed[0]).toMatchObject({ state: 'open', startMs: 0 });
    expect(listed).toHaveLength(200);
    expect(listed.at(-1)!.startMs).toBe(299 * each * WINDOW_MS);
  });
});

describe('an incident that comes back', () => {
  /** Trouble at windows 0-9 and again from 30 on; who joins at 32 says it began at window `joined`. */
  function second(joined: number) {
    const incidents = new Incidents('e', DEFAULT_DETECT_CONFIG, new CallGraph(new Entities()));
    for (let w = 0; w < 36; w++) {
      const atMs = w * WINDOW_MS;
      const active = w < 10 ? [failing('web', 0, atMs)] : w < 30 ? [] : [failing('web', 30 * WINDOW_MS, atMs)];
      if (w >= 32) active.push({ ...failing('web', joined * WINDOW_MS, atMs), ...slow(joined * WINDOW_MS, atMs) });
      incidents.step(active, atMs, WINDOW_MS);
    }
    return incidents.list()[0]!;
  }
  const slow = (onsetMs: number, atMs: number): Active => ({
    opens: true,
    anomaly: { ...failing('web', onsetMs, atMs).anomaly, metric: 'duration_p99_us', symptom: 'latency_rise' },
  });

  it('begins no earlier than what came before was over, whatever joins it', () => {
    const found = second(5);
    expect(found.state).toBe('open');
    expect(found.again?.startMs).toBe(30 * WINDOW_MS);
    expect(found.anomalies.map(({ onsetMs }) => onsetMs)).toEqual([30 * WINDOW_MS, 30 * WINDOW_MS]);
  });

  it('begins with who joins it later and began a little before', () => {
    expect(second(28).again?.startMs).toBe(28 * WINDOW_MS);
  });
});
