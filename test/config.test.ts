import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { configHash, DEFAULT_CONFIG, resolveConfig } from '../src/config.ts';

const dir = mkdtempSync(join(tmpdir(), 'rootwalk-config-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function file(content: unknown): string {
  const path = join(
    dir,
    `${Math.abs(JSON.stringify(content).length)}-${Object.keys(content as object).join('-')}.json`,
  );
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

describe('resolveConfig', () => {
  it('takes defaults, then the file, then the environment, then flags', () => {
    const path = file({
      environment: 'file',
      bus: { topicPrefix: 'p', group: 'g-file' },
      engine: { output: 'o-file' },
    });
    const env = { ROOTWALK_GROUP: 'g-env', ROOTWALK_OUTPUT: 'o-env' };
    const config = resolveConfig(path, env, { engine: { output: 'o-flag' } });
    expect(config.environment).toBe('file');
    expect(config.bus.topicPrefix).toBe('p');
    expect(config.bus.group).toBe('g-env');
    expect(config.engine.output).toBe('o-flag');
    expect(config.bus.kind).toBe(DEFAULT_CONFIG.bus.kind);
    expect(Object.isFrozen(config.bus)).toBe(true);
  });

  it('names every wrong key at once, with the nearest known name', () => {
    const path = file({ enviroment: 'x', bus: { knd: 'kafka', brokers: 'a:1' }, engine: { latenessMs: -1 } });
    expect(() => resolveConfig(path, {})).toThrow(
      /unknown key "enviroment"; did you mean "environment"\?[\s\S]*unknown key "knd"; did you mean "kind"\?[\s\S]*bus\.brokers: must be array[\s\S]*engine\.latenessMs: must be >= 0/,
    );
  });

  it('refuses an unknown environment variable with the nearest name', () => {
    expect(() => resolveConfig(file({ environment: 'e' }), { ROOTWALK_BROKER: 'a:1' })).toThrow(
      /did you mean ROOTWALK_BROKERS/,
    );
  });

  it('says which file is not JSON', () => {
    const path = join(dir, 'broken.json');
    writeFileSync(path, '{ "environment": ');
    expect(() => resolveConfig(path, {})).toThrow(/broken\.json is not JSON/);
  });

  it('hashes what decides a verdict, not where things live', () => {
    const base = resolveConfig(undefined, {}, {});
    expect(configHash(resolveConfig(undefined, {}, { engine: { output: 'elsewhere' } }))).toBe(configHash(base));
    expect(configHash(resolveConfig(undefined, {}, { engine: { warmupWindows: 20 } }))).not.toBe(configHash(base));
  });
});
