/** A list of messages through a pipeline, to the end: what replay, datasets' tests and backtests use. */
import type { BusMessage } from '../bus/index.ts';
import type { DeadLetter } from '../codec/index.ts';
import type { Report } from '../model/report.ts';
import type { Pipeline } from '../pipeline.ts';
import { feed } from './feed.ts';

export interface ReplayResult {
  /** Every revision, in order. */
  readonly reports: readonly Report[];
  /** The last revision of each incident, in order of first report. */
  readonly last: readonly Report[];
  readonly windows: number;
  readonly deadLetters: readonly DeadLetter[];
}

export async function replayMessages(pipeline: Pipeline, messages: readonly BusMessage[]): Promise<ReplayResult> {
  const reports: Report[] = [];
  const deadLetters: DeadLetter[] = [];
  let windows = 0;
  for (const message of messages) {
    const result = await feed(pipeline, message);
    deadLetters.push(...result.deadLetters);
    windows += result.outcomes.length;
    for (const outcome of result.outcomes) reports.push(...outcome.reports);
  }
  for (const outcome of await pipeline.flush()) {
    windows++;
    reports.push(...outcome.reports);
  }
  const last = new Map<string, Report>();
  for (const report of reports) last.set(report.incidentId, report);
  return { reports, last: [...last.values()], windows, deadLetters };
}
