/** Starts a load generator on the client's machine, towards the gateway. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Lab } from '../lab.ts';
import { writeJsonAtomically } from '../naming.ts';
import { LabProcess } from '../process.ts';
import type { LoadConfig } from './load-config.ts';

const MAX_IN_FLIGHT = 1_000;

export type LoadPlan = Pick<LoadConfig, 'mix' | 'arrivals' | 'points' | 'seed' | 'maxRequests' | 'outFile'>;

/** @param name  of its process, its log and its configuration */
export function launchLoad(lab: Lab, name: string, plan: LoadPlan): LabProcess {
  const { client, gateway } = lab.topology;
  const config: LoadConfig = {
    ...plan,
    address: lab.machine(gateway.machine).address,
    port: gateway.port,
    timeoutMs: client.timeoutMs ?? 5_000,
    connections: client.connections ?? 128,
    maxInFlight: MAX_IN_FLIGHT,
  };
  const configFile = join(lab.dir, `${name}.load.json`);
  writeJsonAtomically(configFile, config);
  const script = fileURLToPath(new URL('generator.ts', import.meta.url));
  return new LabProcess({
    name,
    netns: lab.machine(client.machine).netns,
    command: [process.execPath, '--disable-warning=ExperimentalWarning', script, configFile],
    logFile: join(lab.dir, `${name}.log`),
  });
}
