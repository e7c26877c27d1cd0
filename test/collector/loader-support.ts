/** Namespaces, programs in them and a loader that watches them, for the loader's system tests. */
import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildCollector } from '../../collector/build.ts';
import type { LoaderOptions } from '../../collector/frames/loader-process.ts';
import { LoaderProcess } from '../../collector/frames/loader-process.ts';
import type { DataFrame, Frame } from '../../collector/frames/types.ts';

export const run = (command: string, ...args: readonly string[]): string =>
  execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 }).toString();

export const wait = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** Polls until `test` holds; fails loudly after `timeoutMs`. */
export async function until(what: string, test: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await test())) {
    if (performance.now() > end) throw new Error(`not in ${timeoutMs} ms: ${what}`);
    await wait(20);
  }
}

export interface Namespace {
  readonly name: string;
  readonly inode: number;
  readonly address: string;
}

let counter = 0;

/** Two namespaces joined by a veth pair, and everything started in them. */
export class Pair {
  readonly client: Namespace;
  readonly server: Namespace;
  readonly dir: string;
  readonly #children: ChildProcess[] = [];

  constructor() {
    const id = `${process.pid % 100_000}${counter++}`;
    const names = [`rwc${id}`, `rws${id}`] as const;
    this.dir = mkdtempSync(join(tmpdir(), 'rootwalk-loader-'));
    for (const name of names) run('ip', 'netns', 'add', name);
    run('ip', 'link', 'add', 'eth0', 'netns', names[0], 'type', 'veth', 'peer', 'name', 'eth0', 'netns', names[1]);
    this.client = this.#namespace(names[0], '10.77.0.1');
    this.server = this.#namespace(names[1], '10.77.0.2');
  }

  #namespace(name: string, address: string): Namespace {
    run('ip', '-n', name, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    run('ip', '-n', name, 'link', 'set', 'eth0', 'up');
    run('ip', '-n', name, 'link', 'set', 'lo', 'up');
    return { name, address, inode: statSync(`/run/netns/${name}`).ino };
  }

  /** Runs to the end in a namespace; returns standard output. */
  run(where: Namespace, command: string, ...args: readonly string[]): string {
    return run('ip', 'netns', 'exec', where.name, command, ...args);
  }

  /** Starts in a namespace; killed by close(). `ip netns exec` becomes the program: the pid is the program's. */
  start(where: Namespace, command: string, ...args: readonly string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', where.name, command, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.push(child);
    return child;
  }

  /** Runs a script of Node in a namespace to its end, without blocking this process. */
  async node(where: Namespace, script: string, ...args: readonly string[]): Promise<string> {
    const file = this.file(`script-${counter++}.mjs`, script);
    return finished(this.start(where, process.execPath, file, ...args));
  }

  file(name: string, text: string): string {
    const path = join(this.dir, name);
    writeFileSync(path, text);
    return path;
  }

  async listening(where: Namespace, port: number): Promise<void> {
    await until(`a listener on ${port}`, () => this.run(where, 'ss', '-Hltn', `sport = :${port}`).trim() !== '');
  }

  /** A counter of /proc/net/snmp of the namespace. */
  snmp(where: Namespace, field: string): number {
    const [names = '', values = ''] = this.run(where, 'cat', '/proc/net/snmp')
      .split('\n')
      .filter((line) => line.startsWith('Tcp:'));
    return Number(values.split(' ')[names.split(' ').indexOf(field)]);
  }

  async close(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await Promise.all(this.#children.map((child) => (child.exitCode ?? child.signalCode) !== null || gone(child)));
    for (const { name } of [this.client, this.server]) run('ip', 'netns', 'del', name);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

const gone = (child: ChildProcess): Promise<void> => new Promise((done) => child.once('exit', () => done()));

/** Standard output of a child that must end with 0. */
export async function finished(child: ChildProcess): Promise<string> {
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk;
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    err += chunk;
  });
  const code = await new Promise<number | null>((done) => child.once('close', done));
  if (code !== 0) throw new Error(`child ended with ${code}: ${err.slice(-2000)}`);
  return out;
}

/** A loader whose frames are kept (heads copied). */
export class Watch {
  readonly frames: Frame[] = [];
  readonly process: LoaderProcess;

  private constructor(options: LoaderOptions) {
    this.process = new LoaderProcess(options, (frame) => {
      this.frames.push(
        frame.type === 'data' || frame.type === 'datagram' ? { ...frame, head: Uint8Array.from(frame.head) } : frame,
      );
    });
  }

  static async start(namespaces: readonly Namespace[], options: Partial<LoaderOptions> = {}): Promise<Watch> {
    const { loader } = await buildCollector({ log: () => undefined });
    const watch = new Watch({
      loader,
      intervalMs: 200,
      netns: namespaces.map((each) => each.inode),
      restart: false,
      ...options,
    });
    await watch.process.start();
    return watch;
  }

  of<T extends Frame['type']>(type: T): Extract<Frame, { type: T }>[] {
    return this.frames.filter((frame): frame is Extract<Frame, { type: T }> => frame.type === type);
  }

  /** Stops the loader; the final statistics are then in `frames`. */
  async stop(): Promise<void> {
    await this.process.stop();
  }

  lost(): number {
    return Object.values(this.process.health().lost).reduce((sum, each) => sum + each, 0);
  }
}

export const head = (frame: DataFrame): string => Buffer.from(frame.head).toString('latin1');

/** Frames of one connection and direction must follow one another without a gap; returns the bytes they moved. */
export function contiguousBytes(frames: readonly DataFrame[]): number {
  let total = 0;
  let expected: number | undefined;
  for (const frame of [...frames].sort((a, b) => a.exitMs - b.exitMs)) {
    if (expected !== undefined && frame.streamSeq !== expected) {
      throw new Error(`gap: expected sequence ${expected}, found ${frame.streamSeq}`);
    }
    expected = (frame.streamSeq + frame.fullLength) % 2 ** 32;
    total += frame.fullLength;
  }
  return total;
}
