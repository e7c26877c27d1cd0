import { Command } from 'commander';
import { openBus } from '../engine/open-bus.ts';
import { startEngineService } from '../engine/service.ts';
import { inOrder, untilSignal } from './lifetime.ts';
import type { CommonOptions } from './options.ts';
import { configFrom, withBusOptions } from './options.ts';
import { oneLine } from './show-report.ts';

interface EngineOptions extends CommonOptions {
  readonly rules?: string;
  readonly output?: string;
  readonly database?: string;
}

export function engineCommand(): Command {
  return withBusOptions(new Command('engine'))
    .description(
      'Consumes records, detects incidents, finds their root cause, delivers reports by file, topic and webhook.',
    )
    .option('--rules <dir>', 'fault tree (default: the one that comes with rootwalk)')
    .option('--output <dir>', 'folder for <incident>.md and .json')
    .option('--database <file>', 'SQLite file of incidents, reports and the webhook outbox')
    .addHelpText(
      'after',
      '\nExample:\n  rootwalk engine --bus kafka --brokers localhost:9092 --rules rules/ --output incidents',
    )
    .action(async (options: EngineOptions) => {
      const config = configFrom(options, { engine: engineFlags(options) });
      const ending = untilSignal();
      const bus = await openBus(config.bus);
      const service = await startEngineService({
        config,
        bus,
        log: (line) => console.error(`rootwalk: ${line}`),
        onReport: (report, file) => console.log(oneLine(report, file)),
        onFailure: (error) => {
          console.error(`rootwalk: the consumer ended: ${error.message}`);
          process.exitCode = 1;
          ending.release();
        },
      });
      console.error(
        `rootwalk: engine is running on ${config.bus.kind === 'kafka' ? config.bus.brokers.join(',') : 'the embedded bus'}; Ctrl-C ends it`,
      );
      await ending.signalled;
      await inOrder(
        () => service.stop(),
        () => bus.close(),
      );
      const { messages, windows, reports, deadLetters } = service.stats();
      console.error(
        `rootwalk: ${messages} messages, ${windows} windows, ${reports} reports, ${deadLetters} dead letters`,
      );
    });
}

export function engineFlags(options: {
  readonly rules?: string;
  readonly output?: string;
  readonly database?: string;
}): Record<string, string> {
  const { rules, output, database } = options;
  return {
    ...(rules === undefined ? {} : { rules }),
    ...(output === undefined ? {} : { output }),
    ...(database === undefined ? {} : { database }),
  };
}
