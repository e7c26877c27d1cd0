import { Command } from 'commander';
import { evalDetectCommand } from '../../eval/detect/command.ts';

export function evalCommand(): Command {
  return new Command('eval')
    .description('Runs the same stages on cases that nobody here wrote, and writes predictions for their scorers.')
    .addCommand(evalDetectCommand())
    .addHelpText('after', '\nExample:\n  rootwalk eval detect --pack DIR --out DIR2');
}
