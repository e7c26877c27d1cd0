/** Options shared by the commands, and how they become a configuration. */
import type { Command } from 'commander';
import type { Config, ConfigInput } from '../config.ts';
import { resolveConfig } from '../config.ts';

export interface CommonOptions {
  readonly config?: string;
  readonly bus?: string;
  readonly brokers?: string;
  readonly topicPrefix?: string;
  readonly environment?: string;
}

/** Adds --config and the options of the bus. */
export function withBusOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration file (default: ./rootwalk.json when it is there)')
    .option('--bus <kind>', 'embedded or kafka')
    .option('--brokers <list>', 'Kafka brokers, host:port separated by commas')
    .option('--topic-prefix <prefix>', 'topics are <prefix>.calls, <prefix>.tcp, …');
}

/** Flags win over ROOTWALK_* variables, these over the file, the file over the defaults. */
export function configFrom(options: CommonOptions, more: ConfigInput = {}): Config {
  const bus = {
    ...(options.bus === undefined ? {} : { kind: options.bus as 'kafka' }),
    ...(options.brokers === undefined ? {} : { brokers: options.brokers.split(',') }),
    ...(options.topicPrefix === undefined ? {} : { topicPrefix: options.topicPrefix }),
    ...more.bus,
  };
  return resolveConfig(options.config, process.env, {
    ...more,
    ...(options.environment === undefined ? {} : { environment: options.environment }),
    bus,
  });
}

/** Parses `90s`, `15m`, `500ms`, `2h` or plain milliseconds. */
export function parseDurationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim());
  if (match === null) throw new Error(`expected a duration such as 90s, 15m or 500ms, found "${text}"`);
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[match[2] ?? 'ms'] ?? 1;
  return Number(match[1]) * unit;
}
