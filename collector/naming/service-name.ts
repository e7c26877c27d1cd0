/** The name of a service from what its process looks like: systemd unit, else executable and command line. */
import { readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { containerId } from './container.ts';
import type { ProcessInfo } from './process-info.ts';

/** File names that say nothing about what they serve; the directory does. */
const GENERIC = new Set([
  'index',
  'server',
  'main',
  'app',
  'start',
  'run',
  'cli',
  'dist',
  'src',
  'lib',
  'bin',
  'build',
  'wsgi',
  'asgi',
  'manage',
  '__main__',
]);
/** Directories of the system: whose program lies there says nothing. */
const SYSTEM = new Set(['usr', 'local', 'sbin', 'opt', 'srv', 'home', 'root', 'var', 'tmp', 'code', 'workspace']);
const NODE_FLAGS_WITH_VALUE = new Set(['-r', '--require', '--import', '--loader', '--env-file', '-C', '--conditions']);

/** systemd unit that owns a cgroup: `nginx` of /system.slice/nginx.service. Sessions and user managers are none. */
export function systemdUnit(cgroup: string): string | undefined {
  const parts = cgroup.split('/').filter((part) => part.endsWith('.service'));
  const unit = parts[parts.length - 1];
  if (unit === undefined || unit.startsWith('user@') || unit.startsWith('systemd-')) return undefined;
  return unit.slice(0, -'.service'.length).replace(/@.*$/, '');
}

function stem(path: string): string {
  return basename(path).replace(/\.(m?js|cjs|m?ts|py|pyc|rb|php|pl|jar|sh)$/, '');
}

function packageName(directory: string): string | undefined {
  try {
    const name: unknown = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')).name;
    return typeof name === 'string' && name !== '' ? name.replace(/^@[^/]+\//, '') : undefined;
  } catch {
    return undefined;
  }
}

/** Name of a script: its own unless that is generic, then its package's or directory's. */
function scriptName(script: string, info: ProcessInfo, procRoot: string): string {
  const own = stem(script);
  if (!GENERIC.has(own)) return own;
  const path = resolve(info.workingDirectory === '' ? '/' : info.workingDirectory, script);
  // The file is looked up as the process sees it (it may live in a container).
  const root = join(procRoot, String(info.pid), 'root');
  for (let dir = dirname(path), depth = 0; depth < 3; dir = dirname(dir), depth++) {
    const named = packageName(join(root, dir));
    if (named !== undefined) return named;
  }
  for (let dir = dirname(path); dir !== '/'; dir = dirname(dir)) {
    if (!GENERIC.has(basename(dir))) return basename(dir);
  }
  return own;
}

function firstArgument(args: readonly string[], withValue: ReadonlySet<string>): string | undefined {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    if (withValue.has(arg)) i++;
    else if (!arg.startsWith('-')) return arg;
  }
  return undefined;
}

function pythonName(args: readonly string[], info: ProcessInfo, procRoot: string): string | undefined {
  const module = args.indexOf('-m');
  if (module >= 0 && args[module + 1] !== undefined) {
    const name = args[module + 1] ?? '';
    const app = /^(gunicorn|uvicorn|hypercorn|flask)$/.test(name) ? appModule(args.slice(module + 2)) : undefined;
    return app ?? name.replace(/\.__main__$/, '');
  }
  const script = firstArgument(args, new Set(['-W', '-X']));
  if (script === undefined) return undefined;
  if (/^(gunicorn|uvicorn|hypercorn)$/.test(basename(script))) return appModule(args) ?? basename(script);
  return scriptName(script, info, procRoot);
}

/** `shop.cart` of `shop.cart:app`. */
function appModule(args: readonly string[]): string | undefined {
  return args.find((arg) => /^[\w.]+:[\w.()]+$/.test(arg))?.split(':')[0];
}

function javaName(args: readonly string[]): string | undefined {
  const jar = args.indexOf('-jar');
  if (jar >= 0) return stem(args[jar + 1] ?? '').replace(/-\d+(\.\d+)*(-[A-Z]+)?$/, '');
  const main = firstArgument(
    args,
    new Set(['-cp', '-classpath', '--class-path', '-p', '--module-path', '--add-opens']),
  );
  return main?.split(/[./]/).pop();
}

/**
 * @param procRoot  where /proc is, to read a package name as the process sees it
 * @returns never empty; the executable's or command's name when nothing better is known
 */
export function serviceName(info: ProcessInfo, procRoot = '/proc'): string {
  const unit = containerId(info.cgroup) === undefined ? systemdUnit(info.cgroup) : undefined;
  if (unit !== undefined) return unit;
  // python3.11 is python: an upgrade of the interpreter does not rename a service.
  const executable = program(info).replace(/^(python|pypy|ruby|php|perl)[\d.]+$/, '$1');
  const args = info.commandLine.slice(1);
  let name: string | undefined;
  // Code on the command line names nothing.
  if (executable !== 'java' && /^-(c|e|r|p|pe|-eval|-print)$/.test(args[0] ?? '')) name = undefined;
  else if (/^(node|nodejs|bun|deno)$/.test(executable)) {
    const script = firstArgument(args, NODE_FLAGS_WITH_VALUE);
    name =
      script === undefined ? undefined : scriptName(script === 'run' ? (args[1] ?? script) : script, info, procRoot);
  } else if (/^(python|pypy)$/.test(executable)) name = pythonName(args, info, procRoot);
  else if (executable === 'java') name = javaName(args);
  else if (/^(ruby|php|perl)$/.test(executable)) {
    const script = firstArgument(args, new Set());
    name = script === undefined ? undefined : scriptName(script, info, procRoot);
  }
  return clean(name) || clean(programName(executable, info)) || clean(info.comm) || `pid-${info.pid}`;
}

/** A program called `server` has the name of its directory, where that says more. */
function programName(executable: string, { executable: path }: ProcessInfo): string {
  if (!GENERIC.has(executable)) return executable;
  for (let dir = dirname(path); dir !== '/' && dir !== '.'; dir = dirname(dir)) {
    if (!GENERIC.has(basename(dir)) && !SYSTEM.has(basename(dir))) return basename(dir);
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
