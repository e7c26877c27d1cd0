import { Command } from 'commander';
import { evalDetectCommand } from '../../eval/detect/command.ts';
import { evalRcaCommand } from '../../eval/rca/command.ts';

export function evalCommand(): Command {
  return new Command('eval')
    .description('Runs the same stages on cases that nobody here wrote, and writes predictions for their scorers.')
    .addCommand(evalRcaCommand())
    .addCommand(evalDetectCommand())
    .addHelpText('after', '\nExample:\n  rootwalk eval rca --pack DIR --out predictions.csv');
}
