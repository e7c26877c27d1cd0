import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type { Collector } from '../../collector/collector.ts';
import { busPublisher } from '../../collector/publisher.ts';
import type { Bus } from '../bus/index.ts';
import { openBus } from '../engine/open-bus.ts';
import type { EngineService } from '../engine/service.ts';
import { startEngineService } from '../engine/service.ts';
import { RcaError } from '../model/errors.ts';
import { toMarkdown } from '../report/index.ts';
import { collectorFlags, withCollectorOptions } from './collect.ts';
import { publishDemo } from './demo.ts';
import { engineFlags } from './engine.ts';
import type { Ending } from './lifetime.ts';
import { inOrder, untilSignal } from './lifetime.ts';
import type { CommonOptions } from './options.ts';
import { configFrom } from './options.ts';
import { checkNaming, describeProbes, startCollector } from './run-collector.ts';
import { oneLine } from './show-report.ts';

interface UpOptions extends CommonOptions {
  readonly demo?: true | string;
  readonly once?: boolean;
  readonly collector: boolean;
  readonly rules?: string;
  readonly output?: string;
  readonly database?: string;
}

const SETTLE_MS = 500;

export const DATASETS = fileURLToPath(new URL('../../datasets', import.meta.url));

export function upCommand(): Command {
  return withCollectorOptions(new Command('up'))
    .description('Everything in one process group: live collector, embedded bus, engine, SQLite. No server to install.')
    .option('-c, --config <file>', 'configuration file (default: ./rootwalk.json when it is there)')
    .option('--demo [recording]', 'also replay a recorded incident in an environment named demo')
    .option('--once', 'with --demo: end when its report stands')
    .option('--no-collector', 'do not watch this host')
    .option('--rules <dir>', 'fault tree (default: the one that comes with rootwalk)')
    .option('--output <dir>', 'folder for <incident>.md and .json')
    .option('--database <file>', 'SQLite file of incidents, reports and the webhook outbox')
    .addHelpText('after', '\nExample:\n  rootwalk up --demo')
    .action(run);
}

async function run(options: UpOptions): Promise<void> {
  if (options.once && !options.demo)
    throw new RcaError(
      'RCA_BAD_CONFIG',
      '--once ends when the report of the demo stands. Mend: add --demo, or drop --once',
    );
  const config = configFrom(
    { ...options, bus: 'embedded' },
    { engine: engineFlags(options), collector: collectorFlags(options as Parameters<typeof collectorFlags>[0]) },
  );
  if (options.collector) checkNaming(config);
  const say = (line: string): void => console.error(`rootwalk: ${line}`);
  const ending = untilSignal();
  const bus = await openBus(config.bus);
  const service = await startEngineService({
    config,
    bus,
    log: say,
    ...(options.demo ? { finiteEnvironment: 'demo' } : {}),
    onReport: (report, file) => {
      console.log(oneLine(report, file));
    },
    onFailure: (error) => {
      say(`the consumer ended: ${error.message}`);
      process.exitCode = 1;
      ending.release();
    },
  });
  let collector: Collector | undefined;
  try {
    if (options.collector)
      collector = await observe(config, busPublisher(bus, config.bus.topicPrefix, config.collector.encoding), say);
    if (options.demo) await replayDemo(options.demo, bus, config.bus.topicPrefix, service, ending, say);
    if (options.once) ending.release();
    if (!ending.isOver()) say(`reports go to ${config.engine.output}/; Ctrl-C ends`);
    await ending.signalled;
  } finally {
    say('ending');
    await inOrder(
      () => collector?.stop(),
      () => service.stop(),
      () => bus.close(),
    );
  }
}

/** Plays the recording and prints its last report; leaves off when the end is asked for or the engine has failed. */
async function replayDemo(
  recording: string | true,
  bus: Bus,
  topicPrefix: string,
  service: EngineService,
  ending: Ending,
  say: (line: string) => void,
): Promise<void> {
  const file = recording === true ? defaultRecording() : recording;
  if (file === undefined) {
    say(`no recording in ${DATASETS} to replay; give one: --demo FILE`);
    return;
  }
  say(`replaying ${file} in the environment "demo"`);
  const published = await publishDemo(bus, topicPrefix, file);
  await settled(() => service.stats().messages, published, ending);
  if (ending.isOver()) return;
  // A second run stores nothing new: the same recording gives the same report.
  const demo = service.latestReport('demo');
  console.log(demo === undefined ? 'the recording led to no report' : `\n${toMarkdown(demo)}`);
}

/** Watches this host where kernel and rights allow; else says what is missing and goes on without. */
async function observe(
  config: Parameters<typeof startCollector>[0],
  publish: Parameters<typeof startCollector>[1],
  say: (line: string) => void,
): Promise<Collector | undefined> {
  try {
    const collector = await startCollector(config, publish);
    for (const line of describeProbes(collector)) say(line);
    return collector;
  } catch (error) {
    say(`this host is not watched: ${(error as Error).message}`);
    say('"rootwalk doctor" says what is missing and the mend');
    return undefined;
  }
}

/** Waits until the engine has taken at least so many messages and stands still, or the end is asked for. */
async function settled(messages: () => number, atLeast: number, ending: Ending): Promise<void> {
  let before = -1;
  while (!ending.isOver() && (messages() < atLeast || messages() !== before)) {
    before = messages();
    await Promise.race([ending.signalled, new Promise((resolve) => setTimeout(resolve, SETTLE_MS))]);
  }
}

function defaultRecording(): string | undefined {
  if (!existsSync(DATASETS)) return undefined;
  const files = readdirSync(DATASETS)
    .filter((name) => name.endsWith('.rwrec'))
    .sort();
  const preferred = files.find((name) => name.startsWith('packet-loss')) ?? files[0];
  return preferred === undefined ? undefined : join(DATASETS, preferred);
}
