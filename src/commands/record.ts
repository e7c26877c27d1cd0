import { Command } from 'commander';
import { topicsOf } from '../bus/index.ts';
import { openBus } from '../engine/open-bus.ts';
import { RcaError } from '../model/errors.ts';
import { writeRecording } from '../recording/index.ts';
import { inOrder, untilSignal } from './lifetime.ts';
import type { CommonOptions } from './options.ts';
import { configFrom, parseDurationMs, withBusOptions } from './options.ts';

interface RecordOptions extends CommonOptions {
  readonly out: string;
  readonly for?: string;
  readonly since?: string;
  readonly note?: string;
}

export function recordCommand(): Command {
  return withBusOptions(new Command('record'))
    .description('Writes a stretch of the bus to one .rwrec file with a manifest beside it, for "rootwalk replay".')
    .requiredOption('-o, --out <file>', 'file to write')
    .option('--for <duration>', 'end after so long, e.g. 10m (default: at Ctrl-C)')
    .option('--since <duration>', 'begin so far in the past, e.g. 15m (default: now)')
    .option('--note <text>', 'put this text into the manifest')
    .addHelpText(
      'after',
      '\nExample:\n  rootwalk record --bus kafka --brokers localhost:9092 --since 15m --for 1m --out incident.rwrec',
    )
    .action(async (options: RecordOptions) => {
      const config = configFrom(options);
      if (config.bus.kind !== 'kafka')
        throw new RcaError(
          'RCA_BAD_CONFIG',
          'record reads a bus that other processes write to: use --bus kafka --brokers HOST:PORT',
        );
      const ending = untilSignal();
      const bus = await openBus(config.bus);
      const writer = writeRecording(options.out);
      const subscription = await bus.subscribe({
        topics: topicsOf(config.bus.topicPrefix).inputs,
        group: `${config.bus.group}-record-${process.pid}`,
        start: options.since === undefined ? 'latest' : { sinceMs: Date.now() - parseDurationMs(options.since) },
        onMessages: (messages) => {
          for (const message of messages) writer.add(message);
          return Promise.resolve();
        },
        onError: (error) => {
          console.error(`rootwalk: the consumer ended: ${error.message}`);
          process.exitCode = 1;
          ending.release();
        },
      });
      const timer =
        options.for === undefined ? undefined : setTimeout(() => ending.release(), parseDurationMs(options.for));
      const progress = setInterval(() => console.error(`rootwalk: ${writer.messages} messages recorded`), 10_000);
      console.error('rootwalk: recording; Ctrl-C ends it');
      await ending.signalled;
      clearTimeout(timer);
      clearInterval(progress);
      await inOrder(
        () => subscription.stop(),
        () => bus.close(),
        async () => {
          const manifest = await writer.close(options.note === undefined ? {} : { note: options.note });
          console.error(
            `rootwalk: ${options.out}: ${manifest.messages} messages, ${manifest.bytes} bytes, sha256 ${manifest.sha256.slice(0, 12)}…`,
          );
        },
      );
    });
}
