import { Command, Option } from 'commander';
import { pipelineOf, rulesOf } from '../engine/create.ts';
import { replayMessages } from '../engine/replay.ts';
import { RcaError } from '../model/errors.ts';
import { readJsonLines, readRecording } from '../recording/index.ts';
import { canonicalJson, toMarkdown } from '../report/index.ts';
import { engineFlags } from './engine.ts';
import type { CommonOptions } from './options.ts';
import { configFrom } from './options.ts';

interface ReplayOptions extends CommonOptions {
  readonly format: 'json' | 'markdown';
  readonly rules?: string;
  readonly all?: boolean;
}

export function replayCommand(): Command {
  return new Command('replay')
    .argument('<file>', 'recording (.rwrec) of "rootwalk record" or of the lab, or JSON events (.jsonl), one a line')
    .description(
      'Runs a recording through the engine and writes its reports to standard output; byte-identical every time.',
    )
    .option('-c, --config <file>', 'configuration file')
    .option('--rules <dir>', 'fault tree (default: the one that comes with rootwalk)')
    .option('--all', 'every revision, not only the last of each incident')
    .addOption(
      new Option('--format <format>', 'how reports are written').choices(['json', 'markdown']).default('markdown'),
    )
    .addHelpText('after', '\nExample:\n  rootwalk replay datasets/packet-loss.rwrec --format markdown')
    .action(async (file: string, options: ReplayOptions) => {
      const config = configFrom(options, { engine: engineFlags(options) });
      const messages = file.endsWith('.jsonl') ? readJsonLines(file) : readRecording(file);
      if (messages.length === 0)
        throw new RcaError('RCA_BAD_INPUT', `${file}: it holds no messages: nothing to replay`);
      const result = await replayMessages(pipelineOf(config, rulesOf(config)), messages);
      const reports = options.all ? result.reports : result.last;
      for (const report of reports)
        process.stdout.write(options.format === 'json' ? `${canonicalJson(report)}\n` : `${toMarkdown(report)}\n`);
      for (const { origin, reason, detail } of result.deadLetters.slice(0, 3))
        console.error(`rootwalk: dead letter, message ${origin.offset}: ${reason}: ${detail}`);
      console.error(
        `rootwalk: ${messages.length} messages, ${result.windows} windows, ${result.last.length} incidents, ${result.deadLetters.length} dead letters`,
      );
      if (result.windows === 0)
        throw new RcaError(
          'RCA_BAD_INPUT',
          `${file}: none of its messages could be used; the dead letters above say why, docs/bus.md says what is expected`,
        );
    });
}
