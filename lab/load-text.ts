/** Load statistics of a run by phase, as a table for the terminal. */
import { quantileMs } from './load/latency.ts';
import type { LoadWindow } from './load/load-config.ts';
import type { RunResult } from './run-scenario.ts';

interface Phase {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
}

function phases({ happened, startedMs, zeroMs, endedMs }: RunResult): Phase[] {
  const from = Math.min(...happened.faults.map((fault) => fault.fromMs));
  const to = Math.max(...happened.faults.map((fault) => fault.toMs));
  const found: Phase[] = [{ name: 'warm-up', fromMs: startedMs - 5_000, toMs: zeroMs }];
  if (happened.faults.length === 0) return [...found, { name: 'healthy', fromMs: zeroMs, toMs: endedMs }];
  if (from - zeroMs > 5_000) found.push({ name: 'healthy', fromMs: zeroMs, toMs: from });
  return [...found, { name: 'fault', fromMs: from, toMs: to }, { name: 'after', fromMs: to, toMs: endedMs }];
}

function line(name: string, windows: readonly LoadWindow[]): string {
  const sum = (value: (window: LoadWindow) => number): number => windows.reduce((all, one) => all + value(one), 0);
  const seconds = sum(({ fromMs, toMs }) => toMs - fromMs) / 1_000;
  const sent = sum(({ sent: count }) => count);
  const outcomes = new Map<string, number>();
  for (const [outcome, count] of windows.flatMap((window) => Object.entries(window.outcomes))) {
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
  }
  const good = [...outcomes].reduce((all, [outcome, count]) => all + (/^[23]/.test(outcome) ? count : 0), 0);
  const rows = windows.flatMap(({ histogramUs }) => histogramUs).toSorted(([a], [b]) => a - b);
  const quantile = (q: number): string => quantileMs(rows, q)?.toFixed(1) ?? '-';
  const bad = [...outcomes]
    .filter(([outcome]) => !/^[23]/.test(outcome))
    .map(([outcome, count]) => `${outcome}:${count}`);
  const columns = [
    name.padEnd(8),
    (sent / Math.max(seconds, 1)).toFixed(1).padStart(7),
    `${(100 * (1 - good / Math.max(sent, 1))).toFixed(2)} %`.padStart(9),
    quantile(0.5).padStart(8),
    quantile(0.9).padStart(8),
    quantile(0.99).padStart(8),
    ` ${bad.join(' ') || '-'}`,
  ];
  return columns.join(' ');
}

/** A one-second window belongs to the phase its middle is in. */
export function loadTable(result: RunResult): string {
  const head = 'phase      req/s    failed   p50 ms   p90 ms   p99 ms  failures';
  const rows = phases(result).map(({ name, fromMs, toMs }) => {
    const inside = result.load.windows.filter((window) => {
      const middle = (window.fromMs + window.toMs) / 2;
      return middle >= fromMs && middle < toMs;
    });
    return line(name, inside);
  });
  return [head, ...rows].join('\n');
}
