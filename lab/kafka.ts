/**
 * A real Apache Kafka broker for the lab and the tests: KRaft, one node, random free ports, its own temporary log
 * directory, ended by pid. Dies with the process that started it.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RcaError } from '../src/model/errors.ts';
import { kafkaJars } from './kafka-jars.ts';
import { brokersKnown } from './kafka-probe.ts';

export interface KafkaOptions {
  /** Broker settings on top of ours, e.g. `{ 'message.max.bytes': '2000000' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Java heap, megabytes. */
  readonly heapMb?: number;
  readonly startTimeoutMs?: number;
}

export interface KafkaBroker {
  /** host:port */
  readonly brokers: string[];
  readonly pid: number;
  /** Its temporary directory; gone after stop. */
  readonly dir: string;
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
const DIR_PREFIX = 'rootwalk-kafka-';
const CLUSTER_ID = 'cm9vdHdhbGstbGFiLWthZg';

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, HOST, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

function settingsFor(dir: string, port: number, controllerPort: number): Readonly<Record<string, string>> {
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${HOST}:${controllerPort}`,
    listeners: `PLAINTEXT://${HOST}:${port},CONTROLLER://${HOST}:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${HOST}:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(dir, 'logs'),
    'num.partitions': '1',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    'group.initial.rebalance.delay.ms': '0',
    'num.network.threads': '2',
    'num.io.threads': '2',
    'log.cleaner.dedupe.buffer.size': '4194304',
  };
}

/** Started through setpriv where it exists, so that the broker cannot outlive a killed starter. */
function launch(args: readonly string[]): ChildProcess {
  const guard = existsSync('/usr/bin/setpriv') ? ['/usr/bin/setpriv', '--pdeathsig', 'KILL'] : [];
  const [command, ...rest] = [...guard, 'java', ...args];
  return spawn(command ?? 'java', rest, { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** @throws {RcaError} RCA_ENVIRONMENT when Java is missing or too old */
function checkJava(): void {
  const found = spawnSync('java', ['-version'], { encoding: 'utf8' });
  const version = /version "(\d+)/.exec(`${found.stderr ?? ''}${found.stdout ?? ''}`)?.[1];
  if (found.status !== 0 || version === undefined || Number(version) < 11) {
    throw new RcaError(
      'RCA_ENVIRONMENT',
      `Kafka for tests: expected Java 11 or newer, found ${version ?? 'none'}. Mend: apt-get install openjdk-17-jre-headless`,
    );
  }
}

function formatStorage(classpath: string, configFile: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = launch([
      ...['-Xmx96m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', classpath],
      ...['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', 'kafka.tools.StorageTool'],
      ...['format', '-t', CLUSTER_ID, '-c', configFile],
    ]);
    let output = '';
    child.stdout?.on('data', (piece: Buffer) => {
      output += piece.toString();
    });
    child.stderr?.on('data', (piece: Buffer) => {
      output += piece.toString();
    });
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0
        ? resolve()
        : reject(
            new RcaError('RCA_ENVIRONMENT', `Kafka storage format failed (exit ${code}):\n${output.slice(-2_000)}`),
          ),
    );
  });
}

async function attempt(options: KafkaOptions, jars: string): Promise<KafkaBroker> {
  const dir = mkdtempSync(join(tmpdir(), `${DIR_PREFIX}${process.pid}-`));
  const removeDir = (): void => rmSync(dir, { recursive: true, force: true });
  const port = await freePort();
  const controllerPort = await freePort();
  const configFile = join(dir, 'server.properties');
  const settings = { ...settingsFor(dir, port, controllerPort), ...options.settings };
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(configFile, lines.join(''));
  const classpath = join(jars, '*');
  let child: ChildProcess | undefined;
  let log = '';
  try {
    await formatStorage(classpath, configFile);
    child = launch([
      ...[`-Xmx${options.heapMb ?? 320}m`, '-Xms64m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', classpath],
      ...['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-Dorg.slf4j.simpleLogger.log.kafka.server=info'],
      ...['kafka.Kafka', configFile],
    ]);
    const take = (piece: Buffer): void => {
      log = (log + piece.toString()).slice(-20_000);
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    await ready(child, port, options.startTimeoutMs ?? 60_000, () => log);
  } catch (error) {
    child?.kill('SIGKILL');
    removeDir();
    throw error;
  }
  return handle(child, port, dir);
}

async function ready(child: ChildProcess, port: number, timeoutMs: number, log: () => string): Promise<void> {
  let failure: string | undefined;
  child.on('error', (error) => {
    failure = error.message;
  });
  child.on('exit', (code, signal) => {
    failure ??= `it ended with ${signal ?? `exit ${code}`}`;
  });
  for (const end = Date.now() + timeoutMs; failure === undefined; await sleep(100)) {
    if (/Kafka Server started/.test(log()) && (await brokersKnown(HOST, port, 1_000)) > 0) return;
    if (Date.now() > end) failure = `it was not ready after ${timeoutMs} ms`;
  }
  throw new RcaError('RCA_ENVIRONMENT', `Kafka broker did not start: ${failure}\n${log().slice(-3_000)}`);
}

function handle(child: ChildProcess, port: number, dir: string): KafkaBroker {
  const removeDir = (): void => rmSync(dir, { recursive: true, force: true });
  const onExit = (): void => {
    child.kill('SIGKILL');
    removeDir();
  };
  process.once('exit', onExit);
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    process.removeListener('exit', onExit);
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 8_000);
      await ended;
      clearTimeout(timer);
    }
    removeDir();
  };
  return {
    brokers: [`${HOST}:${port}`],
    pid: child.pid ?? 0,
    dir,
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

/** Directories of brokers whose starter was killed: its pid is in the name and no longer alive. */
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(DIR_PREFIX))) {
    const pid = Number(name.slice(DIR_PREFIX.length).split('-')[0]);
    if (Number.isInteger(pid) && !existsSync(`/proc/${pid}`))
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

/**
 * Starts a broker and waits until it answers a metadata request with itself in it (about 3 s once the jars are there).
 *
 * @throws {RcaError} RCA_ENVIRONMENT with the mend when Java or Maven is missing, or with the broker's last log lines
 */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaBroker> {
  checkJava();
  removeLeftovers();
  const jars = await kafkaJars();
  try {
    return await attempt(options, jars);
  } catch (error) {
    // The two ports were free when asked for; another process may have taken one since. One more try, other ports.
    if (error instanceof Error && /Address already in use|BindException/.test(error.message)) {
      return attempt(options, jars);
    }
    throw error;
  }
}

/** Resident memory of a process in bytes, for reports of what the broker costs. */
export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return match === null ? Number.NaN : Number(match[1]) * 1024;
}
