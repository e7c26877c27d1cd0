import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The command's end when nobody reads what it prints. */
async function unread(args: readonly string[], cwd: string): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, [join(root, 'src/cli.ts'), ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  let said = '';
  child.stderr.on('data', (data) => {
    said += data;
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, said };
}

it.each([[['build', '--help']], [['rules', 'check', join(root, 'rules')]]])(
  '%j ends quietly when its reader went away',
  async (args) => {
    expect(await unread(args, root)).toEqual({ code: 141, said: '' });
  },
);

it('a command that runs until a signal ends in order', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'rootwalk-pipe-'));
  try {
    const { code, said } = await unread(['up', '--demo', '--no-collector'], dir);
    expect(code).toBe(141);
    expect(said).not.toContain('EPIPE');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}, 60_000);
