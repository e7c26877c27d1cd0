/** Another client, on the client's machine, sends `ratePerS` requests (default 200) for one `path`; it does not wait. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { launchLoad } from '../load/launch.ts';
import type { LoadResult } from '../load/load-config.ts';
import { seedFor } from '../random.ts';
import type { StartFault } from './fault.ts';
import { numberArgument, textArgument } from './fault.ts';

/** Nobody waits for its end: the fault does. */
const LONGEST_MS = 600_000;

export const trafficSurge: StartFault = async (lab, _target, args) => {
  const { client } = lab.topology;
  const ratePerS = numberArgument(args, 'ratePerS', 200);
  const name = `${client.name}-surge`;
  const outFile = join(lab.dir, `${name}.result.json`);
  const load = launchLoad(lab, name, {
    mix: [{ weight: 1, path: textArgument(args, 'path', client.mix[0]?.path ?? '/') }],
    arrivals: 'poisson',
    points: [0, LONGEST_MS].map((atMs) => ({ atMs, ratePerS })),
    seed: seedFor(lab.options.seed, name),
    maxRequests: Math.ceil((ratePerS * LONGEST_MS) / 1_000),
    outFile,
  });
  lab.setSurge(name, load);
  return {
    stop: async () => {
      await load.stop('SIGTERM', 10_000);
      lab.setSurge(name, undefined);
      const { total } = JSON.parse(readFileSync(outFile, 'utf8')) as LoadResult;
      return { requestsSent: total.sent };
    },
  };
};
