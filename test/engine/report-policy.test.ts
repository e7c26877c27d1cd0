/** What is worth a new revision of a report. */
import { describe, expect, it } from 'vitest';
import { isDue, isUrgent, judgeNews } from '../../src/engine/report-policy.ts';
import { service } from '../../src/model/entity.ts';
import type { Incident, Symptom } from '../../src/model/incident.ts';
import type { RankedCause, Report } from '../../src/model/report.ts';
import type { ClosedWindow } from '../../src/model/window.ts';
import { sampleReport } from '../report/fixtures.ts';

const report = await sampleReport();
const [first] = report.causes as [RankedCause];
const second: RankedCause = {
  ...first,
  rank: 2,
  entity: service('db'),
  faultClass: 'slow_database',
  symptom: service('user'),
};
/** Told by two analyses in a row that find the same; what is told at once, by one. */
const isTold = (previous: Report, next: Report): boolean =>
  judgeNews(previous, next, judgeNews(previous, next).waiting).isTold;
const withCauses = (...causes: RankedCause[]): Report => ({ ...report, causes });

describe('a report is worth sending again', () => {
  it('when another cause stands beside the first, once', () => {
    expect(isTold(withCauses(first), withCauses(first))).toBe(false);
    expect(isTold(withCauses(first), withCauses(first, second))).toBe(true);
    expect(isTold(withCauses(first, second), withCauses(first))).toBe(false);
    expect(isTold(withCauses(first, second), withCauses(first, { ...second, confidence: 0.5 }))).toBe(false);
  });

  it('not when two causes that are told change places; when the first is gone and the second leads', () => {
    const leads = { ...second, rank: 1, shares: { errors: 1 } };
    const { symptom: _symptom, ...lead } = leads;
    const follows = { ...first, rank: 2, symptom: service('user') };
    expect(isTold(withCauses(first, second), withCauses(lead, follows))).toBe(false);
    expect(isTold(withCauses(first, second), withCauses(lead))).toBe(true);
  });

  it('not for a further suspect of the same change', () => {
    const { symptom: _symptom, ...same } = second;
    expect(isTold(withCauses(first), withCauses(first, { ...same, shares: { latency: 0.1 } }))).toBe(false);
  });

  it('when state, provisionality, first cause or its confidence change', () => {
    expect(judgeNews(undefined, report).isTold).toBe(true);
    expect(isTold(report, { ...report, state: 'resolved' })).toBe(true);
    expect(isTold(report, { ...report, provisional: !report.provisional })).toBe(true);
    expect(isTold(withCauses(first), withCauses({ ...first, faultClass: 'unknown' }))).toBe(true);
    expect(isTold(withCauses(first), withCauses({ ...first, confidence: first.confidence - 0.2 }))).toBe(true);
    expect(isTold(withCauses(first), withCauses({ ...first, confidence: first.confidence - 0.1 }))).toBe(false);
  });

  it('news at the second analysis in a row that finds it; what led once is not told', () => {
    const told = withCauses(first);
    const astray = withCauses({ ...first, faultClass: 'traffic_drop', confidence: 0.45 });
    const once = judgeNews(told, astray);
    expect(once.isTold).toBe(false);
    expect([...once.waiting!.causes]).toHaveLength(1);
    expect(judgeNews(told, astray, once.waiting).isTold).toBe(true);
    // The analysis after finds what was told before: nothing waits any more.
    expect(judgeNews(told, told, once.waiting)).toEqual({ isTold: false });
    // Something else each time: never twice the same.
    const other = withCauses({ ...first, faultClass: 'slow_code' });
    const elsewhere = judgeNews(told, other, once.waiting);
    expect(elsewhere.isTold).toBe(false);
    expect(elsewhere.waiting).not.toEqual(once.waiting);
    // The end of the incident, and of the provisional time, is told with whatever is found then.
    expect(judgeNews(told, { ...astray, state: 'resolved' }).isTold).toBe(true);
    expect(judgeNews(told, { ...astray, provisional: !told.provisional }).isTold).toBe(true);
  });

  it('a leader whose confidence moved, whatever else waits; and no more than three in a row are urgent', () => {
    const told = withCauses(first);
    const unsure = withCauses({ ...first, confidence: first.confidence - 0.3 }, second);
    expect(judgeNews(told, unsure).isTold).toBe(true);
    let { waiting } = judgeNews(told, withCauses({ ...first, faultClass: 'a' }));
    expect(isUrgent(undefined)).toBe(false);
    const urgent = ['b', 'c', 'd'].map((faultClass) => {
      const before = isUrgent(waiting);
      ({ waiting } = judgeNews(told, withCauses({ ...first, faultClass }), waiting));
      return before;
    });
    expect([...urgent, isUrgent(waiting)]).toEqual([true, true, true, false]);
  });

  it('that nothing stands out any more, too', () => {
    const told = withCauses(first);
    const none = withCauses();
    expect(judgeNews(told, none).isTold).toBe(false);
    expect(judgeNews(told, none, judgeNews(told, none).waiting).isTold).toBe(true);
  });
});

describe('an incident is analysed', () => {
  const windowMs = 5_000;
  const at = (windows: number) => report.startMs + windows * windowMs;
  const incident = (...onsets: readonly (readonly [windows: number, symptom: Symptom])[]): Incident =>
    ({
      state: 'open',
      environment: 'e',
      startMs: at(0),
      openedMs: at(1),
      anomalies: onsets.map(([windows, symptom]) => ({ onsetMs: at(windows), symptom })),
    }) as unknown as Incident;
  const due = (one: Incident, windows: readonly number[]): number[] =>
    windows.filter((w) => isDue(one, { environment: 'e', startMs: at(w), windowMs } as unknown as ClosedWindow));
  const all = Array.from({ length: 26 }, (_, w) => w);

  it('in every window of the first half minute, then in one of six', () => {
    expect(due(incident([0, 'latency_rise']), all)).toEqual([1, 2, 3, 4, 5, 6, 7, 13, 19, 25]);
    expect(due({ ...incident(), state: 'resolved' }, all)).toEqual([]);
    expect(due({ ...incident(), environment: 'other' }, all)).toEqual([]);
  });

  it('and when what users feel began later and has lasted half a minute', () => {
    expect(due(incident([0, 'latency_rise'], [9, 'error_rise']), all)).toContain(14);
    expect(due(incident([0, 'latency_rise'], [9, 'resource_rise']), all)).not.toContain(14);
    expect(due(incident([0, 'latency_rise'], [5, 'latency_rise']), all)).not.toContain(10);
  });
});
