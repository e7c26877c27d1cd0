/** Somebody takes every connection that PostgreSQL has to give, and nobody else gets one. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RcaError } from '../../src/model/errors.ts';
import { LabProcess } from '../process.ts';
import { python } from '../shell.ts';
import type { StartFault } from './fault.ts';

const FULL_MS = 10_000;
const script = fileURLToPath(new URL('../servers/connection_hog.py', import.meta.url));

export const connectionLimit: StartFault = async (lab, target) => {
  const store = lab.places(target.store ?? '')[0];
  if (store?.port === undefined) throw new RcaError('RCA_INTERNAL', `lab: no store ${target.store}`);
  const hog = new LabProcess({
    name: 'connection-hog',
    netns: lab.machine(lab.topology.client.machine).netns,
    command: [python(), '-u', script, store.machine.address, String(store.port)],
    logFile: join(lab.dir, 'connection-hog.log'),
  });
  await hog.waitFor(() => hog.lines.length > 0, FULL_MS);
  return {
    stop: async () => {
      await hog.stop('SIGTERM', FULL_MS);
      const held = /"connectionsHeld":\s*(\d+)/.exec(hog.lines.at(-1) ?? '')?.[1];
      return { connectionsHeld: Number(held ?? Number.NaN) };
    },
  };
};
