/**
 * Rootwalk as a system under test: the command itself, each part a process of its own as in real use.
 * Kafka: `engine`, `record` and `collect`; embedded: `up`.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ConfigInput } from '../src/config.ts';
import { RcaError } from '../src/model/errors.ts';
import type { MessageType } from '../src/model/outbox.ts';
import type { Report } from '../src/model/report.ts';
import type { DeliveredReport, SystemContext, SystemUnderTest } from './system-under-test.ts';
import type { SystemPart } from './types.ts';
import type { ReceivedWebhook } from './webhook-receiver.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const START_TIMEOUT_MS = 60_000;
const STOP_PATIENCE_MS = 15_000;
/** Clock ticks a second in /proc/PID/stat: USER_HZ, 100 on every Linux of today. */
const USER_HZ = 100;

interface Command {
  readonly name: string;
  readonly args: readonly string[];
  /** What it says when it works. */
  readonly readyWord: string;
}

interface Part extends Command {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
}

/** Commands with the embedded bus are one process. */
const COMMANDS: Readonly<Record<SystemPart, string>> = { collector: 'collect', engine: 'engine' };

/** The command on this Node; compiled when a build is there. Dies with the lab. */
function commandLine(args: readonly string[]): string[] {
  const compiled = join(root, 'dist', 'src', 'cli.js');
  const script = existsSync(compiled) ? compiled : join(root, 'src', 'cli.ts');
  return ['setpriv', '--pdeathsig', 'KILL', process.execPath, '--disable-warning=ExperimentalWarning', script, ...args];
}

function configOf(context: SystemContext, host: number): ConfigInput {
  const { brokers, bus, environment, hosts, outDir, webhook } = context;
  return {
    environment,
    bus: { kind: bus, ...(bus === 'kafka' ? { brokers } : {}) },
    collector: hosts[host]!,
    engine: { output: join(outDir, 'incidents'), database: join(outDir, 'rootwalk.db') },
    webhooks: [{ name: 'lab', url: webhook.url, secrets: [webhook.secret], allowPrivateAddresses: true }],
  };
}

/** CPU seconds of a process and its children so far; 0 when it is gone. */
function cpuSeconds(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const own = Number(fields[11]) + Number(fields[12]);
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    return own / USER_HZ + children.reduce((sum, child) => sum + cpuSeconds(Number(child)), 0);
  } catch {
    return 0;
  }
}

function delivered(webhook: ReceivedWebhook): DeliveredReport | undefined {
  const body = webhook.body as { readonly type?: MessageType; readonly data?: Report } | undefined;
  if (body?.type === undefined || body.data === undefined) return undefined;
  return { receivedMs: webhook.receivedMs, type: body.type, report: body.data };
}

export class RootwalkSystem implements SystemUnderTest {
  readonly #parts: Part[] = [];
  #context: SystemContext | undefined;

  async start(context: SystemContext): Promise<void> {
    this.#context = context;
    mkdirSync(context.outDir, { recursive: true });
    const configs = context.hosts.map((_, host) => {
      const file = join(context.outDir, host === 0 ? 'rootwalk.json' : `rootwalk-${host + 1}.json`);
      writeFileSync(file, `${JSON.stringify(configOf(context, host), null, 2)}\n`);
      return file;
    });
    const config = configs[0]!;
    if (context.bus === 'embedded') {
      await this.#launch({ name: 'up', args: ['up', '-c', config], readyWord: 'reports go to' });
      return;
    }
    const recording = join(context.outDir, 'recording.rwrec');
    for (const command of [
      { name: 'engine', args: ['engine', '-c', config], readyWord: 'engine is running' },
      { name: 'record', args: ['record', '-c', config, '--out', recording], readyWord: 'recording;' },
      ...configs.map((file, host) => ({
        name: host === 0 ? 'collect' : `collect-${host + 1}`,
        args: ['collect', '-c', file],
        readyWord: 'collector is running',
      })),
    ]) {
      await this.#launch(command);
    }
  }

  async restart(part: SystemPart, downMs: number): Promise<void> {
    const at = this.#parts.findIndex(({ name }) => name === COMMANDS[part] || name === 'up');
    const killed = this.#parts[at];
    if (killed === undefined) throw new RcaError('RCA_INTERNAL', `lab: ${part} does not run`);
    killed.child.kill('SIGKILL');
    await killed.ended;
    this.#context?.log(`rootwalk ${killed.name} was killed`);
    await sleep(downMs);
    await this.#launch(killed, at);
  }

  /** The collector first: what it sent is then still consumed, judged and delivered. */
  async stop(): Promise<void> {
    for (const part of this.#parts.toReversed()) {
      part.child.kill('SIGTERM');
      const timer = setTimeout(() => part.child.kill('SIGKILL'), STOP_PATIENCE_MS);
      await part.ended;
      clearTimeout(timer);
    }
    this.#parts.length = 0;
  }

  reports(): Promise<readonly DeliveredReport[]> {
    const accepted = this.#context?.accepted() ?? [];
    return Promise.resolve(accepted.map(delivered).filter((report) => report !== undefined));
  }

  figures(): Promise<Readonly<Record<string, number>>> {
    return Promise.resolve(
      Object.fromEntries(this.#parts.map(({ name, child }) => [`${name}CpuS`, cpuSeconds(child.pid ?? 0)])),
    );
  }

  /** Known as a part at once: `stop` ends it also when it never gets ready. */
  async #launch(command: Command, at = this.#parts.length): Promise<void> {
    const { name, args, readyWord } = command;
    const outDir = this.#context?.outDir ?? '.';
    const [program = '', ...rest] = commandLine(args);
    const child = spawn(program, rest, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const log = createWriteStream(join(outDir, `${name}.log`), { flags: 'a' });
    let said = '';
    const take = (piece: Buffer): void => {
      log.write(piece);
      said = (said + piece.toString()).slice(-8_000);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    let over = false;
    const ended = new Promise<void>((resolve) => {
      const end = (): void => {
        over = true;
        log.end();
        resolve();
      };
      child.on('error', end);
      child.on('close', end);
    });
    this.#parts[at] = { ...command, child, ended };
    for (const end = Date.now() + START_TIMEOUT_MS; !said.includes(readyWord); await sleep(50)) {
      if (over || Date.now() > end) {
        const why = over ? 'ended' : `did not say "${readyWord}" in ${START_TIMEOUT_MS} ms`;
        throw new RcaError('RCA_ENVIRONMENT', `lab: rootwalk ${name} ${why}:\n${said.slice(-2_000)}`);
      }
    }
    this.#context?.log(`rootwalk ${name} runs, pid ${child.pid}`);
  }
}
