/**
 * The name of a service from what its process looks like: what it declares in its environment as OpenTelemetry has it, else its
 * systemd unit, else executable and command line.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { containerId } from './container.ts';
import type { ProcessInfo } from './process-info.ts';
import { isGeneric, programOf } from './runtimes.ts';

/** Directories of the system: whose program lies there says nothing. */
const SYSTEM = new Set(['usr', 'local', 'sbin', 'opt', 'srv', 'home', 'root', 'var', 'tmp', 'code', 'workspace']);

/** `OTEL_SERVICE_NAME`, else `service.name` of `OTEL_RESOURCE_ATTRIBUTES`, of the environment a process was started with. */
function declaredName(pid: number, procRoot: string): string | undefined {
  let variables: string[];
  try {
    variables = readFileSync(join(procRoot, String(pid), 'environ'), 'utf8').split('\0');
  } catch {
    return undefined;
  }
  const after = (text: string[], name: string): string | undefined =>
    text.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
  const attributes = after(variables, 'OTEL_RESOURCE_ATTRIBUTES')?.split(',') ?? [];
  const name =
    after(variables, 'OTEL_SERVICE_NAME') ||
    after(
      attributes.map((entry) => entry.trim()),
      'service.name',
    );
  try {
    // Values are percent-encoded there.
    return name === undefined ? undefined : decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** systemd unit that owns a cgroup: `nginx` of /system.slice/nginx.service. Sessions and user managers are none. */
export function systemdUnit(cgroup: string): string | undefined {
  const parts = cgroup.split('/').filter((part) => part.endsWith('.service'));
  const unit = parts[parts.length - 1];
  if (unit === undefined || unit.startsWith('user@') || unit.startsWith('systemd-')) return undefined;
  return unit.slice(0, -'.service'.length).replace(/@.*$/, '');
}

/** Which of the units of one template it is: `8101` of /system.slice/catalog@8101.service. */
export function systemdInstance(cgroup: string): string | undefined {
  const unit = cgroup.split('/').findLast((part) => part.endsWith('.service'));
  if (unit === undefined || systemdUnit(cgroup) === undefined) return undefined;
  return /@(.+)\.service$/.exec(unit)?.[1];
}

/**
 * The pool that a worker of PHP-FPM serves, as its title says: one master has those of many sites. The pool that it comes with
 * says nothing.
 */
export function poolName({ commandLine }: ProcessInfo): string | undefined {
  const name = /^php-fpm[\d.]*: pool (\S+)/.exec(commandLine[0] ?? '')?.[1];
  return name === 'www' ? undefined : name;
}

/**
 * @param procRoot  where /proc is, to read a package name as the process sees it
 * @returns never empty; the executable's or command's name when nothing better is known
 */
export function serviceName(info: ProcessInfo, procRoot = '/proc'): string {
  const declared = clean(declaredName(info.pid, procRoot));
  if (declared !== '') return declared;
  const pool = clean(poolName(info));
  if (pool !== '') return pool;
  const unit = containerId(info.cgroup) === undefined ? systemdUnit(info.cgroup) : undefined;
  if (unit !== undefined) return unit;
  // python3.11 is python: an upgrade of the interpreter does not rename a service.
  const executable = program(info).replace(/^(python|pypy|ruby|php|perl|php-fpm)[\d.]+$/, '$1');
  const name = programOf(executable, info, procRoot);
  return clean(name) || clean(programName(executable, info)) || clean(info.comm) || `pid-${info.pid}`;
}

/** A program called `server` has the name of its directory, where that says more. */
function programName(executable: string, { executable: path }: ProcessInfo): string {
  if (!isGeneric(executable)) return executable;
  for (let dir = dirname(path); dir !== '/' && dir !== '.'; dir = dirname(dir)) {
    if (!isGeneric(basename(dir)) && !SYSTEM.has(basename(dir))) return basename(dir);
  }
  return executable;
}

/**
 * The program's name: its executable's, unless it was called by another one, as with links to a binary of many names
 * (redis-server is one to redis-check-rdb) and as the kernel's own name of the process then says too.
 */
function program(info: ProcessInfo): string {
  const called = basename((info.commandLine[0] ?? '').split(/[\s:]/)[0] ?? '');
  const isLink = called !== '' && called.slice(0, 15) === info.comm;
  return basename((isLink ? called : info.executable) || info.commandLine[0] || info.comm);
}

/** Names travel in keys, labels and file names: printable ASCII without spaces, at most 64. */
function clean(name: string | undefined): string {
  return (name ?? '').replace(/[^!-~]+/g, '_').slice(0, 64);
}
