/** A process of the lab: inside a machine's network namespace and its own control group, dies with the lab. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { RcaError } from '../src/model/errors.ts';
import type { InstanceGroup } from './cgroup.ts';
import { inNetns } from './network/namespaces.ts';

export interface LaunchSpec {
  readonly name: string;
  readonly netns: string;
  readonly command: readonly string[];
  readonly group?: InstanceGroup | undefined;
  readonly env?: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Run as this user (PostgreSQL refuses root). */
  readonly user?: string;
  /** Own System V memory, so that a killed PostgreSQL leaves none behind. */
  readonly ownIpc?: boolean;
}

const JOIN_GROUPS = 'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1"; shift; n=$((n-1)); done; exec "$@"';

/** Every piece replaces the one before by exec, so the child's pid is the program's. */
function commandLine(spec: LaunchSpec): string[] {
  const user = spec.user === undefined ? [] : ['--reuid', spec.user, '--regid', spec.user, '--clear-groups'];
  const program = ['setpriv', ...user, '--pdeathsig', 'KILL', ...spec.command];
  const inside = inNetns(spec.netns, spec.ownIpc === true ? ['unshare', '--ipc', ...program] : program);
  const groups = spec.group?.procsFiles ?? [];
  return ['/bin/sh', '-c', JOIN_GROUPS, 'sh', String(groups.length), ...groups, ...inside];
}

export class LabProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<string>;
  #end: string | undefined;
  #lines: string[] = [];
  #waiters: (() => void)[] = [];
  #tail = '';

  constructor(spec: LaunchSpec) {
    this.name = spec.name;
    const [program = '', ...args] = commandLine(spec);
    const log = createWriteStream(spec.logFile, { flags: 'a' });
    this.#child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH ?? '', TZ: 'UTC', LC_ALL: 'C', ...spec.env },
    });
    let partial = '';
    this.#child.stdout?.on('data', (piece: Buffer) => {
      log.write(piece);
      const lines = (partial + piece.toString()).split('\n');
      partial = lines.pop() ?? '';
      this.#lines.push(...lines);
      this.#wake();
    });
    this.#child.stderr?.on('data', (piece: Buffer) => {
      log.write(piece);
      this.#tail = (this.#tail + piece.toString()).slice(-2_000);
    });
    this.#ended = new Promise((resolve) => {
      const end = (how: string): void => {
        this.#end ??= how;
        this.#wake();
        resolve(this.#end);
      };
      this.#child.on('error', (error) => end(error.message));
      // Streams are drained by then.
      this.#child.on('close', (code, signal) => {
        log.end();
        end(signal ?? `exit ${code}`);
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** How it ended; undefined: it runs. */
  get end(): string | undefined {
    return this.#end;
  }

  /** Lines of its standard output so far. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** @throws {RcaError} RCA_ENVIRONMENT with its last words when it ends or the time is over before `ready` is true */
  async waitFor(ready: () => boolean | Promise<boolean>, timeoutMs: number): Promise<void> {
    const end = Date.now() + timeoutMs;
    while (!(await ready())) {
      if (this.#end !== undefined || Date.now() > end) {
        const why = this.#end === undefined ? `was not ready after ${timeoutMs} ms` : `ended with ${this.#end}`;
        throw new RcaError(
          'RCA_ENVIRONMENT',
          `lab: ${this.name} ${why}\n${this.#tail}${this.#lines.slice(-5).join('\n')}`,
        );
      }
      await this.#woken(50);
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Asks it to end, then makes it. */
  async stop(signal: NodeJS.Signals, patienceMs: number): Promise<string> {
    if (this.#end !== undefined) return this.#end;
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), patienceMs);
    const how = await this.#ended;
    clearTimeout(timer);
    return how;
  }

  get ended(): Promise<string> {
    return this.#ended;
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  #woken(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#waiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
