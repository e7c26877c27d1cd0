/** A report on the terminal: three lines as it happens. */
import type { Report } from '../model/report.ts';

export function oneLine(report: Report, file: string): string {
  const cause = report.causes[0];
  const what =
    cause === undefined
      ? 'no cause stands out'
      : `${cause.title} (${cause.entity.name}, ${cause.faultClass}, confidence ${cause.confidence.toFixed(2)})`;
  const head =
    report.state === 'resolved' ? 'resolved' : report.revision === 1 ? 'incident' : `update ${report.revision}`;
  return `${new Date(report.reportedMs).toISOString()} ${report.environment} ${head} ${report.incidentId}: ${what}\n  ${report.summary}\n  ${file}`;
}
