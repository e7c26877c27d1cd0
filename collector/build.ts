/**
 * Builds the BPF object and the loader into build/: clang -target bpf per probe family, bpftool links them and makes
 * the skeleton, the C compiler builds the loader around it. Does nothing when build/ is up to date.
 */
import type { SpawnSyncReturns } from 'node:child_process';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RcaError } from '../src/model/errors.ts';
import { ensureToolchain, findCommand } from './toolchain.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const BTF = '/sys/kernel/btf/vmlinux';
const BPF_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'x86', arm64: 'arm64' };

/** Where the built loader stands. */
export const LOADER_PATH: string = join(ROOT, 'build', 'rootwalk-loader');

export interface BuildResult {
  readonly loader: string;
  /** False when everything was up to date. */
  readonly built: boolean;
}

export interface BuildOptions {
  /** Build even if up to date. */
  readonly force?: boolean;
  readonly log?: (line: string) => void;
}

/**
 * @returns where the loader is; cheap when nothing has changed. Safe to call from several processes at once.
 * @throws {RcaError} RCA_ENVIRONMENT when a tool, a header or the kernel's BTF is missing (with the mend), or when a
 *   compiler fails (with its output)
 */
export async function buildCollector(options: BuildOptions = {}): Promise<BuildResult> {
  const log = options.log ?? console.log;
  const arch = BPF_ARCHITECTURES[process.arch];
  if (arch === undefined) {
    throw new RcaError('RCA_ENVIRONMENT', `the collector runs on x86-64 and arm64; this is ${process.arch}`);
  }
  const out = join(ROOT, 'build');
  const stampFile = join(out, 'stamp');
  const stamp = sourceStamp();
  const fresh = existsSync(LOADER_PATH) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;
  if (fresh && options.force !== true) return { loader: LOADER_PATH, built: false };

  ensureToolchain(log);
  if (!existsSync(BTF)) {
    throw new RcaError(
      'RCA_ENVIRONMENT',
      `${BTF} is not there. Mend: a kernel with CONFIG_DEBUG_INFO_BTF=y (Debian 11, Ubuntu 20.10, Fedora 31 or newer)`,
    );
  }
  const work = join(out, `.work-${process.pid}`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    log('building the collector (BPF objects and loader) …');
    compile(work, arch);
    for (const name of ['vmlinux.h', 'rootwalk.bpf.o', 'rootwalk.skel.h', 'rootwalk-loader']) {
      renameSync(join(work, name), join(out, name));
    }
    writeFileSync(stampFile, stamp);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return { loader: LOADER_PATH, built: true };
}

function compile(work: string, arch: string): void {
  const bpftool = tool('bpftool');
  const header = spawnSync(bpftool, ['btf', 'dump', 'file', BTF, 'format', 'c'], { maxBuffer: 1 << 28 });
  if (header.status !== 0) throw failed('bpftool btf dump', header);
  writeFileSync(join(work, 'vmlinux.h'), header.stdout);

  const include = join(ROOT, 'bpf', 'include');
  const objects = sources(join(ROOT, 'bpf'), '.bpf.c').map((source) => {
    const object = join(work, source.replace(/\.bpf\.c$/, '.o'));
    run(tool('clang'), [
      ...['-target', 'bpf', '-mcpu=v3', '-O2', '-g', '-Wall', '-Werror', `-D__TARGET_ARCH_${arch}`],
      ...['-I', work, '-I', include, '-c', join(ROOT, 'bpf', source), '-o', object],
    ]);
    return object;
  });
  run(bpftool, ['gen', 'object', join(work, 'rootwalk.bpf.o'), ...objects]);
  const skeleton = spawnSync(bpftool, ['gen', 'skeleton', join(work, 'rootwalk.bpf.o'), 'name', 'rootwalk'], {
    maxBuffer: 1 << 26,
  });
  if (skeleton.status !== 0) throw failed('bpftool gen skeleton', skeleton);
  writeFileSync(join(work, 'rootwalk.skel.h'), skeleton.stdout);

  const loader = join(ROOT, 'collector', 'loader');
  run(tool('cc'), [
    ...['-std=gnu11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-I', include, '-I', work],
    ...['-o', join(work, 'rootwalk-loader'), ...sources(loader, '.c').map((name) => join(loader, name))],
    ...['-lbpf', '-lelf', '-lz'],
  ]);
}

/** Everything the result depends on: sources, the kernel's release and the architecture. */
function sourceStamp(): string {
  const hash = createHash('sha256');
  hash.update(process.arch);
  hash.update(existsSync('/proc/version') ? readFileSync('/proc/version') : '');
  for (const folder of ['bpf', 'bpf/include', 'collector/loader']) {
    for (const name of sources(join(ROOT, folder), '')) {
      hash.update(`${folder}/${name}\0`);
      hash.update(readFileSync(join(ROOT, folder, name)));
    }
  }
  return hash.digest('hex');
}

function sources(folder: string, ending: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => entry.name)
    .sort();
}

function tool(name: string): string {
  const path = findCommand(name);
  if (path === undefined) throw new RcaError('RCA_ENVIRONMENT', `${name} is not on the path`);
  return path;
}

function run(command: string, args: readonly string[]): void {
  const result = spawnSync(command, args, { encoding: 'buffer' });
  if (result.status !== 0) throw failed(`${command} ${args.at(-1) ?? ''}`, result);
}

function failed(what: string, result: SpawnSyncReturns<Buffer>): RcaError {
  const output = `${result.error?.message ?? ''}${result.stderr?.toString() ?? ''}`.trim().slice(0, 4000);
  return new RcaError('RCA_ENVIRONMENT', `building the collector failed at: ${what}\n${output}`, {
    status: result.status,
  });
}
