/**
 * The whole method on one screen: decoded batch -> closed windows -> anomalies -> incidents -> comparison ->
 * attribution -> walk -> verdicts -> report. A function of its input: the same batches, in any order within the
 * lateness, give the same reports, byte for byte. Effects (files, webhooks, commits) are the caller's.
 */
import type { RuleSet } from './classify/index.ts';
import { classify, classifyFurther } from './classify/index.ts';
import type { DetectConfig, Detector } from './detect/index.ts';
import { createDetector, DEFAULT_DETECT_CONFIG } from './detect/index.ts';
import { drillDown } from './engine/drill-down.ts';
import type { Walked } from './engine/evidence.ts';
import { evidenceOf, walkThrough } from './engine/evidence.ts';
import type { Unconfirmed } from './engine/report-policy.ts';
import { isDue, isForgotten, isProvisional, isUrgent, judgeNews, lastAbnormalMs } from './engine/report-policy.ts';
import type { BatchMeta, DecodedBatch, Ingest, IngestConfig, TakeResult } from './ingest/index.ts';
import { createIngest } from './ingest/index.ts';
import { compareNames } from './model/entity.ts';
import type { Incident, IncidentEvent } from './model/incident.ts';
import type { Report } from './model/report.ts';
import type { ClosedWindow } from './model/window.ts';
import { buildReport } from './report/index.ts';

export interface PipelineOptions {
  readonly rules: RuleSet;
  readonly configHash: string;
  readonly ingest?: Partial<IngestConfig>;
  readonly detect?: Partial<DetectConfig>;
}

/** What one closed window led to. */
export interface WindowOutcome {
  readonly environment: string;
  readonly windowStartMs: number;
  /** Collectors of which anything arrived, and `collector/type` of records known to be lost. */
  readonly collectors: readonly string[];
  readonly incomplete: readonly string[];
  readonly events: readonly IncidentEvent[];
  readonly reports: readonly Report[];
  /** Incidents whose state changed, reported or not. */
  readonly incidents: readonly Incident[];
}

export interface Pipeline {
  /** Takes one batch; returns what became of it and what the windows it closed led to. */
  accept(
    batch: DecodedBatch,
    meta?: BatchMeta,
  ): Promise<{ readonly push: TakeResult; readonly outcomes: readonly WindowOutcome[] }>;
  /** Closes every open window: the end of a recording. */
  flush(): Promise<readonly WindowOutcome[]>;
  readonly ingest: Ingest;
  readonly detector: Detector;
}

/** What is known of an incident from its last analysis. */
interface Progress {
  readonly previous: Report | undefined;
  readonly waiting: Unconfirmed | undefined;
  readonly kept: Walked | undefined;
}

const NOTHING_TOLD: Progress = { previous: undefined, waiting: undefined, kept: undefined };

export function createPipeline(options: PipelineOptions): Pipeline {
  const ingest = createIngest(options.ingest);
  const detector = createDetector(options.detect);
  const { reopenWindows } = { ...DEFAULT_DETECT_CONFIG, ...options.detect };
  const progress = new Map<string, Progress>();

  async function analyse(incident: Incident, window: ClosedWindow): Promise<Report | undefined> {
    const nowMs = lastAbnormalMs(incident, window);
    const exclude = detector.unhealthySpans(incident.environment, incident.id);
    const { previous, waiting, kept } = progress.get(incident.id) ?? NOTHING_TOLD;
    const walked = walkThrough(evidenceOf(ingest, incident, nowMs, exclude), kept);
    const { comparison, walk, steps, leftOutFromMs } = walked;
    const verdicts = await classify(comparison, walk, options.rules);
    const furtherVerdicts = await classifyFurther(comparison, walk, options.rules, steps);
    const report = buildReport({
      incident,
      comparison,
      ...(leftOutFromMs === undefined ? {} : { leftOutFromMs }),
      steps,
      walk,
      verdicts,
      furtherVerdicts,
      attribution: drillDown(comparison, walk),
      ...(previous === undefined ? {} : { previous }),
      reportedMs: window.startMs + window.windowMs,
      provisional: isProvisional(incident, window),
      configHash: options.configHash,
      rulesHash: options.rules.hash(),
    });
    const news = judgeNews(previous, report, waiting);
    const told = news.isTold ? report : previous;
    const isOver = incident.state === 'resolved';
    progress.set(incident.id, {
      previous: told,
      waiting: isOver ? undefined : news.waiting,
      kept: isOver || leftOutFromMs === undefined ? undefined : walked,
    });
    return news.isTold ? report : undefined;
  }

  async function step(window: ClosedWindow): Promise<WindowOutcome> {
    const events = detector.step(window);
    const touched = new Map(events.map((event) => [event.incident.id, event.incident]));
    for (const incident of detector.incidents(window.environment)) {
      if (isUrgent(progress.get(incident.id)?.waiting) || isDue(incident, window)) touched.set(incident.id, incident);
      // One that opens again goes on with the next revision of its report.
      else if (isForgotten(incident, window, reopenWindows)) progress.delete(incident.id);
    }
    const incidents = [...touched.values()].sort((a, b) => a.startMs - b.startMs || compareNames(a.id, b.id));
    const reports: Report[] = [];
    for (const incident of incidents) {
      const report = await analyse(incident, window);
      if (report !== undefined) reports.push(report);
    }
    const { environment, startMs, collectors, incomplete } = window;
    return { environment, windowStartMs: startMs, collectors, incomplete, events, reports, incidents };
  }

  /** One by one: a comparison must know nothing of windows that are due as well. */
  async function steps(): Promise<WindowOutcome[]> {
    const outcomes: WindowOutcome[] = [];
    for (let window = ingest.next(); window !== undefined; window = ingest.next()) outcomes.push(await step(window));
    return outcomes;
  }

  return {
    ingest,
    detector,
    async accept(batch, meta) {
      const push = ingest.take(batch, meta);
      return { push, outcomes: await steps() };
    },
    flush() {
      ingest.finish();
      return steps();
    },
  };
}
