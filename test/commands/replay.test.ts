/** `rootwalk replay` of what is nothing to replay: an error with the file's name, never a quiet success. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'replay-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function replay(file: string): { code: number | null; err: string } {
  const command = [join(ROOT, 'bin/rootwalk.mjs'), 'replay', file];
  const { status, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8', cwd: dir });
  return { code: status, err: stderr };
}

describe('rootwalk replay', () => {
  it('fails when there is nothing in the file, or nothing of use', () => {
    writeFileSync(join(dir, 'empty.jsonl'), '\n');
    expect(replay('empty.jsonl')).toMatchObject({ code: 1, err: expect.stringContaining('empty.jsonl: it holds no') });
    writeFileSync(join(dir, 'dead.jsonl'), '{"type":"cal"}\n{}\n');
    const { code, err } = replay('dead.jsonl');
    expect(code).toBe(1);
    expect(err).toMatch(/dead letter, message 0: .*2 dead letters\n.*dead\.jsonl: none of its messages could be used/s);
  });

  it.each(['folder', 'folder.jsonl'])('names %s and says what it expects', (name) => {
    mkdirSync(join(dir, name));
    expect(replay(name)).toMatchObject({
      code: 1,
      err: `rootwalk: ${name}: a folder; name the recording (.rwrec) or the JSON events (.jsonl) in it\n`,
    });
  });

  it.each(['none.rwrec', 'none.jsonl'])('says that there is no %s', (name) => {
    expect(replay(name)).toMatchObject({ code: 1, err: `rootwalk: ${name}: no such file\n` });
  });
});
