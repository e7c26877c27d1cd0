import { describe, expect, it } from 'vitest';
import { isOneIncident, score, summarise } from '../../lab/score.ts';
import type { DeliveredReport } from '../../lab/system-under-test.ts';
import type { InjectedFault } from '../../lab/types.ts';
import type { Entity } from '../../src/model/entity.ts';
import { edge, instance, service } from '../../src/model/entity.ts';
import type { Report } from '../../src/model/report.ts';

const ONSET = 1_000_000;
const fault: InjectedFault = {
  kind: 'cpu-throttle',
  target: { instance: 'product-2' },
  args: {},
  truth: { entity: instance('product-2'), faultClass: 'cpu_throttling', acceptClasses: ['cpu_saturation'] },
  fromMs: ONSET,
  toMs: ONSET + 60_000,
  proof: {},
};

interface Sketch {
  readonly incident?: string;
  readonly afterS: number;
  readonly startS?: number;
  readonly causes: readonly (readonly [Entity, string, (readonly string[])?])[];
}

function report({ incident = 'i1', afterS, startS = 0, causes }: Sketch): DeliveredReport {
  const report = {
    incidentId: incident,
    startMs: ONSET + startS * 1_000,
    resolvedMs: null,
    phenomenon: `phenomenon of ${incident}`,
    causes: causes.map(([entity, faultClass, instances = []]) => ({ entity, faultClass, instances, confidence: 0.9 })),
  } as unknown as Report;
  return { receivedMs: ONSET + afterS * 1_000, type: 'incident.opened', report };
}

describe('score', () => {
  it('the exact entity and class, once', () => {
    const { faults, falseIncidents } = score(
      [fault],
      [report({ afterS: 12, causes: [[instance('product-2'), 'cpu_throttling']] })],
    );
    expect(faults[0]).toMatchObject({
      ...{ top1Entity: true, top1Exact: true, classMatch: true, classExact: true, rank: 1, incidents: 1 },
      ...{ onsetToReportS: 12, onsetToRightReportS: 12 },
    });
    expect(falseIncidents).toEqual([]);
  });

  it('two faults at once: the first two causes of one incident, in any order, or an incident for each', () => {
    const other: InjectedFault = { ...fault, truth: { entity: service('shop-db'), faultClass: 'slow_database' } };
    const [one, two] = [
      [instance('product-2'), 'cpu_throttling'],
      [service('shop-db'), 'slow_database'],
    ] as const;
    const right = { top1Entity: true, classMatch: true, together: 2 };
    const both = score([fault, other], [report({ afterS: 12, causes: [two, one] })]).faults;
    expect(both).toMatchObject([
      { ...right, rank: 2, incidents: 1, onsetToRightReportS: 12 },
      { ...right, rank: 1, incidents: 1 },
    ]);
    const apart = score(
      [fault, other],
      [report({ afterS: 12, causes: [two] }), report({ incident: 'i2', afterS: 14, causes: [one] })],
    ).faults;
    expect(apart).toMatchObject([{ ...right, onsetToReportS: 14, incidents: 2 }, right]);
    expect(apart.every(isOneIncident)).toBe(true);
    const third = score([fault, other], [report({ afterS: 12, causes: [two, [service('user'), 'slow_code'], one] })]);
    expect(third.faults[0]).toMatchObject({ top1Entity: false, rank: 3 });
    const joined = { ...other, fromMs: ONSET + 30_000, toMs: ONSET + 90_000 };
    const reports = [report({ afterS: 12, causes: [one] }), report({ afterS: 44, causes: [two, one] })];
    expect(score([fault, joined], reports).faults).toMatchObject([
      { ...right, incidents: 1, onsetToReportS: 12 },
      { ...right, incidents: 1, onsetToReportS: 14, onsetToRightReportS: 14 },
    ]);
    expect(score([fault, joined], reports.slice(0, 1)).faults[1]?.onsetToReportS).toBeNull();
    const later = { ...other, fromMs: fault.toMs, toMs: fault.toMs + 1 };
    expect(score([fault, later], []).faults.map(({ together }) => together)).toEqual([1, 1]);
  });

  it('its service narrowed to that instance is right but not exact; narrowed to two instances or another is wrong', () => {
    const judge = (instances: readonly string[]): unknown =>
      score([fault], [report({ afterS: 9, causes: [[service('product'), 'cpu_saturation', instances]] })]).faults[0];
    expect(judge(['product-2'])).toMatchObject({
      top1Entity: true,
      top1Exact: false,
      classMatch: true,
      classExact: false,
    });
    expect(judge(['product-1', 'product-2'])).toMatchObject({ top1Entity: false, rank: null });
    expect(judge(['product-1'])).toMatchObject({ top1Entity: false });
    expect(judge([])).toMatchObject({ top1Entity: false });
  });

  it('the last report of an incident is judged, the first one stops the clock', () => {
    const { faults } = score(
      [fault],
      [
        report({ afterS: 10, causes: [[service('gateway'), 'unknown']] }),
        report({
          afterS: 20,
          causes: [
            [service('gateway'), 'unknown'],
            [instance('product-2'), 'cpu_throttling'],
          ],
        }),
        report({ afterS: 30, causes: [[instance('product-2'), 'cpu_throttling']] }),
      ],
    );
    expect(faults[0]).toMatchObject({
      top1Entity: true,
      rank: 1,
      incidents: 1,
      onsetToReportS: 10,
      onsetToRightReportS: 30,
    });
  });

  it('a second incident of the same fault is counted, one long after or before it is false', () => {
    const { faults, falseIncidents } = score(
      [fault],
      [
        report({ afterS: 10, causes: [[instance('product-2'), 'cpu_throttling']] }),
        report({ incident: 'i2', afterS: 15, startS: 5, causes: [[service('cart'), 'unknown']] }),
        report({ incident: 'i3', afterS: -40, startS: -60, causes: [] }),
        report({ incident: 'i4', afterS: 200, startS: 190, causes: [] }),
      ],
    );
    expect(faults[0]?.incidents).toBe(2);
    expect(falseIncidents.map(({ incidentId }) => incidentId)).toEqual(['i3', 'i4']);
  });

  it('no report is not right', () => {
    expect(score([fault], []).faults[0]).toMatchObject({
      ...{ top1: null, top1Entity: false, classMatch: false, classExact: false, rank: null, incidents: 0 },
      ...{ onsetToReportS: null, onsetToRightReportS: null },
    });
  });

  it('edges are told by both ends', () => {
    const loss = { ...fault, truth: { entity: edge('order', 'payment'), faultClass: 'packet_loss' as const } };
    const judge = (entity: Entity): boolean | undefined =>
      score([loss], [report({ afterS: 9, causes: [[entity, 'packet_loss']] })]).faults[0]?.top1Entity;
    expect(judge(edge('order', 'payment'))).toBe(true);
    expect(judge(edge('payment', 'order'))).toBe(false);
  });

  it('sums runs', () => {
    const run = (afterS: number, entity: Entity): { score: ReturnType<typeof score>; healthyS: number } => ({
      score: score([fault], [report({ afterS, causes: [[entity, 'cpu_throttling']] })]),
      healthyS: 120,
    });
    expect(
      summarise([
        run(10, instance('product-2')),
        run(30, instance('product-2')),
        run(20, service('cart')),
        { score: score([], [report({ afterS: 1, causes: [] })]), healthyS: 240 },
      ]),
    ).toEqual({
      ...{ runs: 4, faults: 3, top1Entity: 2, top1Exact: 2, classMatch: 3, classExact: 3, exactlyOneIncident: 3 },
      ...{ falseIncidents: 1, onsetToReportMedianS: 20, onsetToReportWorstS: 30, healthyMinutes: 10 },
    });
  });
});
