/** `rootwalk up` where something is wrong: it says so and ends. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'up-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function up(...args: string[]): { code: number | null; err: string } {
  // timeout kills the whole group: a command that does not end leaves nothing behind.
  const command = ['--signal=KILL', '25', process.execPath, join(ROOT, 'bin/rootwalk.mjs'), 'up', ...args];
  const { status, stderr } = spawnSync('timeout', command, { encoding: 'utf8', cwd: dir });
  return { code: status, err: stderr };
}

describe('rootwalk up', () => {
  it('ends, with exit code 1 and in order, when a report cannot be written', () => {
    writeFileSync(join(dir, 'file'), '');
    const { code, err } = up('--no-collector', '--demo', '--once', '--output', 'file/incidents');
    expect(code).toBe(1);
    expect(err).toMatch(/the consumer ended: cannot write file\/incidents\/inc-\w+\.json: .*Mend: /);
    expect(err).toContain('rootwalk: ending');
    expect(readdirSync(dir).sort()).toEqual(['file', 'rootwalk.db']);
  });

  it('refuses --once without --demo instead of running on', () => {
    expect(up('--no-collector', '--once')).toMatchObject({ code: 2, err: expect.stringContaining('add --demo') });
  });
});
