/** Another client, on the client's machine, sends `ratePerS` requests (default 200) for one `path`; it does not wait. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RcaError } from '../../src/model/errors.ts';
import type { LoadConfig, LoadResult } from '../load/load-config.ts';
import { writeJsonAtomically } from '../naming.ts';
import { LabProcess } from '../process.ts';
import { seedFor } from '../random.ts';
import type { StartFault } from './fault.ts';
import { numberArgument, textArgument } from './fault.ts';

const MAX_IN_FLIGHT = 1_000;
/** Nobody waits for its end: the fault does. */
const LONGEST_MS = 600_000;

export const trafficSurge: StartFault = async (lab, target, args) => {
  const { client, gateway } = lab.topology;
  if (target.service !== client.name) {
    throw new RcaError(
      'RCA_BAD_CONFIG',
      `lab: a traffic-surge comes from the client. Mend: "service": "${client.name}"`,
    );
  }
  const ratePerS = numberArgument(args, 'ratePerS', 200);
  const name = `${client.name}-surge`;
  const outFile = join(lab.dir, `${name}.load.json`);
  const config: LoadConfig = {
    address: lab.machine(gateway.machine).address,
    port: gateway.port,
    mix: [{ weight: 1, path: textArgument(args, 'path', client.mix[0]?.path ?? '/') }],
    arrivals: 'poisson',
    points: [
      { atMs: 0, ratePerS },
      { atMs: LONGEST_MS, ratePerS },
    ],
    seed: seedFor(lab.options.seed, name),
    timeoutMs: client.timeoutMs ?? 5_000,
    connections: client.connections ?? 128,
    maxRequests: Math.ceil((ratePerS * LONGEST_MS) / 1_000),
    maxInFlight: MAX_IN_FLIGHT,
    outFile,
  };
  const configFile = join(lab.dir, `${name}.json`);
  writeJsonAtomically(configFile, config);
  const load = new LabProcess({
    name,
    netns: lab.machine(client.machine).netns,
    command: [
      ...[process.execPath, '--disable-warning=ExperimentalWarning'],
      ...[fileURLToPath(new URL('../load/generator.ts', import.meta.url)), configFile],
    ],
    logFile: join(lab.dir, `${name}.log`),
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
