import { Command } from 'commander';
import type { HostCheck } from '../../collector/doctor.ts';
import { canCollect, checkHost, checkProbes } from '../../collector/doctor.ts';

const MARK = { ok: 'ok      ', degraded: 'degraded', missing: 'MISSING ' } as const;

export function doctorCommand(): Command {
  return new Command('doctor')
    .description(
      'Says what this host can and cannot observe, why, and the mend. Exit code 1 when it cannot be watched.',
    )
    .option('--json', 'the checks as JSON')
    .option('--no-probes', 'do not load the probes to prove it')
    .addHelpText('after', '\nExample:\n  rootwalk doctor')
    .action(async (options: { readonly json?: boolean; readonly probes: boolean }) => {
      const host = checkHost();
      const possible = canCollect(host);
      const probes = options.probes && possible ? await checkProbes() : [];
      const checks = [...host, ...probes];
      if (options.json) console.log(JSON.stringify(checks, null, 2));
      else for (const check of checks) print(check);
      const ok = possible && canCollect(probes);
      if (!options.json)
        console.log(
          ok ? '\nThis host can be watched.' : '\nThis host cannot be watched completely; see the lines above.',
        );
      process.exitCode = possible ? 0 : 1;
    });
}

function print({ name, state, found, consequence, mend }: HostCheck): void {
  console.log(`${MARK[state]}  ${name}: ${found}`);
  if (state === 'ok') return;
  if (consequence !== undefined) console.log(`            ${consequence}`);
  if (mend !== undefined) console.log(`            mend: ${mend}`);
}
