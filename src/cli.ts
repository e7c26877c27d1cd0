/** The `rootwalk` command. Each subcommand lives in its own file and is loaded only when it is called. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { endWithReader } from './commands/closed-pipe.ts';
import { RcaError } from './model/errors.ts';

/** Name -> one line of help and the module that builds the command. */
const COMMANDS: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<Command> }>> = {
  up: {
    summary: 'collector, embedded bus, engine and store in one process; --demo replays a recorded incident',
    load: async () => (await import('./commands/up.ts')).upCommand(),
  },
  collect: {
    summary: 'watch this host with eBPF and publish records',
    load: async () => (await import('./commands/collect.ts')).collectCommand(),
  },
  engine: {
    summary: 'consume records, detect incidents, deliver root-cause reports',
    load: async () => (await import('./commands/engine.ts')).engineCommand(),
  },
  replay: {
    summary: 'run a recording through the engine and print its reports',
    load: async () => (await import('./commands/replay.ts')).replayCommand(),
  },
  record: {
    summary: 'write a stretch of the bus to one file',
    load: async () => (await import('./commands/record.ts')).recordCommand(),
  },
  lab: {
    summary: 'real services in network namespaces, real faults, scored reports',
    load: async () => (await import('../lab/run.ts')).labCommand(),
  },
  doctor: {
    summary: 'what this host can and cannot observe, why, and the mend',
    load: async () => (await import('./commands/doctor.ts')).doctorCommand(),
  },
  rules: {
    summary: 'check and test the fault tree',
    load: async () => (await import('./rules-command.ts')).rulesCommand(),
  },
  attribute: {
    summary: 'which dimension values carry the change in a table',
    load: async () => (await import('./attribute-command.ts')).attributeCommand(),
  },
  eval: {
    summary: 'accuracy on foreign cases',
    load: async () => (await import('./commands/eval.ts')).evalCommand(),
  },
  deliveries: {
    summary: 'list webhook deliveries and send one again',
    load: async () => (await import('./commands/deliveries.ts')).deliveriesCommand(),
  },
  build: {
    summary: 'build the eBPF objects and the loader',
    load: async () => (await import('./commands/build.ts')).buildCommand(),
  },
};

export function version(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }).version;
}

/** @returns the exit code: 0 done, 1 failed, 2 wrong usage or configuration */
export async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('rootwalk')
    .description('Finds out why a service got slow, failed or lost traffic, from eBPF telemetry.')
    .version(version(), '-V, --version')
    .showSuggestionAfterError()
    .showHelpAfterError('(rootwalk COMMAND --help shows its options and an example)')
    .exitOverride();
  program
    .command('version')
    .description('print the version')
    .action(() => console.log(version()));
  const wanted = argv.find((argument) => !argument.startsWith('-'));
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    if (name === wanted) {
      const command = await load();
      program.addCommand(command.exitOverride().showSuggestionAfterError());
    } else {
      program.command(name).description(summary).allowUnknownOption();
    }
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : 0;
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): number {
  if (error instanceof RcaError) {
    console.error(`rootwalk: ${error.message}`);
    return error.code === 'RCA_BAD_CONFIG' ? 2 : 1;
  }
  if (error instanceof Error && 'exitCode' in error && 'code' in error && String(error.code).startsWith('commander.')) {
    return error.exitCode === 0 ? 0 : 2;
  }
  if (error instanceof Error && 'syscall' in error && 'code' in error) {
    console.error(`rootwalk: ${error.message}`);
    return 1;
  }
  console.error(`rootwalk: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return 1;
}

endWithReader(process.stdout, process.stderr);
const code = await main(process.argv.slice(2));
process.exitCode = code;
// After a failure nothing may keep the process alive; a watched child ends with it.
if (code !== 0) process.exit(code);
