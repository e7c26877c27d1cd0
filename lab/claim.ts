/** Claims a number for a lab, with its directory, and starts the reaper that cleans up if the lab is killed. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RcaError } from '../src/model/errors.ts';
import { cleanupLab, cleanupLeftovers, OWNER_FILE, startTicks } from './cleanup.ts';
import { labDir } from './names.ts';

export interface Claim {
  readonly id: number;
  readonly dir: string;
  /** Removes everything of this lab; says what could not be removed. */
  release(): Promise<string[]>;
}

const MOST_LABS = 50;

/** The directory appears with its owner file in it, by rename: nobody ever sees a lab without an owner. */
function claimDirectory(): number {
  const fresh = mkdtempSync(join(tmpdir(), 'rootwalk-claim-'));
  chmodSync(fresh, 0o755);
  writeFileSync(join(fresh, OWNER_FILE), JSON.stringify({ pid: process.pid, startTicks: startTicks(process.pid) }));
  for (let id = 1; id <= MOST_LABS; id++) {
    try {
      renameSync(fresh, labDir(id));
      return id;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    }
  }
  rmSync(fresh, { recursive: true, force: true });
  throw new RcaError('RCA_ENVIRONMENT', `lab: ${MOST_LABS} labs run already. Mend: end some of them.`);
}

/** Leftovers of crashed labs go first. */
export async function claimLab(): Promise<Claim> {
  if (process.getuid?.() !== 0) {
    throw new RcaError('RCA_ENVIRONMENT', 'lab: network namespaces need root. Mend: run it as root, e.g. with sudo.');
  }
  await cleanupLeftovers();
  const id = claimDirectory();
  const script = fileURLToPath(new URL('./reaper.ts', import.meta.url));
  const reaper = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, String(id)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  reaper.on('error', () => undefined);
  reaper.stdin.on('error', () => undefined);
  reaper.unref();
  return {
    id,
    dir: labDir(id),
    release: async () => {
      const left = await cleanupLab(id);
      reaper.stdin.end(left.length === 0 ? 'done' : '');
      return left;
    },
  };
}
