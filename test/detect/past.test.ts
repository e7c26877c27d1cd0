/** What the slow past makes of restarts, of series that end, and of incidents beside each other: through the whole detector. */
import { describe, expect, it } from 'vitest';
import type { Detector } from '../../src/detect/index.ts';
import { createDetector } from '../../src/detect/index.ts';
import { createIngest } from '../../src/ingest/index.ts';
import type { IncidentEvent } from '../../src/model/incident.ts';
import type { AnyBatch, CallRecord } from '../../src/model/records.ts';
import type { ClosedWindow } from '../../src/model/window.ts';
import { createRandom, normal, poisson } from '../../src/stats/index.ts';

const MINUTE = 12;
const HOUR = 60 * MINUTE;
/** A Monday, 00:00 UTC. */
const START_MS = 1_780_272_000_000;

interface Row {
  readonly name: string;
  readonly count: number;
  readonly meanUs?: number;
  readonly errors?: number;
  readonly side?: 'client' | 'server';
}

function batchOf(startMs: number, windowMs: number, rows: readonly Row[]): AnyBatch {
  const records = rows
    .filter(({ count }) => count > 0)
    .map(
      ({ name, count, meanUs = 20_000, errors = 0, side = 'server' }): CallRecord => ({
        ...{ caller: 'gate', callee: name, side, protocol: 'http', operation: 'GET /', status: '200' },
        ...{ count, errors, durationSumUs: Math.round(count * meanUs) },
      }),
    );
  return {
    ...{ schemaVersion: 1, type: 'call', environment: 'e', collector: 'c1', windowStartMs: startMs },
    ...{ windowMs, sequence: 0, records },
  } as AnyBatch;
}

/** Feeds windows from `from` on. */
function run(
  rows: (w: number) => readonly Row[],
  from: number,
  to: number,
  { detector = createDetector(), windowMs = 5_000 } = {},
) {
  const ingest = createIngest();
  const events: IncidentEvent[] = [];
  const step = (closed: readonly ClosedWindow[]) => {
    for (const window of closed) events.push(...detector.step(window));
  };
  for (let w = from; w < to; w++) step(ingest.push(batchOf(START_MS + w * windowMs, windowMs, rows(w))).closed);
  step(ingest.flush());
  const opened = events.filter(({ kind }) => kind === 'opened').map(({ incident }) => incident);
  return { detector, events, opened };
}

const grown = (w: number, from: number, length: number): number => Math.min(1, Math.max(0, (w - from) / length));

/** Requests and durations of one service, drawn. */
function service(seed: number, slower: (w: number) => number, load: (w: number) => number = () => 1) {
  const random = createRandom(seed);
  return (w: number): Row[] => [
    {
      name: 'web',
      count: poisson(random, 300 * load(w)),
      meanUs: 20_000 * slower(w) * Math.exp(0.08 * normal(random)),
    },
  ];
}

/** Blocks of web by metric. */
function blocksOf(detector: Detector): number[] {
  const { environments } = JSON.parse(detector.exportPast()) as {
    environments: [string, { drifts: Record<string, Record<string, string>> }][];
  };
  return Object.values(environments[0]![1].drifts).map(({ web = '' }) => Buffer.from(web, 'base64').length / 24);
}

describe('the slow past', () => {
  it.each([
    ['one window frozen', { count: 300, meanUs: 2_500_000 }],
    ['one window of errors', { count: 300, errors: 240 }],
  ])('says nothing of %s', (_, odd) => {
    const rows = service(1, () => 1);
    const { events } = run((w) => (w === 3 * HOUR ? [{ name: 'web', ...odd }] : rows(w)), 0, 4 * HOUR);
    expect(events).toEqual([]);
  });

  it('says nothing of one request of half a minute among ten a window', () => {
    const random = createRandom(2);
    const rows = (w: number): Row[] => {
      const count = Math.max(1, poisson(random, 10));
      return [{ name: 'web', count, meanUs: w === 3 * HOUR ? (count * 20_000 + 30e6) / count : 20_000 }];
    };
    expect(run(rows, 0, 4 * HOUR).events).toEqual([]);
  });

  it('an alarm ends when requests do', () => {
    const end = 3 * HOUR;
    const slower = (w: number): number => 1 + 3 * grown(w, 2 * HOUR, HOUR / 2);
    const slow = service(3, slower, (w) => 1 - grown(w, end, 90 * MINUTE));
    const rows = (w: number): Row[] => [...slow(w), { name: 'other', count: 300 }];
    const { detector, opened } = run(rows, 0, end + 3 * HOUR);
    expect(opened.length).toBeGreaterThan(0);
    expect(detector.incidents().filter(({ state }) => state === 'open')).toEqual([]);
  });

  it('another mix of requests, when nearly all people leave, is no fault', () => {
    const random = createRandom(4);
    const rows = (w: number): Row[] => {
      const people = poisson(random, 300 * (1 - 0.97 * grown(w, 3 * HOUR, 2 * HOUR)));
      return [{ name: 'web', count: people + 5, meanUs: (people * 20_000 + 5 * 400_000) / (people + 5) }];
    };
    const { events } = run(rows, 0, 7 * HOUR);
    expect(events.flatMap(({ incident }) => incident.anomalies.filter(({ grownMs }) => grownMs))).toEqual([]);
  });

  it('a slow alarm outlasts that a judge of windows took its level for usual', () => {
    const random = createRandom(5);
    const rows = (w: number): Row[] => {
      const count = poisson(random, 80);
      return [{ name: 'web', count, errors: poisson(random, count * 0.2 * grown(w, 2 * HOUR, 40 * MINUTE)) }];
    };
    const { events } = run(rows, 0, 3.5 * HOUR);
    expect(events.filter(({ kind }) => kind === 'resolved')).toEqual([]);
    expect(events.filter(({ kind }) => kind === 'opened')).toHaveLength(1);
  });

  it('blocks of ten hours ago are no reference', () => {
    const before = run(
      service(6, () => 1),
      0,
      3 * HOUR,
    ).detector.exportPast();
    const detector = createDetector();
    detector.importPast(before);
    const quiet = service(
      7,
      () => 1,
      () => 0.3,
    );
    expect(run(quiet, 13 * HOUR, 15 * HOUR, { detector }).events).toEqual([]);
  });

  it.each([
    [60_000, 5_000],
    [5_000, 60_000],
  ])('of windows of %d ms is nothing to windows of %d ms', (before, now) => {
    const hours = 4;
    const past = run(
      service(
        8,
        () => 1,
        () => before / 5_000,
      ),
      0,
      (hours * 3_600_000) / before,
      { windowMs: before },
    );
    const detector = createDetector();
    detector.importPast(past.detector.exportPast());
    const from = (hours * 3_600_000) / now;
    const later = from + 60 * MINUTE;
    const rows = service(
      9,
      (w) => 1 + 3 * grown(w, later, 60 * MINUTE),
      () => now / 5_000,
    );
    const { opened } = run(rows, from, later + 75 * MINUTE, { detector, windowMs: now });
    expect(opened.map(({ startMs }) => (startMs - START_MS) / now >= later - MINUTE)).toEqual([true]);
  });

  it('waits for the side it was seen from when a log is read again from the middle of a window', () => {
    const both = (w: number): Row[] => [
      ...service(w, () => 1)(w).map((row) => ({ ...row, side: 'client' as const })),
      ...service(w, () => 1)(w),
    ];
    const past = run(both, 0, 3 * HOUR).detector.exportPast();
    const detector = createDetector();
    detector.importPast(past);
    const from = 3 * HOUR - 45 * MINUTE;
    run((w) => (w === from ? both(w).slice(0, 1) : both(w)), from, from + 2 * MINUTE, { detector });
    expect(blocksOf(detector)).toEqual([36, 36, 36]);
  });

  it('that still waits for its services is in a snapshot', () => {
    const past = run(
      service(11, () => 1),
      0,
      50 * HOUR,
    ).detector.exportPast();
    const other = (): Row[] => [{ name: 'other', count: 300 }];
    const whole = createDetector();
    whole.importPast(past);
    run(other, 50 * HOUR, 50 * HOUR + 5, { detector: whole });
    const restored = createDetector();
    restored.restore(whole.snapshot());
    expect(JSON.parse(restored.exportPast())).toEqual(JSON.parse(whole.exportPast()));
    for (const detector of [whole, restored])
      run(
        service(12, () => 1),
        50 * HOUR + 5,
        50 * HOUR + 10,
        { detector },
      );
    expect(blocksOf(whole).every((blocks) => blocks > 20)).toBe(true);
    expect(restored.exportPast()).toBe(whole.exportPast());
    expect(Buffer.from(restored.snapshot()).equals(Buffer.from(whole.snapshot()))).toBe(true);
  });

  it('leaves an unrelated incident a baseline: while it grew it was next to healthy', () => {
    const web = service(10, (w) => 1 + 3 * grown(w, 2 * HOUR, HOUR));
    const { detector, opened } = run(web, 0, 2 * HOUR + 40 * MINUTE);
    const [span] = detector.unhealthySpans('e');
    expect(opened[0]!.startMs).toBeLessThan(START_MS + (2 * HOUR + 15 * MINUTE) * 5_000);
    expect(span!.fromMs).toBeGreaterThan(START_MS + (2 * HOUR + 20 * MINUTE) * 5_000);
  });
});
