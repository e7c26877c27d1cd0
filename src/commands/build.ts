import { Command } from 'commander';
import { buildCollector } from '../../collector/build.ts';

export function buildCommand(): Command {
  return new Command('build')
    .description('Builds the eBPF objects and the loader into build/; installs clang, libbpf and bpftool where it may.')
    .addHelpText('after', '\nExample:\n  rootwalk build')
    .action(async () => {
      await buildCollector();
    });
}
