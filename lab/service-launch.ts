/** Starts one instance of a service on its machine and waits until it serves. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { InstanceGroup } from './cgroup.ts';
import { writeJsonAtomically } from './naming.ts';
import type { Machine } from './network/namespaces.ts';
import { LabProcess } from './process.ts';
import type { ServiceConfig } from './services/service-config.ts';
import { python } from './shell.ts';
import type { Runtime, ServiceSpec } from './types.ts';

export interface ServiceLaunch {
  readonly spec: ServiceSpec;
  readonly instance: string;
  readonly machine: Machine;
  readonly group: InstanceGroup | undefined;
  readonly version: string;
  readonly seed: number;
  readonly dir: string;
  readonly peersFile: string;
  readonly controlFile: string;
}

const CALL_TIMEOUT_MS = 2_000;
const SQL_TIMEOUT_MS = 1_500;
const READY_TIMEOUT_MS = 20_000;

function path(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

function runtimeCommand(runtime: Runtime, configFile: string): string[] {
  if (runtime === 'node') {
    return [process.execPath, '--disable-warning=ExperimentalWarning', path('services/node-service.ts'), configFile];
  }
  return [python(), '-u', '-B', path('services/python_service.py'), configFile];
}

/** @throws {RcaError} RCA_ENVIRONMENT with its last words when it does not become ready */
export async function launchService(launch: ServiceLaunch): Promise<LabProcess> {
  const { spec, instance, machine, dir } = launch;
  const config: ServiceConfig = {
    service: spec.name,
    instance,
    address: machine.address,
    port: spec.port,
    seed: launch.seed,
    callTimeoutMs: spec.callTimeoutMs ?? CALL_TIMEOUT_MS,
    sqlTimeoutMs: spec.sqlTimeoutMs ?? SQL_TIMEOUT_MS,
    routes: spec.routes,
    peersFile: launch.peersFile,
    controlFile: launch.controlFile,
  };
  const configFile = join(dir, `${instance}.service.json`);
  writeJsonAtomically(configFile, config);
  const started = new LabProcess({
    name: instance,
    netns: machine.netns,
    command: runtimeCommand(spec.runtime, configFile),
    group: launch.group,
    env: { SERVICE_VERSION: launch.version, SERVICE_NAME: spec.name },
    logFile: join(dir, `${instance}.log`),
  });
  await started.waitFor(() => started.lines.some((line) => line.includes('"ready"')), READY_TIMEOUT_MS);
  return started;
}
