/** One press of Ctrl-C as a terminal gives it: to every process of the group, wrapper and script. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const started: ChildProcess[] = [];
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lifetime-'));
});
afterEach(() => {
  for (const { pid } of started.splice(0)) {
    try {
      process.kill(-(pid ?? 0), 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
  rmSync(dir, { recursive: true });
});

interface Run {
  readonly child: ChildProcess;
  /** Resolves when these words were written. */
  said(words: string): Promise<void>;
  /** To the whole process group, as a terminal does. */
  press(): void;
  readonly code: Promise<number | null>;
}

function run(script: string, ...args: string[]): Run {
  const child = spawn(process.execPath, [join(ROOT, 'bin', script), ...args], {
    cwd: dir,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let text = '';
  const code = new Promise<number | null>((resolve) => child.on('close', resolve));
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (text += piece.toString()));
  return {
    child,
    async said(words) {
      for (let i = 0; i < 200 && !text.includes(words); i++) await pause(50);
      expect(text).toContain(words);
    },
    press: () => process.kill(-(child.pid ?? 0), 'SIGINT'),
    code,
  };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const up = (): Run => run('rootwalk.mjs', 'up', '--no-collector');

describe('Ctrl-C', () => {
  it('ends "up" in order: exit code 0, the database closed', async () => {
    const { said, press, code } = up();
    await said('Ctrl-C ends');
    press();
    expect(await code).toBe(0);
    expect(readdirSync(dir)).toEqual(['rootwalk.db']);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s to the wrapper alone does the same', async (signal) => {
    const { said, child, code } = up();
    await said('Ctrl-C ends');
    child.kill(signal);
    expect(await code).toBe(0);
    expect(readdirSync(dir)).toEqual(['rootwalk.db']);
  });

  it('pressed a second time ends at once what does not end; one press of a busy process is no second one', async () => {
    const { said, press, code, child } = run('node24.mjs', 'test/commands/fixtures/never-ends.ts');
    await said('running');
    press();
    await said('ending');
    await pause(700);
    expect(child.exitCode).toBeNull();
    press();
    expect(await code).toBe(130);
  });
});
