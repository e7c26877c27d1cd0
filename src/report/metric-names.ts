/** Metric names as words and units. A metric's name ends in its unit. */
import { formatValue } from '../model/format.ts';
import type { Incident } from '../model/incident.ts';

const ENDINGS: readonly (readonly [ending: string, unit: string])[] = [
  ['_per_s', 'per_s'],
  ['_us', 'us'],
  ['_ratio', 'ratio'],
  ['_bytes', 'bytes'],
  ['_cores', 'cores'],
];

const PER_WINDOW = '_per_window';

/** Counts of a window are told as rates: how long a window is concerns nobody who reads a report. */
export function withRates(incident: Incident, windowMs: number): Incident {
  const factor = 1000 / windowMs;
  const anomalies = incident.anomalies.map((anomaly) => {
    if (!anomaly.metric.endsWith(PER_WINDOW)) return anomaly;
    const metric = `${anomaly.metric.slice(0, -PER_WINDOW.length)}_per_s`;
    return { ...anomaly, metric, baseline: anomaly.baseline * factor, current: anomaly.current * factor };
  });
  return { ...incident, anomalies };
}

export function metricUnit(metric: string): string {
  if (metric === 'request_rate_per_s') return 'requests_per_s';
  return ENDINGS.find(([ending]) => metric.endsWith(ending))?.[1] ?? 'count';
}

const WORDS: Readonly<Record<string, string>> = {
  request_rate_per_s: 'requests',
  error_ratio: 'errors',
  duration_mean_us: 'mean latency',
  operation_duration_mean_us: 'mean latency',
  duration_p99_us: 'p99 latency',
  retransmit_ratio: 'retransmits',
  rtt_mean_us: 'round-trip time seen by the caller',
  network_time_us: 'network time per call',
  cpu_throttled_ratio: 'CPU throttled',
  cpu_used_ratio: 'CPU used',
  cpu_used_cores: 'CPU used',
  cpu_limit_ratio: 'CPU used of limit',
  memory_limit_ratio: 'memory used of limit',
  fd_limit_ratio: 'file descriptors of limit',
  psi_cpu_some_ratio: 'CPU pressure',
  psi_memory_some_ratio: 'memory pressure',
  psi_io_some_ratio: 'I/O pressure',
  oom_kills: 'OOM kills',
};

/** @param operation that it is of alone */
export function metricWords(metric: string, operation?: string): string {
  const known = WORDS[metric];
  if (known !== undefined) return operation === undefined ? known : `${known} of ${operation}`;
  const ending = ENDINGS.find(([suffix]) => metric.endsWith(suffix))?.[0] ?? '';
  const bare = metric.slice(0, metric.length - ending.length);
  return bare
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .replaceAll('_', ' ')
    .toLowerCase();
}

export function showMetric(value: number | null, unit: string): string {
  return value === null ? 'unknown' : formatValue(value, unit);
}

/** `×12.3`, `+0.4 %`, or empty when it cannot be said. */
export function showChange(baseline: number | null, current: number | null, unit: string): string {
  if (baseline === null || current === null) return '';
  if (baseline > 0 && current / baseline < 1000) return formatValue(current / baseline, 'factor');
  const sign = current >= baseline ? '+' : '−';
  return `${sign}${showMetric(Math.abs(current - baseline), unit)}`;
}
