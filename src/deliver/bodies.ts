/** The bodies of a webhook: native, Alertmanager v4, CloudEvents. Functions of message and report: retries send the same bytes. */
import { createHash } from 'node:crypto';
import type { OutboxMessage } from '../model/outbox.ts';
import type { RankedCause, Report } from '../model/report.ts';
import type { BodyKind } from './types.ts';

/** Standard Webhooks: keep payloads below 20 kB. */
export const MAX_BODY_BYTES = 20_000;

export interface Body {
  readonly contentType: string;
  readonly text: string;
}

const iso = (ms: number): string => new Date(ms).toISOString();

export function renderBody(kind: BodyKind, message: OutboxMessage, report: Report, receiver: string): Body {
  switch (kind) {
    case 'native':
      return { contentType: 'application/json', text: fitted(report, (data) => nativeBody(message, data)) };
    case 'cloudevents':
      return {
        contentType: 'application/cloudevents+json; charset=utf-8',
        text: fitted(report, (data) => cloudEvent(message, data)),
      };
    case 'alertmanager':
      return { contentType: 'application/json', text: JSON.stringify(alertmanagerBody(report, receiver)) };
  }
}

function nativeBody(message: OutboxMessage, data: unknown): unknown {
  return { type: message.type, timestamp: iso(message.timestampMs), data };
}

/** A CloudEvents 1.0 event in the JSON format. */
export function cloudEvent(message: OutboxMessage, data: unknown, subject?: string): unknown {
  const incident = subject ?? (data as Partial<Report>).incidentId;
  return {
    specversion: '1.0',
    id: message.id,
    source: `/rootwalk/${encodeURIComponent(message.environment)}`,
    type: `dev.rootwalk.${message.type}`,
    ...(incident === undefined ? {} : { subject: incident }),
    time: iso(message.timestampMs),
    datacontenttype: 'application/json',
    dataschema: 'https://rootwalk.dev/schemas/report.schema.json',
    data,
  };
}

/** What goes first when a report is too large, least useful first. Each step names itself in `data.truncated`. */
const TRIMS: readonly (readonly [name: string, trim: (report: Report) => Report])[] = [
  ['causes.undecided', (r) => mapCauses(r, (cause) => ({ ...cause, undecided: [] }))],
  ['ledgers.entries', (r) => ({ ...r, ledgers: r.ledgers.map((l) => ({ ...l, entries: l.entries.slice(0, 10) })) })],
  ['causes.excluded', (r) => mapCauses(r, (cause) => ({ ...cause, excluded: cause.excluded.slice(0, 5) }))],
  ['attribution', (r) => ({ ...r, attribution: r.attribution.map(shortAttribution) })],
  [
    'causes.evidence',
    (r) => mapCauses(r, (c, i) => (i === 0 ? c : { ...c, evidence: c.evidence.slice(0, 3), observations: [] })),
  ],
  ['causes', (r) => ({ ...r, causes: r.causes.slice(0, 3) })],
  ['keyMetrics', (r) => ({ ...r, keyMetrics: r.keyMetrics.slice(0, 8) })],
  ['affected', (r) => ({ ...r, affected: r.affected.slice(0, 20) })],
  ['ledgers', (r) => ({ ...r, ledgers: [] })],
  ['attribution', (r) => ({ ...r, attribution: [] })],
  ['blindSpots', (r) => ({ ...r, blindSpots: r.blindSpots.slice(0, 5) })],
  ['causes', (r) => ({ ...r, causes: r.causes.slice(0, 1) })],
  [
    'causes.evidence',
    (r) => mapCauses(r, (c) => ({ ...c, evidence: c.evidence.slice(0, 3), observations: [], excluded: [] })),
  ],
  ['affected', (r) => ({ ...r, affected: [], propagation: r.propagation.slice(0, 8) })],
  [
    'text',
    (r) => ({
      ...r,
      phenomenon: cut(r.phenomenon),
      summary: cut(r.summary),
      checks: [],
      blindSpots: [],
      keyMetrics: [],
    }),
  ],
];

function shortAttribution(summary: Report['attribution'][number]): Report['attribution'][number] {
  return {
    ...summary,
    singles: summary.singles.slice(0, 6).map((single) => ({ ...single, values: single.values.slice(0, 3) })),
    elements: summary.elements.slice(0, 3),
  };
}

function mapCauses(report: Report, change: (cause: RankedCause, i: number) => RankedCause): Report {
  return { ...report, causes: report.causes.map(change) };
}

function cut(text: string): string {
  return text.length > 2_000 ? `${text.slice(0, 1_999)}…` : text;
}

/** The largest form of the report that fits. Facts never travel: they are in the stored report. */
function fitted(report: Report, render: (data: unknown) => unknown): string {
  let current = mapCauses(report, ({ facts: _facts, ...cause }) => cause);
  const truncated: string[] = [];
  let text = JSON.stringify(render(current));
  for (const [name, trim] of TRIMS) {
    if (Buffer.byteLength(text) < MAX_BODY_BYTES) break;
    const next = trim(current);
    if (!truncated.includes(name)) truncated.push(name);
    current = next;
    text = JSON.stringify(render({ ...current, truncated }));
  }
  return text;
}

/** Alertmanager's webhook payload, version 4. Labels stay the same over an incident's life, so consumers deduplicate. */
function alertmanagerBody(report: Report, receiver: string): unknown {
  const [cause] = report.causes;
  const status = report.state === 'resolved' ? 'resolved' : 'firing';
  // One stored by an earlier version does not say when it ended.
  const ended = report.endedMs ?? report.resolvedMs;
  const labels = {
    alertname: 'RootwalkIncident',
    environment: report.environment,
    incident_id: report.incidentId,
    severity: 'critical',
  };
  const annotations = {
    summary: cut(report.summary),
    description: cut(report.phenomenon),
    fault_class: cause?.faultClass ?? 'unknown',
    cause: cause === undefined ? '' : cut(cause.title),
    cause_entity: cause?.entity.name ?? '',
    confidence: String(cause?.confidence ?? 0),
    revision: String(report.revision),
    report_id: report.id,
    checks: cut(report.checks.join('\n')),
  };
  return {
    version: '4',
    groupKey: `{}:{incident_id="${report.incidentId}"}`,
    truncatedAlerts: 0,
    status,
    receiver,
    groupLabels: { incident_id: report.incidentId },
    commonLabels: labels,
    commonAnnotations: annotations,
    externalURL: '',
    alerts: [
      {
        status,
        labels,
        annotations,
        startsAt: iso(report.startMs),
        endsAt: ended === null ? '0001-01-01T00:00:00Z' : iso(ended),
        generatorURL: '',
        fingerprint: createHash('sha256').update(JSON.stringify(labels)).digest('hex').slice(0, 16),
      },
    ],
  };
}
