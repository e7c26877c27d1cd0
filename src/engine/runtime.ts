/**
 * The engine on a bus: consume, analyse, make the effect durable, commit. At least once in, effectively once out:
 *
 * - Reports are stored with their outbox message in one transaction, under an id derived from their content, so that a
 *   window analysed again writes nothing again.
 * - State is rebuilt, not guarded. The log is read from an anchor (stored; it moves on only while nothing is wrong and
 *   keeps enough history to warm the baselines); windows up to the last durable one are analysed silently.
 * - Offsets are committed after the effect; they tell others how far the engine is, they do not decide where it starts.
 */
import type { Bus, BusMessage, Subscription } from '../bus/index.ts';
import { topicsOf } from '../bus/index.ts';
import type { RuleSet } from '../classify/index.ts';
import type { DeadLetter } from '../codec/index.ts';
import type { Config } from '../config.ts';
import type { Incident } from '../model/incident.ts';
import type { Report } from '../model/report.ts';
import type { Pipeline, WindowOutcome } from '../pipeline.ts';
import type { Store } from '../store/index.ts';
import { pipelineOf } from './create.ts';
import { DeadLetters } from './dead-letters.ts';
import { feed } from './feed.ts';
import { writeReportFiles } from './output-files.ts';
import { TelemetryWatch } from './telemetry-watch.ts';

export interface EngineOptions {
  readonly config: Config;
  readonly bus: Bus;
  readonly store: Store;
  readonly rules: RuleSet;
  /** Called after a report is durable. `file` is its Markdown. */
  onReport?(report: Report, file: string): void;
  onError?(error: Error): void;
  onDeadLetter?(letter: DeadLetter): void;
  /** A collector fell silent, its records get lost on the way, or that is over. */
  onTelemetry?(line: string, environment: string): void;
  /** Publishes reports and incidents to their topics; wakes the webhook worker. */
  onStored?(report: Report): Promise<void> | void;
}

export interface Engine {
  readonly pipeline: Pipeline;
  stats(): EngineStats;
  /** Finishes what it is doing, commits, ends the subscription. */
  stop(): Promise<void>;
}

export interface EngineStats {
  readonly messages: number;
  readonly deadLetters: number;
  readonly windows: number;
  readonly reports: number;
}

/** History kept before the anchor when it moves: the longest baseline and some more. */
const ANCHOR_HISTORY_MS = 45 * 60_000;
const ANCHOR_STEP_MS = 5 * 60_000;
const ANCHOR_KEY = 'anchorMs';
/** What recurs daily, and what grows for hours, is older than the log that is read again: kept, more often than that stretch is long. */
const PAST_STEP_MS = 30 * 60_000;
const PAST_KEY = 'past';
/** How often the database is rid of what is older than `engine.keepDays`. */
const PRUNE_STEP_MS = 3_600_000;
const DAY_MS = 86_400_000;

export async function startEngine(options: EngineOptions): Promise<Engine> {
  const { config, bus, store, rules } = options;
  const topics = topicsOf(config.bus.topicPrefix);
  const pipeline = pipelineOf(config, rules);
  const watch = new TelemetryWatch();
  const letters = new DeadLetters(bus, store, topics.deadLetter);
  const stats = { messages: 0, deadLetters: 0, windows: 0, reports: 0 };
  const storedAnchor = store.state(ANCHOR_KEY);
  let anchorMs = storedAnchor === undefined ? undefined : Number(storedAnchor);
  let pastMs = Number.NEGATIVE_INFINITY;
  let prunedMs = Number.NEGATIVE_INFINITY;
  const past = store.state(PAST_KEY);
  if (past !== undefined) pipeline.detector.importPast(past);
  let subscription: Subscription | undefined;

  async function settle(outcome: WindowOutcome): Promise<void> {
    stats.windows++;
    const lines = watch.step(outcome);
    const key = `window/${outcome.environment}`;
    const durable = Number(store.state(key) ?? Number.NEGATIVE_INFINITY);
    if (outcome.windowStartMs <= durable) return;
    for (const line of lines) options.onTelemetry?.(line, outcome.environment);
    const reported = new Set<string>();
    for (const report of outcome.reports) {
      const incident = outcome.incidents.find((candidate) => candidate.id === report.incidentId);
      const { reportStored } = store.applyEffect({ report, ...(incident === undefined ? {} : { incident }) });
      reported.add(report.incidentId);
      const file = writeReportFiles(config.engine.output, report);
      if (!reportStored) continue;
      stats.reports++;
      await options.onStored?.(report);
      options.onReport?.(report, file);
    }
    for (const incident of outcome.incidents) if (!reported.has(incident.id)) store.applyEffect({ incident });
    store.applyEffect({ state: { [key]: String(outcome.windowStartMs) } });
  }

  async function onMessages(messages: readonly BusMessage[]): Promise<void> {
    for (const message of messages) {
      stats.messages++;
      if (anchorMs === undefined) {
        anchorMs = message.timestampMs;
        store.applyEffect({ state: { [ANCHOR_KEY]: String(anchorMs) } });
      }
      const { outcomes, deadLetters } = await feed(pipeline, message);
      if (deadLetters.length > 0 && (await letters.publish(message, deadLetters))) {
        stats.deadLetters += deadLetters.length;
        for (const letter of deadLetters) options.onDeadLetter?.(letter);
      }
      for (const outcome of outcomes) await settle(outcome);
    }
    const last = messages.at(-1);
    if (last === undefined) return;
    moveAnchor(last.timestampMs);
    prune(last.timestampMs);
    await subscription?.commit([
      { topic: last.topic, partition: last.partition, offset: (BigInt(last.offset) + 1n).toString() },
    ]);
  }

  /** By the time of the bus, as everything here: what is read again does not make others old. */
  function prune(nowMs: number): void {
    if (nowMs - prunedMs < PRUNE_STEP_MS) return;
    prunedMs = nowMs;
    store.prune(nowMs - config.engine.keepDays * DAY_MS);
  }

  function moveAnchor(nowMs: number): void {
    const wanted = nowMs - ANCHOR_HISTORY_MS;
    if (anchorMs === undefined || wanted - anchorMs < ANCHOR_STEP_MS) return;
    // What is over for as long as is read again leaves no trace in it; detection remembers it for longer.
    const isRecent = ({ state, resolvedMs = 0 }: Incident): boolean => state === 'open' || resolvedMs >= wanted;
    if (pipeline.detector.incidents().some(isRecent)) return;
    anchorMs = wanted;
    const due = wanted - pastMs >= PAST_STEP_MS;
    if (due) pastMs = wanted;
    store.applyEffect({
      state: {
        [ANCHOR_KEY]: String(anchorMs),
        ...(due ? { [PAST_KEY]: pipeline.detector.exportPast() } : {}),
      },
    });
  }

  subscription = await bus.subscribe({
    topics: topics.inputs,
    group: config.bus.group,
    start: anchorMs === undefined ? 'earliest' : { sinceMs: anchorMs },
    onMessages,
    ...(options.onError === undefined ? {} : { onError: options.onError }),
  });
  const running = subscription;
  return { pipeline, stats: () => ({ ...stats }), stop: () => running.stop() };
}
