/** `rootwalk eval detect`: single curves through the default detector. */
import { Command } from 'commander';
import { predictCurves } from './predict.ts';

export function evalDetectCommand(): Command {
  return new Command('detect')
    .description('Runs the default gauge detector over single curves (ts_s,value) and writes ts_s,score,alarm.')
    .requiredOption('--pack <dir>', 'folder of <set>/<curve>.csv.gz; a label column is not read')
    .requiredOption('--out <dir>', 'where <set>/<curve>.csv.gz with the predictions go')
    .addHelpText('after', '\nExample:\n  rootwalk eval detect --pack curves --out predictions')
    .action(({ pack, out }: { pack: string; out: string }) => {
      const { curves, points, alarms, seconds } = predictCurves(pack, out, (line) => process.stderr.write(`${line}\n`));
      const rate = Math.round(points / seconds);
      process.stdout.write(`${curves} curves, ${points} points, ${alarms} alarms, ${rate} points/s in the detector\n`);
    });
}
