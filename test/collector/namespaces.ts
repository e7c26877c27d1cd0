/** Two machines for system tests: network namespaces joined by a veth pair, and processes in them. */
import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { statSync } from 'node:fs';

export interface Machine {
  readonly name: string;
  readonly address: string;
  readonly inode: number;
}

let counter = 0;

export class TwoMachines {
  readonly client: Machine;
  readonly server: Machine;
  readonly #children: ChildProcess[] = [];

  constructor() {
    const id = `${process.pid % 10_000}${counter++}`;
    const net = 40 + (process.pid % 200);
    const names = [`rwt${id}c`, `rwt${id}s`] as const;
    for (const name of names) ip('netns', 'add', name);
    ip('link', 'add', names[0], 'netns', names[0], 'type', 'veth', 'peer', 'name', names[1], 'netns', names[1]);
    names.forEach((name, index) => {
      ip('-n', name, 'addr', 'add', `10.${net}.9.${index + 1}/24`, 'dev', name);
      ip('-n', name, 'link', 'set', name, 'up');
      ip('-n', name, 'link', 'set', 'lo', 'up');
    });
    const machine = (index: 0 | 1): Machine => ({
      name: names[index],
      address: `10.${net}.9.${index + 1}`,
      inode: statSync(`/run/netns/${names[index]}`).ino,
    });
    this.client = machine(0);
    this.server = machine(1);
  }

  /** Runs to its end; throws with its words when it fails. */
  run(machine: Machine, command: readonly string[], input?: string): string {
    return execFileSync('ip', ['netns', 'exec', machine.name, ...command], {
      encoding: 'utf8',
      timeout: 60_000,
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(input === undefined ? {} : { input }),
    });
  }

  /** As `run`, without blocking this process. */
  async runAsync(machine: Machine, command: readonly string[]): Promise<string> {
    const child = spawn('ip', ['netns', 'exec', machine.name, ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let words = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      words += chunk.toString();
    });
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}: ${words}`);
    return out;
  }

  /** Starts a server. */
  start(machine: Machine, command: readonly string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', machine.name, ...command], { stdio: 'ignore' });
    this.#children.push(child);
    return child;
  }

  /** Waits until something listens; asks from within the namespace. */
  async listening(machine: Machine, port: number): Promise<void> {
    for (let i = 0; i < 200; i++) {
      const found = this.run(machine, ['ss', '-ltnH', `sport = :${port}`]);
      if (found.trim() !== '') return;
      await sleep(50);
    }
    throw new Error(`nothing listens on port ${port} in ${machine.name}`);
  }

  async close(): Promise<void> {
    for (const child of this.#children) child.kill('SIGTERM');
    await Promise.all(
      this.#children.map((child) =>
        child.exitCode !== null || child.signalCode !== null
          ? undefined
          : new Promise((resolve) => {
              child.once('exit', resolve);
              setTimeout(() => child.kill('SIGKILL'), 3000).unref();
            }),
      ),
    );
    for (const machine of [this.client, this.server]) ip('netns', 'del', machine.name);
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
