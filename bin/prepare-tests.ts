/**
 * Brings what the tests need on this machine: servers from the distribution's packages, the built collector, tracefs.
 * Installs through apt when it may (root on Debian or Ubuntu); else names what is missing and fails.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Command that must be there -> Debian package that brings it. */
const NEEDED: Readonly<Record<string, string>> = {
  clang: 'clang',
  'llvm-objdump': 'llvm',
  bpftool: 'bpftool',
  gcc: 'gcc',
  make: 'make',
  ip: 'iproute2',
  iptables: 'iptables',
  nft: 'nftables',
  nginx: 'nginx-light',
  'redis-server': 'redis-server',
  mariadbd: 'mariadb-server',
  java: 'openjdk-17-jre-headless',
  mvn: 'maven',
  python3: 'python3',
  wrk: 'wrk',
  kcat: 'kcat',
};

function onPath(command: string): boolean {
  const dirs = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin'];
  return dirs.some((dir) => existsSync(join(dir, command)));
}

function missingPackages(): string[] {
  const missing = Object.keys(NEEDED)
    .filter((command) => !onPath(command))
    .map((command) => NEEDED[command] ?? command);
  if (!existsSync('/usr/include/bpf/libbpf.h')) missing.push('libbpf-dev');
  const postgres = existsSync('/usr/lib/postgresql') && readdirSync('/usr/lib/postgresql').length > 0;
  if (!postgres) missing.push('postgresql');
  // The command's name has the version.
  if (!readdirSync('/usr/sbin').some((name) => name.startsWith('php-fpm'))) missing.push('php-fpm');
  return [...new Set(missing)];
}

const missing = missingPackages();
if (missing.length > 0) {
  const canInstall = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
  if (!canInstall) {
    console.error(
      `tests need packages that are not installed: ${missing.join(' ')}. Mend: install them (Debian names) and run again.`,
    );
    process.exit(1);
  }
  console.log(`installing for the tests: ${missing.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  spawnSync('apt-get', ['update', '-qq'], { stdio: ['ignore', 'ignore', 'inherit'], env });
  const installed = spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env,
  });
  if (installed.status !== 0) {
    console.error(`apt-get could not install: ${missing.join(' ')}`);
    process.exit(1);
  }
}
if (process.getuid?.() === 0 && !existsSync('/sys/kernel/tracing/events')) {
  spawnSync('mount', ['-t', 'tracefs', 'none', '/sys/kernel/tracing'], { stdio: 'ignore' });
}
const { buildCollector } = await import('../collector/build.ts');
await buildCollector();
