/** The engine with its store: what is opened is closed, also when the start fails. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EmbeddedBus } from '../../src/bus/index.ts';
import { DEFAULT_CONFIG } from '../../src/config.ts';
import { startEngineService } from '../../src/engine/service.ts';
import { openStore } from '../../src/store/index.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rootwalk-service-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('startEngineService', () => {
  it('closes the store when the engine does not start', async () => {
    const database = join(dir, 'rootwalk.db');
    const store = openStore(database);
    store.applyEffect({ state: { past: 'no JSON' } });
    store.close();
    const config = {
      ...DEFAULT_CONFIG,
      engine: { ...DEFAULT_CONFIG.engine, database, output: join(dir, 'incidents') },
    };
    const starting = startEngineService({
      config,
      bus: new EmbeddedBus(),
      log: () => undefined,
      onFailure: (error) => {
        throw error;
      },
    });
    await expect(starting).rejects.toThrow(/JSON/);
    // SQLite removes its log when the last connection closes, and only then.
    expect(existsSync(database)).toBe(true);
    expect(existsSync(`${database}-wal`)).toBe(false);
  });
});
