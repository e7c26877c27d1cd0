import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeSureOf } from '../../src/commands/out-file.ts';

describe('makeSureOf', () => {
  const dir = mkdtempSync(join(tmpdir(), 'rootwalk-out-'));
  afterAll(() => rmSync(dir, { recursive: true }));

  it('makes the folder and keeps what the file held', () => {
    makeSureOf(join(dir, 'a', 'b', 'new.csv'));
    expect(readFileSync(join(dir, 'a', 'b', 'new.csv'), 'utf8')).toBe('');
    writeFileSync(join(dir, 'old.csv'), 'kept');
    makeSureOf(join(dir, 'old.csv'));
    expect(readFileSync(join(dir, 'old.csv'), 'utf8')).toBe('kept');
  });

  it('says before the work what is in the way', () => {
    expect(() => makeSureOf(dir)).toThrow(`--out ${dir}: cannot write there`);
    writeFileSync(join(dir, 'file'), '');
    expect(() => makeSureOf(join(dir, 'file', 'x.csv'))).toThrow('name another file');
  });
});
