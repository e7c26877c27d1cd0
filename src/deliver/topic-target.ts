/** The bus as a receiver: CloudEvents on `<prefix>.reports` (whole report) and `<prefix>.incidents` (one line of it). */
import type { Bus } from '../bus/index.ts';
import { topicsOf } from '../bus/index.ts';
import type { OutboxMessage } from '../model/outbox.ts';
import type { Report } from '../model/report.ts';
import { cloudEvent } from './bodies.ts';
import type { Target } from './target.ts';

/** Name of this receiver in the delivery log. */
export const TOPIC_TARGET = 'bus';

export function createTopicTarget(bus: Bus, topicPrefix: string): Target {
  const topics = topicsOf(topicPrefix);
  return {
    name: TOPIC_TARGET,
    accepts: () => true,
    async send(message, report) {
      try {
        await bus.publish(topics.reports, [outgoing(message, report, report)]);
        await bus.publish(topics.incidents, [outgoing(message, report, incidentLine(report))]);
        return { ok: true, status: null, error: null, retryAfterMs: null, gone: false, throttled: false };
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        return { ok: false, status: null, error: text, retryAfterMs: null, gone: false, throttled: false };
      }
    },
    close: async () => {},
  };
}

function outgoing(message: OutboxMessage, report: Report, data: unknown): Parameters<Bus['publish']>[1][number] {
  return {
    key: `${report.environment}/${report.incidentId}`,
    value: new TextEncoder().encode(JSON.stringify(cloudEvent(message, data, report.incidentId))),
    headers: { 'content-type': 'application/cloudevents+json; charset=utf-8', 'schema-version': '1' },
  };
}

function incidentLine(report: Report): unknown {
  const [cause] = report.causes;
  return {
    incidentId: report.incidentId,
    environment: report.environment,
    state: report.state,
    startMs: report.startMs,
    openedMs: report.openedMs,
    ...(report.recurredMs === undefined ? {} : { recurredMs: report.recurredMs }),
    resolvedMs: report.resolvedMs,
    endedMs: report.endedMs,
    reportId: report.id,
    revision: report.revision,
    provisional: report.provisional,
    summary: report.summary,
    cause:
      cause === undefined
        ? null
        : { entity: cause.entity, faultClass: cause.faultClass, title: cause.title, confidence: cause.confidence },
  };
}
