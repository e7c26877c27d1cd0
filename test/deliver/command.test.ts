/** `rootwalk deliveries` on a real database: what there is, what is not, and what it may change. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { messageIdOf, openStore } from '../../src/store/index.ts';
import { incident, sampleReport, WORLD } from '../report/fixtures.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'deliveries-'));
  path = join(dir, 'rootwalk.db');
});
afterEach(() => rmSync(dir, { recursive: true }));

function deliveries(...args: string[]): { code: number | null; out: string; err: string } {
  const command = [join(ROOT, 'bin/rootwalk.mjs'), 'deliveries', '--database', path, ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8', cwd: dir });
  return { code: status, out: stdout, err: stderr };
}

/** One delivery to `bob`, who answered 410 Gone. */
async function refused(): Promise<number> {
  const store = openStore(path);
  const report = await sampleReport();
  store.applyEffect({ incident: incident(WORLD), report });
  store.route(messageIdOf(report.id), ['bob'], 0);
  const [delivery] = store.deliveries({ limit: 1 });
  const attempt = { attempt: 1, atMs: 1, status: 410, durationMs: 1, error: 'gone', receiver: 'bob' };
  store.recordAttempt(
    { ...attempt, deliveryId: delivery!.id, messageId: delivery!.messageId },
    { state: 'failed', nextAttemptMs: 1, disableReceiver: '410 Gone' },
  );
  store.close();
  return delivery!.id;
}

describe('rootwalk deliveries', () => {
  it('says that there is no database, and makes none', () => {
    expect(deliveries()).toMatchObject({ code: 1, err: expect.stringMatching(/no database at .*Mend: --database/) });
    expect(existsSync(path)).toBe(false);
  });

  it('says that there are none yet', () => {
    openStore(path).close();
    expect(deliveries()).toMatchObject({ code: 0, out: 'no deliveries yet\n' });
  });

  it('lists them and whoever is disabled, and enables whom it lists, once', async () => {
    await refused();
    expect(deliveries().out).toMatch(
      /bob.*failed.*410.*gone.*bob is disabled \(410 Gone\): rootwalk deliveries --enable bob/s,
    );
    expect(deliveries('--enable', 'alice')).toMatchObject({ code: 1, err: expect.stringContaining('disabled: bob') });
    expect(deliveries('--enable', 'bob')).toMatchObject({ code: 0, out: 'bob is enabled\n' });
    expect(deliveries().out).not.toContain('disabled');
    expect(deliveries('--enable', 'bob')).toMatchObject({ code: 1, err: expect.stringContaining('disabled: none') });
  });

  it('makes one due again; refuses numbers that are none', async () => {
    const id = await refused();
    expect(deliveries('--redeliver', String(id))).toMatchObject({ code: 0, out: `delivery ${id} is due again\n` });
    expect(deliveries().out).toContain('pending');
    expect(deliveries('--redeliver', '99')).toMatchObject({ code: 1, err: expect.stringContaining('no delivery 99') });
    for (const bad of ['0', 'x', '1.5'])
      expect(deliveries('--limit', bad)).toMatchObject({ code: 2, err: expect.stringContaining('1 or more') });
  });
});
