import { describe, expect, it } from 'vitest';
import { MAX_BODY_BYTES, renderBody } from '../../src/deliver/index.ts';
import { service } from '../../src/model/entity.ts';
import type { OutboxMessage } from '../../src/model/outbox.ts';
import type { Report } from '../../src/model/report.ts';
import { incident, sampleReport, WORLD } from '../report/fixtures.ts';

const message = (report: Report): OutboxMessage => ({
  id: 'msg_1',
  type: 'incident.opened',
  reportId: report.id,
  environment: report.environment,
  timestampMs: report.reportedMs,
});

describe('bodies', () => {
  it('native stays below 20 kB however large the report, and says what was left out', async () => {
    const report = await sampleReport();
    const huge: Report = {
      ...report,
      causes: Array.from({ length: 10 }, (_, i) => ({
        ...report.causes[0]!,
        rank: i + 1,
        path: Array.from({ length: 200 }, () => service('x'.repeat(50))),
      })),
      affected: Array.from({ length: 2_000 }, (_, i) => service(`service-${i}`)),
      blindSpots: Array.from({ length: 300 }, (_, i) => `blind ${i} `.repeat(20)),
      propagation: Array.from({ length: 400 }, (_, i) => service(`hop-${i}`)),
    };
    const { text } = renderBody('native', message(report), huge, 'r');
    expect(Buffer.byteLength(text)).toBeLessThan(MAX_BODY_BYTES);
    const body = JSON.parse(text) as { data: Report & { truncated: string[] } };
    expect(body.data.truncated).toContain('affected');
    expect(body.data.causes[0]?.faultClass).toBe('packet_loss');
    expect(body.data.id).toBe(report.id);
  });

  it('native of an ordinary report is whole', async () => {
    const report = await sampleReport();
    const body = JSON.parse(renderBody('native', message(report), report, 'r').text) as {
      data: { truncated?: string[]; causes: unknown[] };
    };
    expect(body.data.truncated).toBeUndefined();
    expect(body.data.causes).toHaveLength(report.causes.length);
  });

  it('alertmanager v4: same labels and fingerprint when it fires and when it resolves', async () => {
    const report = await sampleReport();
    const resolved = await sampleReport({
      previous: report,
      incident: incident(WORLD, { state: 'resolved', resolvedMs: 1_700_000_090_000 }),
    });
    const [firing, over] = [report, resolved].map((r) =>
      JSON.parse(renderBody('alertmanager', message(r), r, 'ops').text),
    );
    expect(firing).toMatchObject({ version: '4', status: 'firing', receiver: 'ops', truncatedAlerts: 0 });
    expect(firing.alerts[0]).toMatchObject({
      status: 'firing',
      startsAt: '2023-11-14T22:13:20.000Z',
      endsAt: '0001-01-01T00:00:00Z',
    });
    expect(over.alerts[0]).toMatchObject({ status: 'resolved', endsAt: '2023-11-14T22:13:50.000Z' });
    expect(over.alerts[0].fingerprint).toBe(firing.alerts[0].fingerprint);
    expect(over.alerts[0].labels).toEqual(firing.alerts[0].labels);
    expect(firing.commonAnnotations.fault_class).toBe('packet_loss');
    expect(Object.values(firing.alerts[0].annotations).every((v) => typeof v === 'string')).toBe(true);
  });

  it('cloudevents 1.0, structured', async () => {
    const report = await sampleReport();
    const { contentType, text } = renderBody('cloudevents', message(report), report, 'r');
    expect(contentType).toMatch(/^application\/cloudevents\+json/);
    expect(JSON.parse(text)).toMatchObject({
      specversion: '1.0',
      id: 'msg_1',
      subject: report.incidentId,
      datacontenttype: 'application/json',
    });
  });
});
