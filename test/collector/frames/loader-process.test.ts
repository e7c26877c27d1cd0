/** A loader that cannot be run says why, and what mends it. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LoaderProcess, spawnWords } from '../../../collector/frames/loader-process.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'rootwalk-loader-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const start = (loader: string) => new LoaderProcess({ loader, restart: false }, () => undefined).start();

describe('a loader that cannot be run', () => {
  it('is not there', async () => {
    const loader = join(dir, 'none');
    await expect(start(loader)).rejects.toThrow(`the loader did not start: ${loader} is not there`);
    await expect(start(loader)).rejects.toThrow('rootwalk build');
  });

  it('may not be executed', async () => {
    const loader = join(dir, 'plain');
    writeFileSync(loader, 'text');
    chmodSync(loader, 0o644);
    await expect(start(loader)).rejects.toThrow(`${loader} may not be run: no execute permission`);
  });

  it('has more capabilities than may be had here', () => {
    // Node throws this one at once; where the bounding set holds every capability it cannot be had for real.
    expect(spawnWords({ name: 'Error', code: 'EPERM', message: 'spawn EPERM' }, '/x')).toMatch(
      /^\/x may not be run with the capabilities .*doctor/,
    );
    expect(spawnWords({ name: 'Error', code: 'EMFILE', message: 'spawn EMFILE' }, '/x')).toBe('spawn EMFILE');
  });

  it('ends at once: with its own words', async () => {
    const loader = join(dir, 'ends');
    writeFileSync(loader, '#!/bin/sh\necho no BTF here >&2\nexit 3\n');
    chmodSync(loader, 0o755);
    await expect(start(loader)).rejects.toThrow('ended with code 3: no BTF here');
  });
});

describe('a loader that did not start', () => {
  it('is not started again, by nobody, and keeps its words', async () => {
    const loader = join(dir, 'gone');
    const process = new LoaderProcess({ loader }, () => undefined);
    await expect(process.start()).rejects.toThrow('is not there');
    // Longer than until the first restart would come.
    await new Promise((done) => setTimeout(done, 1_500));
    const { state, restarts, lastError } = process.health();
    expect({ state, restarts }).toEqual({ state: 'failed', restarts: 0 });
    expect(lastError).toContain('is not there');
    await process.stop();
  });
});
