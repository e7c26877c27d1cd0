/** What building the collector needs, and how to get it on the common distributions. */
import type { SpawnSyncOptions } from 'node:child_process';
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { RcaError } from '../src/model/errors.ts';

export const DISTRIBUTIONS = ['debian', 'ubuntu', 'fedora', 'alpine'] as const;
export type Distribution = (typeof DISTRIBUTIONS)[number];

export interface Requirement {
  readonly name: string;
  /** A command on the path, or a header. */
  readonly command?: string;
  readonly header?: string;
  readonly packages: Readonly<Record<Distribution, readonly string[]>>;
}

function same(debian: string, fedora: string, alpine: string): Requirement['packages'] {
  return { debian: [debian], ubuntu: [debian], fedora: [fedora], alpine: [alpine] };
}

export const REQUIREMENTS: readonly Requirement[] = [
  { name: 'clang', command: 'clang', packages: same('clang', 'clang', 'clang') },
  {
    name: 'bpftool',
    command: 'bpftool',
    packages: {
      debian: ['bpftool'],
      ubuntu: ['linux-tools-common', 'linux-tools-generic'],
      fedora: ['bpftool'],
      alpine: ['bpftool'],
    },
  },
  { name: 'a C compiler', command: 'cc', packages: same('gcc', 'gcc', 'gcc') },
  { name: 'C library headers', header: 'stdlib.h', packages: same('libc6-dev', 'glibc-devel', 'musl-dev') },
  {
    name: 'kernel headers for programs',
    header: 'linux/membarrier.h',
    packages: same('linux-libc-dev', 'kernel-headers', 'linux-headers'),
  },
  { name: 'libbpf', header: 'bpf/libbpf.h', packages: same('libbpf-dev', 'libbpf-devel', 'libbpf-dev') },
  { name: 'libelf', header: 'libelf.h', packages: same('libelf-dev', 'elfutils-libelf-devel', 'elfutils-dev') },
  { name: 'zlib', header: 'zlib.h', packages: same('zlib1g-dev', 'zlib-devel', 'zlib-dev') },
];

const SYSTEM_DIRS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];
const INCLUDE_DIRS = ['/usr/include', '/usr/local/include'];

/** @returns the full path of a command on PATH or in the system's directories, or undefined */
export function findCommand(command: string, path: string = process.env.PATH ?? ''): string | undefined {
  return [...path.split(delimiter), ...SYSTEM_DIRS]
    .filter((dir) => dir !== '')
    .map((dir) => join(dir, command))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** @returns what is not there, in the order of REQUIREMENTS */
export function missingRequirements(): readonly Requirement[] {
  return REQUIREMENTS.filter((each) =>
    each.command === undefined
      ? !INCLUDE_DIRS.some((dir) => existsSync(join(dir, each.header ?? '')))
      : findCommand(each.command) === undefined,
  );
}

/** The distribution this is, or is derived from (ID and ID_LIKE of os-release); undefined when not one of ours. */
export function distributionOf(osRelease: string): Distribution | undefined {
  const value = (key: string): readonly string[] => {
    const line = osRelease.split('\n').find((each) => each.startsWith(`${key}=`));
    return (line ?? '')
      .slice(key.length + 1)
      .replaceAll('"', '')
      .split(/\s+/);
  };
  const names = [...value('ID'), ...value('ID_LIKE')].map((name) => (name === 'rhel' ? 'fedora' : name));
  return DISTRIBUTIONS.find((each) => each === names[0]) ?? DISTRIBUTIONS.find((each) => names.includes(each));
}

export function packagesFor(missing: readonly Requirement[], distribution: Distribution): readonly string[] {
  return [...new Set(missing.flatMap((each) => each.packages[distribution]))];
}

/** One line per distribution: the command that installs what is missing. */
export function installCommands(missing: readonly Requirement[]): readonly string[] {
  return [
    `Debian:  apt-get install ${packagesFor(missing, 'debian').join(' ')}`,
    `Ubuntu:  apt-get install ${packagesFor(missing, 'ubuntu').join(' ')}`,
    `Fedora:  dnf install ${packagesFor(missing, 'fedora').join(' ')}`,
    `Alpine:  apk add ${packagesFor(missing, 'alpine').join(' ')}`,
  ];
}

/**
 * Makes sure that everything is there; installs through apt as root on Debian and Ubuntu.
 * @throws {RcaError} RCA_ENVIRONMENT with the exact packages for Debian, Ubuntu, Fedora and Alpine
 */
export function ensureToolchain(log: (line: string) => void): void {
  const missing = missingRequirements();
  if (missing.length === 0) return;
  const distribution = existsSync('/etc/os-release')
    ? distributionOf(readFileSync('/etc/os-release', 'utf8'))
    : undefined;
  const apt = distribution === 'debian' || distribution === 'ubuntu' ? findCommand('apt-get') : undefined;
  if (process.getuid?.() === 0 && apt !== undefined && distribution !== undefined) {
    const packages = packagesFor(missing, distribution);
    log(`installing what building the collector needs: ${packages.join(' ')}`);
    const options: SpawnSyncOptions = {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    };
    spawnSync(apt, ['update', '-qq'], options);
    spawnSync(apt, ['install', '-y', '-qq', '--no-install-recommends', ...packages], options);
  }
  const still = missingRequirements();
  if (still.length === 0) return;
  throw new RcaError(
    'RCA_ENVIRONMENT',
    `building the collector needs ${still.map((each) => each.name).join(', ')}. Mend:\n  ${installCommands(still).join('\n  ')}`,
    { missing: still.map((each) => each.name) },
  );
}
