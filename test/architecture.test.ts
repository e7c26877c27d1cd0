/** Enforces the dependency table of the design: who may import whom, and who alone may import a package. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Folder -> folders (or files) it may import besides itself. Folders not listed may import everything. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'src/model': [],
  'src/stats': ['src/model'],
  'src/bus': ['src/model'],
  'src/codec': ['src/model'],
  'src/recording': ['src/model', 'src/codec', 'src/bus'],
  'src/ingest': ['src/model', 'src/codec', 'src/stats'],
  'src/detect': ['src/model', 'src/stats'],
  'src/attribute': ['src/model', 'src/stats'],
  'src/demarcate': ['src/model', 'src/stats'],
  'src/classify': ['src/model'],
  'src/report': ['src/model'],
  'src/deliver': ['src/model', 'src/bus'],
  'src/store': ['src/model'],
  collector: ['src/model', 'src/bus', 'src/codec', 'src/stats'],
};

/** Package -> the only places that may import it. */
const ONLY_IMPORTER: Readonly<Record<string, readonly string[]>> = {
  kafkajs: ['src/bus/kafka.ts'],
  graphology: ['src/demarcate/'],
  'json-rules-engine': ['src/classify/'],
  'simple-statistics': ['src/stats/'],
  protobufjs: ['src/codec/'],
  undici: ['src/deliver/'],
};

/** A stage is a function of its input: no clock, randomness or environment inside. */
const PURE_STAGES = [
  'src/model',
  'src/stats',
  'src/codec',
  'src/ingest',
  'src/detect',
  'src/attribute',
  'src/demarcate',
  'src/classify',
  'src/report',
];

interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

function walk(dir: string): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    if (name === 'node_modules' || name.startsWith('.')) return [];
    return statSync(path).isDirectory() ? walk(path) : /\.(ts|mjs)$/.test(name) ? [path] : [];
  });
}

function load(folder: string): SourceFile[] {
  return walk(join(root, folder)).map((absolute) => {
    const text = readFileSync(absolute, 'utf8');
    const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => {
      const specifier = match[1] ?? '';
      return specifier.startsWith('.') ? relative(root, resolve(dirname(absolute), specifier)) : specifier;
    });
    return { path: relative(root, absolute), text, imports };
  });
}

const files = ['src', 'collector'].flatMap(load);
const inside = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

describe('architecture', () => {
  it('sees the source tree', () => {
    expect(files.length).toBeGreaterThan(10);
  });

  it.each(Object.keys(MAY_IMPORT))('%s imports only what the table allows', (folder) => {
    const allowed = [folder, ...(MAY_IMPORT[folder] ?? [])];
    const broken = files
      .filter((file) => inside(file.path, folder))
      .flatMap((file) =>
        file.imports
          .filter((target) => /^(src|collector|lab|eval|bench|test)\//.test(target))
          .filter((target) => !allowed.some((other) => inside(target, other)))
          .map((target) => `${file.path} imports ${target}`),
      );
    expect(broken).toEqual([]);
  });

  it.each(Object.keys(ONLY_IMPORTER))('only its owner imports %s', (name) => {
    const owners = ONLY_IMPORTER[name] ?? [];
    const broken = files
      .filter((file) =>
        file.imports.some(
          (target) =>
            target === name ||
            target.startsWith(`${name}/`) ||
            (name === 'graphology' && target.startsWith('graphology-')),
        ),
      )
      .filter((file) => !owners.some((owner) => file.path.startsWith(owner)))
      .map((file) => file.path);
    expect(broken).toEqual([]);
  });

  it.each(PURE_STAGES)('%s has no clock, randomness or environment', (folder) => {
    const broken = files
      .filter((file) => inside(file.path, folder))
      .filter((file) =>
        /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bprocess\.env\b|\bperformance\.now\(/.test(
          stripComments(file.text),
        ),
      )
      .map((file) => file.path);
    expect(broken).toEqual([]);
  });

  it('keeps files small', () => {
    const long = files.filter((file) => file.text.split('\n').length > 400).map((file) => file.path);
    expect(long).toEqual([]);
  });

  it('names no data set inside a method', () => {
    const names = /nezha|petshop|sock-?shop|tvdiag|opennetai|aprime|\briskloc\/data|\baiops\b|\bwsd\b/i;
    const broken = files.filter((file) => names.test(stripComments(file.text))).map((file) => file.path);
    expect(broken).toEqual([]);
  });
});

function stripComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:])\/\/.*$/gm, '$1');
}
