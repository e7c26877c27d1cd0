/** PostgreSQL as an unprivileged user: small, trusting, no fsync; the lab talks to it over its UNIX socket. */
import { spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RcaError } from '../../src/model/errors.ts';
import type { InstanceGroup } from '../cgroup.ts';
import type { Machine } from '../network/namespaces.ts';
import { LabProcess } from '../process.ts';
import { run, tryRun } from '../shell.ts';
import type { StoreSpec } from '../types.ts';

const VERSIONS = '/usr/lib/postgresql';
const USERS = ['postgres', 'nobody'] as const;

interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Folder with initdb and postgres: the newest installed version. */
function binaries(): string {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a)) : [];
  const newest = versions.find((version) => existsSync(join(VERSIONS, version, 'bin', 'initdb')));
  if (newest !== undefined) return join(VERSIONS, newest, 'bin');
  throw new RcaError('RCA_ENVIRONMENT', `lab: no PostgreSQL in ${VERSIONS}. Mend: apt-get install postgresql`);
}

function unprivileged(): User {
  const rows = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const name of USERS) {
    const row = rows.find(([user]) => user === name);
    if (row !== undefined) return { name, uid: Number(row[2]), gid: Number(row[3]) };
  }
  throw new RcaError(
    'RCA_ENVIRONMENT',
    `lab: PostgreSQL needs a user other than root, found none of ${USERS.join(', ')}`,
  );
}

/** A session that the lab holds open, for locks. */
export interface Session {
  close(): Promise<void>;
}

export class Postgres {
  readonly process: LabProcess;
  readonly #socketDir: string;
  readonly #port: number;

  private constructor(process: LabProcess, socketDir: string, port: number) {
    this.process = process;
    this.#socketDir = socketDir;
    this.#port = port;
  }

  static async start(
    store: StoreSpec,
    machine: Machine,
    dir: string,
    group: InstanceGroup | undefined,
  ): Promise<Postgres> {
    const bin = binaries();
    const user = unprivileged();
    const own = join(dir, store.name);
    const data = join(own, 'data');
    mkdirSync(own, { recursive: true });
    chownSync(own, user.uid, user.gid);
    const as = ['setpriv', '--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups'];
    await run([...as, join(bin, 'initdb'), '-D', data, '-A', 'trust', '-U', 'shop', '-N', '--no-locale', '-E', 'UTF8']);
    await run([...as, 'sh', '-c', `echo "host all all 10.77.0.0/16 trust" >> "$1"`, 'sh', join(data, 'pg_hba.conf')]);
    const settings = {
      listen_addresses: machine.address,
      port: String(store.port),
      unix_socket_directories: own,
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      shared_buffers: '16MB',
      max_connections: '150',
      dynamic_shared_memory_type: 'mmap',
      autovacuum: 'off',
      jit: 'off',
      max_parallel_workers_per_gather: '0',
      log_min_messages: 'fatal',
      log_min_error_statement: 'panic',
    };
    const process = new LabProcess({
      name: store.name,
      netns: machine.netns,
      command: [
        join(bin, 'postgres'),
        '-D',
        data,
        ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`]),
      ],
      group,
      logFile: join(dir, `${store.name}.log`),
      user: String(user.uid),
      ownIpc: true,
    });
    const postgres = new Postgres(process, own, store.port);
    await process.waitFor(async () => (await tryRun(postgres.#psql('postgres', 'SELECT 1'))).code === 0, 20_000);
    await run(postgres.#psql('postgres', 'CREATE DATABASE shop'));
    for (const statement of store.setup ?? []) await postgres.execute(statement);
    return postgres;
  }

  #psql(database: string, ...statements: string[]): string[] {
    const options = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1'];
    const where = ['-h', this.#socketDir, '-p', String(this.#port), '-U', 'shop', '-d', database];
    return ['psql', ...options, ...where, ...statements.flatMap((statement) => ['-c', statement])];
  }

  /** @returns what psql prints: rows, columns separated by | */
  execute(statement: string): Promise<string> {
    return run(this.#psql('shop', statement));
  }

  /** Opens a session, runs the statements in it and leaves it open (with its transaction and locks) until closed. */
  async hold(statements: readonly string[]): Promise<Session> {
    const [program = '', ...args] = this.#psql('shop');
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (piece: Buffer) => {
      said += piece.toString();
    });
    const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
    const held = new Promise<boolean>((resolve) => {
      child.stdout.on('data', (piece: Buffer) => {
        if (piece.toString().includes('held')) resolve(true);
      });
      child.on('close', () => resolve(false));
    });
    child.stdin.on('error', () => undefined);
    child.stdin.write(`${[...statements, "SELECT 'held'"].join(';\n')};\n`);
    if (!(await held)) throw new RcaError('RCA_ENVIRONMENT', `lab: PostgreSQL session failed: ${said.trim()}`);
    return {
      close: async () => {
        child.stdin.end();
        const timer = setTimeout(() => child.kill('SIGKILL'), 3_000);
        await ended;
        clearTimeout(timer);
      },
    };
  }

  /** Sessions that wait for a lock now. */
  async waiting(): Promise<number> {
    return Number(await this.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"));
  }
}
