/** Redis without persistence; its UNIX socket is for the lab, so that no probe of ours shows up in the traffic. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { InstanceGroup } from '../cgroup.ts';
import type { Machine } from '../network/namespaces.ts';
import { LabProcess } from '../process.ts';
import { tryRun } from '../shell.ts';
import type { StoreSpec } from '../types.ts';

export function redisSocket(dir: string, store: string): string {
  return join(dir, store, 'redis.sock');
}

export async function startRedis(
  store: StoreSpec,
  machine: Machine,
  dir: string,
  group: InstanceGroup | undefined,
): Promise<LabProcess> {
  const own = join(dir, store.name);
  mkdirSync(own, { recursive: true });
  const socket = redisSocket(dir, store.name);
  const settings = {
    bind: machine.address,
    port: String(store.port),
    unixsocket: socket,
    dir: own,
    save: '',
    appendonly: 'no',
    'protected-mode': 'no',
    maxmemory: '64mb',
    'maxmemory-policy': 'allkeys-lru',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const process = new LabProcess({
    name: store.name,
    netns: machine.netns,
    command: ['redis-server', ...options],
    group,
    logFile: join(dir, `${store.name}.log`),
  });
  const answers = async (): Promise<boolean> =>
    (await tryRun(['redis-cli', '-s', socket, 'ping'])).stdout.trim() === 'PONG';
  await process.waitFor(answers, 10_000);
  return process;
}
