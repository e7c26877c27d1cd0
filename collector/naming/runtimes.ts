/** Names of services that an interpreter or a virtual machine runs: what it runs, not what runs it. */
import { readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { ProcessInfo } from './process-info.ts';

/** File names that say nothing about what they serve; the directory does. */
const GENERIC = new Set([
  'index',
  'server',
  'main',
  'app',
  'application',
  'bootstrap',
  'launcher',
  'jarlauncher',
  'start',
  'run',
  'cli',
  'dist',
  'src',
  'lib',
  'bin',
  'build',
  'target',
  'libs',
  'wsgi',
  'asgi',
  'manage',
  '__main__',
]);
const NODE_FLAGS_WITH_VALUE = new Set(['-r', '--require', '--import', '--loader', '--env-file', '-C', '--conditions']);
const DENO_FLAGS_WITH_VALUE = new Set(['-c', '--config', '--import-map', '--env-file', '--port', '--host']);
const RUBY_FLAGS_WITH_VALUE = new Set(['-r', '-I']);
const PHP_FLAGS_WITH_VALUE = new Set(['-d', '-c', '-S', '-t']);
/** Flags of code on the command line, which names nothing, and whose they are. */
const CODE = /^-(c|e|p|pe|-eval|-print)$/;
const TAKES_CODE = /^(node|nodejs|bun|deno|python|pypy|ruby|perl)$/;
const JAVA_FLAGS_WITH_VALUE = new Set(['-cp', '-classpath', '--class-path', '-p', '--module-path', '--add-opens']);
/** Servers of Python applications, which are told as `module:object`. */
const PYTHON_SERVERS = /^(gunicorn|uvicorn|hypercorn|daphne|granian|waitress-serve)$/;

/** True for names of files, classes or directories that nearly every program has. */
export function isGeneric(name: string): boolean {
  return GENERIC.has(name.toLowerCase());
}

/**
 * @param runtime   the executable's name without a version: node, python, java, …
 * @param procRoot  where /proc is, to read a package's name as the process sees it
 * @returns undefined when it is no runtime, or nothing tells what it runs
 */
export function programOf(runtime: string, info: ProcessInfo, procRoot: string): string | undefined {
  const titled = titledName(info, procRoot);
  if (titled !== undefined) return titled;
  const args = info.commandLine.slice(1);
  if (runtime === 'php' ? args[0] === '-r' : TAKES_CODE.test(runtime) && CODE.test(args[0] ?? '')) return undefined;
  if (/^(node|nodejs|bun|deno)$/.test(runtime)) return nodeName(ranBy(runtime, args), info, procRoot);
  if (/^(python|pypy)$/.test(runtime)) return pythonName(args, info, procRoot);
  if (runtime === 'uwsgi') return appModule(args, info, procRoot);
  if (runtime === 'java') return javaName(args, info, procRoot);
  if (runtime === 'dotnet') return dotnetName(args);
  if (runtime === 'beam.smp') return optionOf(args, /^-s?name$/)?.split('@')[0];
  if (/^(ruby|php|perl)$/.test(runtime)) {
    const script = firstArgument(args, runtime === 'php' ? PHP_FLAGS_WITH_VALUE : RUBY_FLAGS_WITH_VALUE);
    return script === undefined ? undefined : scriptName(script, info, procRoot);
  }
  return undefined;
}

function stem(path: string): string {
  return basename(path).replace(/\.(m?js|cjs|m?ts|py|pyc|rb|php|pl|jar|war|sh)$/, '');
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
  return isGeneric(own) ? directoryName(dirname(script), info, procRoot, own) : own;
}

/** Name of a directory, as the process sees it (it may live in a container): its package's, else the first that says something. */
function directoryName(directory: string, info: ProcessInfo, procRoot: string, otherwise: string): string {
  const path = resolve(info.workingDirectory === '' ? '/' : info.workingDirectory, directory);
  const root = join(procRoot, String(info.pid), 'root');
  for (let dir = path, depth = 0; depth < 3; dir = dirname(dir), depth++) {
    const named = packageName(join(root, dir));
    if (named !== undefined) return named;
  }
  for (let dir = path; dir !== '/'; dir = dirname(dir)) {
    if (!isGeneric(basename(dir))) return basename(dir);
  }
  return otherwise;
}

function firstArgument(args: readonly string[], withValue: ReadonlySet<string>): string | undefined {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    if (withValue.has(arg)) i++;
    else if (!arg.startsWith('-')) return arg;
  }
  return undefined;
}

/** The value of an option, `--app x` or `--app=x`. */
function optionOf(args: readonly string[], option: RegExp): string | undefined {
  for (const [i, arg] of args.entries()) {
    const [name = '', value] = arg.split('=', 2);
    if (option.test(name)) return value ?? args[i + 1];
  }
  return undefined;
}

/** What comes after `deno run --allow-net`, `bun run`: that runs a script, or what its package calls so. */
function ranBy(runtime: string, args: readonly string[]): readonly string[] {
  const command = firstArgument(args, NODE_FLAGS_WITH_VALUE);
  if (command === undefined || !(command === 'run' || (command === 'serve' && runtime === 'deno'))) return args;
  const script = firstArgument(args.slice(args.indexOf(command) + 1), DENO_FLAGS_WITH_VALUE);
  return script === undefined ? args : [script];
}

function nodeName(args: readonly string[], info: ProcessInfo, procRoot: string): string | undefined {
  const script = firstArgument(args, NODE_FLAGS_WITH_VALUE);
  if (script === undefined) {
    // Alone it waits for input; under a title of its own it is what its directory holds.
    const isTitled = basename(info.commandLine[0] ?? '').split(' ')[0] !== basename(info.executable);
    return isTitled && info.workingDirectory !== '' ? directoryName('.', info, procRoot, 'node') : undefined;
  }
  // A framework's launcher (next start, nest start) runs what its directory holds.
  if (script.includes('node_modules/')) return directoryName('.', info, procRoot, stem(script));
  return scriptName(script, info, procRoot);
}

function pythonName(args: readonly string[], info: ProcessInfo, procRoot: string): string | undefined {
  const script = firstArgument(args, new Set(['-W', '-X']));
  if (script === undefined) return undefined;
  const at = args.indexOf(script);
  const rest = args.slice(at + 1);
  // Behind the script it is one of the script's own: gunicorn's is a mask.
  if (args[at - 1] === '-m') return launchedBy(script, rest, info, procRoot) ?? script.replace(/\.__main__$/, '');
  return launchedBy(basename(script), rest, info, procRoot) ?? scriptName(script, info, procRoot);
}

/** What a Python program that runs others runs. */
function launchedBy(
  launcher: string,
  args: readonly string[],
  info: ProcessInfo,
  procRoot: string,
): string | undefined {
  if (PYTHON_SERVERS.test(launcher)) return appModule(args, info, procRoot);
  if (launcher === 'flask') {
    const app = optionOf(args, /^(-A|--app)$/);
    return app === undefined ? directoryName('.', info, procRoot, launcher) : moduleName(app, info, procRoot);
  }
  if (launcher === 'celery') {
    const app = optionOf(args, /^(-A|--app)$/);
    // Beside the service of the same code that answers requests.
    return app === undefined ? undefined : `${moduleName(app, info, procRoot)}-celery`;
  }
  if (/^(fastapi|streamlit)$/.test(launcher)) {
    const script = args.find((arg) => arg.endsWith('.py'));
    return script === undefined ? directoryName('.', info, procRoot, launcher) : scriptName(script, info, procRoot);
  }
  return undefined;
}

/** `shop.cart` of `shop.cart:app`; addresses (`127.0.0.1:80`, `localhost:80`, `unix:x.sock`) and `python:config` are none. */
function appModule(args: readonly string[], info: ProcessInfo, procRoot: string): string | undefined {
  const app = args.find((arg) => /^(?!(unix|python):)[A-Za-z_]\w*(\.\w+)*:[A-Za-z_][\w.]*(\(.*\))?$/.test(arg));
  return app === undefined ? undefined : moduleName(app, info, procRoot);
}

/** A module's name; of one whose name nearly every program has, that of its directory. */
function moduleName(app: string, info: ProcessInfo, procRoot: string): string {
  const module = stem(app.split(':')[0] ?? app);
  return isGeneric(module) ? directoryName('.', info, procRoot, module) : module;
}

function javaName(args: readonly string[], info: ProcessInfo, procRoot: string): string | undefined {
  const property = (name: string): string | undefined =>
    args.find((arg) => arg.startsWith(`-D${name}=`))?.slice(name.length + 3);
  const declared = property('spring.application.name') ?? property('otel.service.name');
  if (declared !== undefined) return declared;
  const jar = args.indexOf('-jar');
  if (jar >= 0) {
    const path = args[jar + 1] ?? '';
    const name = stem(path).replace(/-\d+(\.\d+)*([.-][A-Za-z]+\d*)?$/, '');
    return isGeneric(name) ? directoryName(dirname(path), info, procRoot, name) : name;
  }
  const main = firstArgument(args, JAVA_FLAGS_WITH_VALUE);
  if (main === undefined) return undefined;
  // Servers that hold applications are told apart by their directory.
  const home = property('catalina.base') ?? property('jboss.server.base.dir') ?? property('jetty.base');
  if (home !== undefined) return basename(home);
  const names = main.split(/[./]/);
  const own = names.pop() ?? main;
  return isGeneric(own) ? (names.findLast((name) => !isGeneric(name)) ?? own) : own;
}

function dotnetName(args: readonly string[]): string | undefined {
  const library = args.find((arg) => /\.dll$/i.test(arg));
  return library === undefined ? undefined : basename(library).replace(/\.dll$/i, '');
}

/** What a process called itself: `gunicorn: worker [shop.api:app]`, `puma: cluster worker 0: 7 [shop]`. */
function titledName(info: ProcessInfo, procRoot: string): string | undefined {
  const [title = '', second] = info.commandLine;
  if (second !== undefined || !/^(gunicorn|puma|unicorn)\b/.test(title)) return undefined;
  const inside = /\[([^\]]+)\]\s*$/.exec(title)?.[1];
  return inside === undefined ? undefined : moduleName(inside, info, procRoot);
}
