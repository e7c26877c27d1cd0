/** The engine with everything around it: store, rules that reload, delivery, files. Used by `up` and `engine`. */
import { mkdirSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Bus } from '../bus/index.ts';
import type { RuleSet } from '../classify/index.ts';
import { describeProblems } from '../classify/index.ts';
import type { Config } from '../config.ts';
import { createDeliveryWorker } from '../deliver/index.ts';
import type { Report } from '../model/report.ts';
import type { Store } from '../store/index.ts';
import { openStore } from '../store/index.ts';
import { rulesOf } from './create.ts';
import type { EngineStats } from './runtime.ts';
import { startEngine } from './runtime.ts';
import { checkWebhookClasses, unusedClasses } from './webhook-classes.ts';

export interface ServiceOptions {
  readonly config: Config;
  readonly bus: Bus;
  readonly log: (line: string) => void;
  /** A recording is played into it: that its collectors fall silent is its end and no news. */
  readonly finiteEnvironment?: string;
  onReport?(report: Report, file: string): void;
  /** The consumer ended by itself. */
  onFailure(error: Error): void;
}

export interface EngineService {
  stats(): EngineStats;
  /** The last report stored for the newest incident of an environment. */
  latestReport(environment: string): Report | undefined;
  stop(): Promise<void>;
}

/** @throws {RcaError} when the store, the rules or the bus cannot be used */
export async function startEngineService(options: ServiceOptions): Promise<EngineService> {
  const { config, log } = options;
  const rules = rulesOf(config);
  for (const line of checkWebhookClasses(config.webhooks, classesOf(rules))) log(line);
  mkdirSync(dirname(config.engine.database), { recursive: true });
  const store = openStore(config.engine.database);
  try {
    return await startOn(store, rules, options);
  } catch (error) {
    store.close();
    throw error;
  }
}

async function startOn(store: Store, rules: RuleSet, options: ServiceOptions): Promise<EngineService> {
  const { config, bus, log } = options;
  const worker = createDeliveryWorker({
    outbox: store,
    receivers: config.webhooks,
    bus,
    topicPrefix: config.bus.topicPrefix,
    onAttempt: (attempt, outcome) => {
      if (outcome.state === 'delivered' || attempt.receiver === 'bus') return;
      log(
        `webhook ${attempt.receiver}: attempt ${attempt.attempt} failed: ${attempt.error ?? `status ${attempt.status}`}`,
      );
    },
    onError: (error) => log(`outbox: ${error instanceof Error ? error.message : String(error)}`),
  });
  const engine = await startEngine({
    config,
    bus,
    store,
    rules,
    onStored: () => worker.wake(),
    onDeadLetter: (letter) =>
      log(
        `dead letter from ${letter.origin.topic}/${letter.origin.partition}@${letter.origin.offset}: ${letter.reason}: ${letter.detail}`,
      ),
    onTelemetry: (line, environment) => {
      if (environment !== options.finiteEnvironment) log(line);
    },
    onError: options.onFailure,
    ...(options.onReport === undefined ? {} : { onReport: options.onReport }),
  });
  worker.start();
  const stopWatching = watchRules(rules, config.webhooks, log);
  return {
    stats: () => engine.stats(),
    latestReport(environment) {
      const incident = store.incidents({ environment, limit: 1 })[0];
      return incident === undefined ? undefined : store.latestReport(incident.id)?.report;
    },
    async stop() {
      stopWatching();
      await engine.stop();
      await worker.stop();
      store.close();
    },
  };
}

function classesOf(rules: RuleSet): string[] {
  return rules.tree().families.flatMap((family) => family.rules.map((rule) => rule.class));
}

const SETTLE_MS = 200;

/** Reloads the rules when a file of theirs changes; a bad reload leaves the tree in force and says why. */
function watchRules(rules: RuleSet, webhooks: Config['webhooks'], log: (line: string) => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const watcher = watch(rules.dir, () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const before = rules.hash();
      const problems = rules.reload();
      if (problems.length > 0)
        log(`the rules in ${rules.dir} are not valid, the old tree stays in force:\n${describeProblems(problems)}`);
      else if (rules.hash() !== before) {
        log(`rules reloaded (${rules.hash()})`);
        for (const { text } of unusedClasses(webhooks, classesOf(rules))) log(text);
      }
    }, SETTLE_MS);
  });
  watcher.on('error', (error) => log(`cannot watch ${rules.dir}: ${error.message}`));
  return () => {
    clearTimeout(timer);
    watcher.close();
  };
}
