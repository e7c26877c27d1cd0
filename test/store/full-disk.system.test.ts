/** A database on a full disk: what SQLite then says of its own transaction must not hide the reason. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const STORE = fileURLToPath(new URL('../../src/store/index.ts', import.meta.url));

/** Opens a new database on a file system of this size, in a mount namespace of its own. */
function openOn(size: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'full-disk-'));
  const code = `import(${JSON.stringify(STORE)}).then((store) => store.openStore(process.argv[1]))`;
  const script = 'mount -t tmpfs -o size=$1 none "$2" && shift 2 && exec "$@"';
  const node = [process.execPath, '-e', code, join(dir, 'rootwalk.db')];
  const { stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', script, 'sh', size, dir, ...node], {
    encoding: 'utf8',
  });
  rmSync(dir, { recursive: true });
  return stderr;
}

describe('a full disk', () => {
  it.each(['4k', '40k', '100k'])('of %s is called full', (size) => {
    expect(openOn(size)).toMatch(/rootwalk\.db cannot grow: the disk is full.*free some space/);
  });

  it('that SQLite calls an I/O error is at least suspected', () => {
    expect(openOn('16k')).toMatch(/cannot be read or written \(disk I\/O error\); see whether the disk is full/);
  });
});
