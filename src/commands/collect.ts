import { Command, InvalidArgumentError } from 'commander';
import { netnsInode } from '../../collector/collector.ts';
import { busPublisher } from '../../collector/publisher.ts';
import { openBus } from '../engine/open-bus.ts';
import type { AnyBatch } from '../model/records.ts';
import { inOrder, untilSignal } from './lifetime.ts';
import type { CommonOptions } from './options.ts';
import { configFrom, withBusOptions } from './options.ts';
import { checkNaming, describeProbes, startCollector } from './run-collector.ts';

interface CollectOptions extends CommonOptions {
  readonly name?: string;
  readonly namingFile?: string;
  readonly netns?: readonly number[];
  readonly captureBytes?: number;
  readonly encoding?: 'protobuf' | 'json';
  readonly print?: 'jsonl';
}

export function parseNetns(text: string): number[] {
  return text.split(',').map((item) => netnsInode(/^\d+$/.test(item) ? Number(item) : item));
}

function parsePrint(text: string): 'jsonl' {
  if (text !== 'jsonl') throw new InvalidArgumentError('expected jsonl');
  return text;
}

export function collectorFlags(options: CollectOptions): Record<string, unknown> {
  const { name, namingFile, netns, captureBytes, encoding } = options;
  return {
    ...(name === undefined ? {} : { name }),
    ...(namingFile === undefined ? {} : { namingFile }),
    ...(netns === undefined ? {} : { netns }),
    ...(captureBytes === undefined ? {} : { captureBytes }),
    ...(encoding === undefined ? {} : { encoding }),
  };
}

export function withCollectorOptions(command: Command): Command {
  return command
    .option('--environment <name>', 'deployment.environment.name of what is seen')
    .option('--name <name>', 'name of this collector (default: the host name)')
    .option('--naming-file <file>', 'JSON that names processes, addresses and machines; read again when it changes')
    .option(
      '--netns <list>',
      'network namespaces to watch: inodes, names or paths, separated by commas (default: all)',
      parseNetns,
    )
    .option('--capture-bytes <n>', 'bytes of each read and write that are looked at', Number);
}

export function collectCommand(): Command {
  return withCollectorOptions(withBusOptions(new Command('collect')))
    .description('Watches this host with eBPF and publishes records every 5 seconds. Needs root.')
    .option('--encoding <kind>', 'protobuf or json')
    .option('--print <format>', 'jsonl: write batches to standard output instead of a bus', parsePrint)
    .addHelpText('after', '\nExample:\n  rootwalk collect --bus kafka --brokers localhost:9092 --environment shop')
    .action(async (options: CollectOptions) => {
      const config = configFrom(options, { collector: collectorFlags(options) });
      checkNaming(config);
      const ending = untilSignal();
      const bus = options.print === undefined ? await openBus(config.bus) : undefined;
      const print = (batch: AnyBatch): Promise<void> => {
        process.stdout.write(`${JSON.stringify(batch)}\n`);
        return Promise.resolve();
      };
      const collector = await startCollector(
        config,
        bus === undefined ? print : busPublisher(bus, config.bus.topicPrefix, config.collector.encoding),
      );
      for (const line of describeProbes(collector)) console.error(`rootwalk: ${line}`);
      if (bus?.kind === 'embedded')
        console.error(
          'rootwalk: the embedded bus has no other process on it; use "rootwalk up", --bus kafka or --print jsonl',
        );
      console.error('rootwalk: collector is running; Ctrl-C ends it');
      await ending.signalled;
      await inOrder(
        () => collector.stop(),
        () => bus?.close(),
      );
    });
}
