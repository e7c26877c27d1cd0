/** What is worth a new revision of a report. */
import { describe, expect, it } from 'vitest';
import { isMaterial } from '../../src/engine/report-policy.ts';
import { service } from '../../src/model/entity.ts';
import type { RankedCause, Report } from '../../src/model/report.ts';
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
const withCauses = (...causes: RankedCause[]): Report => ({ ...report, causes });

describe('a report is worth sending again', () => {
  it('when another cause stands beside the first, once', () => {
    expect(isMaterial(withCauses(first), withCauses(first))).toBe(false);
    expect(isMaterial(withCauses(first), withCauses(first, second))).toBe(true);
    expect(isMaterial(withCauses(first, second), withCauses(first))).toBe(false);
    expect(isMaterial(withCauses(first, second), withCauses(first, { ...second, confidence: 0.5 }))).toBe(false);
  });

  it('not when two causes that are told change places; when the first is gone and the second leads', () => {
    const leads = { ...second, rank: 1, shares: { errors: 1 } };
    const { symptom: _symptom, ...lead } = leads;
    const follows = { ...first, rank: 2, symptom: service('user') };
    expect(isMaterial(withCauses(first, second), withCauses(lead, follows))).toBe(false);
    expect(isMaterial(withCauses(first, second), withCauses(lead))).toBe(true);
  });

  it('not for a further suspect of the same change', () => {
    const { symptom: _symptom, ...same } = second;
    expect(isMaterial(withCauses(first), withCauses(first, { ...same, shares: { latency: 0.1 } }))).toBe(false);
  });

  it('when state, provisionality, first cause or its confidence change', () => {
    expect(isMaterial(undefined, report)).toBe(true);
    expect(isMaterial(report, { ...report, state: 'resolved' })).toBe(true);
    expect(isMaterial(report, { ...report, provisional: !report.provisional })).toBe(true);
    expect(isMaterial(withCauses(first), withCauses({ ...first, faultClass: 'unknown' }))).toBe(true);
    expect(isMaterial(withCauses(first), withCauses({ ...first, confidence: first.confidence - 0.2 }))).toBe(true);
    expect(isMaterial(withCauses(first), withCauses({ ...first, confidence: first.confidence - 0.1 }))).toBe(false);
  });
});
