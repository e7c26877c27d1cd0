/** Prime numbers of Redis, PostgreSQL and MariaDB commands on real servers, counted exactly on both sides, per outcome. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Collector } from '../../collector/collector.ts';
import { runCollector } from '../../collector/collector.ts';
import type { AnyBatch } from '../../src/model/records.ts';
import { sleep, TwoMachines } from './namespaces.ts';

const REDIS_COMMANDS = 1013;
const STATEMENTS = 313;
const MYSQL_STATEMENTS = 211;
const FIXTURES = join(import.meta.dirname, 'fixtures');
const POSTGRESQL = '/usr/lib/postgresql/15/bin';

let machines: TwoMachines;
let collector: Collector;
let dir = '';
const batches: AnyBatch[] = [];

/** `operation status` -> count, of one side. */
function counted(protocol: string, side: 'client' | 'server'): Record<string, number> {
  const sums = new Map<string, number>();
  for (const batch of batches) {
    if (batch.type !== 'call') continue;
    for (const record of batch.records) {
      if (record.protocol !== protocol || record.side !== side) continue;
      const key = `${record.operation} ${record.status}`;
      sums.set(key, (sums.get(key) ?? 0) + record.count);
    }
  }
  return Object.fromEntries([...sums].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function parse(output: string): Record<string, number> {
  const lines = output
    .trim()
    .split('\n')
    .map((line) => /^(.*) (\d+)$/.exec(line));
  return Object.fromEntries(
    lines.map((match) => [match?.[1] ?? '', Number(match?.[2])] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((a, b) => a + b, 0);
const idOf = (user: string, what: '-u' | '-g'): number =>
  Number(execFileSync('id', [what, user], { encoding: 'utf8' }));

/** A directory of an unprivileged user. */
function home(name: string, user: string): string {
  const path = join(dir, name);
  mkdirSync(path);
  chownSync(path, idOf(user, '-u'), idOf(user, '-g'));
  return path;
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'rootwalk-db-'));
  chmodSync(dir, 0o755);
  machines = new TwoMachines();
  collector = await runCollector({
    environment: 'test',
    netns: [machines.client.inode, machines.server.inode],
    captureBytes: 1024,
    windowMs: 1000,
    publish: async (batch) => {
      batches.push(batch);
    },
  });
});

afterAll(async () => {
  await machines?.close();
  await collector?.stop();
  rmSync(dir, { recursive: true, force: true });
});

describe('databases', () => {
  it(`counts ${REDIS_COMMANDS} Redis commands`, async () => {
    const { client, server } = machines;
    machines.start(server, [
      'redis-server',
      '--bind',
      server.address,
      '--port',
      '6390',
      '--save',
      '',
      '--protected-mode',
      'no',
      '--dir',
      dir,
    ]);
    await machines.listening(server, 6390);
    const output = await machines.runAsync(client, [
      'python3',
      join(FIXTURES, 'redis-client.py'),
      server.address,
      '6390',
      String(REDIS_COMMANDS),
    ]);
    const sent = parse(output);
    await sleep(2_000);
    expect(sum(sent)).toBe(REDIS_COMMANDS);
    expect(counted('redis', 'client')).toEqual(sent);
    expect(counted('redis', 'server')).toEqual(sent);
  });

  it(`counts ${STATEMENTS} PostgreSQL statements and the connect`, async () => {
    const { client, server } = machines;
    const data = join(home('pg', 'postgres'), 'data');
    const as = ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'];
    machines.run(server, [...as, join(POSTGRESQL, 'initdb'), '-D', data, '-A', 'trust', '-U', 'postgres', '--no-sync']);
    writeFileSync(join(data, 'pg_hba.conf'), 'host all all all trust\n');
    machines.start(server, [
      ...as,
      join(POSTGRESQL, 'postgres'),
      '-D',
      data,
      '-h',
      server.address,
      '-p',
      '5490',
      '-k',
      data,
      '-c',
      'fsync=off',
      '-c',
      'log_min_messages=fatal',
      '-c',
      'log_min_error_statement=panic',
    ]);
    await machines.listening(server, 5490);
    await sleep(500);
    const output = await machines.runAsync(client, [
      process.execPath,
      join(FIXTURES, 'pg-client.mjs'),
      server.address,
      '5490',
      String(STATEMENTS),
    ]);
    const sent = parse(output);
    await sleep(2_000);
    expect(sum(sent)).toBe(STATEMENTS + 1);
    expect(counted('postgresql', 'client')).toEqual(sent);
    expect(counted('postgresql', 'server')).toEqual(sent);
  });

  it(`counts ${MYSQL_STATEMENTS} MariaDB statements`, async () => {
    const { client, server } = machines;
    const data = join(home('my', 'mysql'), 'data');
    execFileSync(
      'mariadb-install-db',
      [
        '--no-defaults',
        `--datadir=${data}`,
        '--user=mysql',
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
      ],
      { stdio: 'ignore' },
    );
    machines.start(server, [
      'mariadbd',
      '--no-defaults',
      `--datadir=${data}`,
      '--user=mysql',
      `--bind-address=${server.address}`,
      '--port=3390',
      `--socket=${data}/s`,
      `--pid-file=${data}/p`,
      '--skip-name-resolve',
      '--innodb-flush-log-at-trx-commit=0',
      '--log-warnings=0',
    ]);
    await machines.listening(server, 3390);
    machines.run(server, [
      'mariadb',
      '--no-defaults',
      '-uroot',
      `-S${data}/s`,
      '-e',
      "CREATE USER 'shop'@'%'; GRANT ALL ON *.* TO 'shop'@'%'; CREATE DATABASE shop",
    ]);
    const insert = 11;
    const statements = ['CREATE TABLE t (id INT, name VARCHAR(100));'];
    for (let i = 1; i < MYSQL_STATEMENTS; i++) {
      if (i % 5 === 0) statements.push(`SELECT * FROM nowhere WHERE id = ${i};`);
      else if (i % insert === 0) statements.push(`SELECT * FROM t WHERE id IN (${i}, 2);`);
      else statements.push(`INSERT INTO t VALUES (${i}, 'n${i}');`);
    }
    machines.run(
      client,
      [
        'mariadb',
        '--no-defaults',
        '--force',
        '--silent',
        '--skip-ssl',
        '-ushop',
        `-h${server.address}`,
        '-P3390',
        'shop',
      ],
      statements.join('\n'),
    );
    await sleep(2_000);
    const found = counted('mysql', 'client');
    expect(found).toEqual(counted('mysql', 'server'));
    const fifth = Math.floor((MYSQL_STATEMENTS - 1) / 5);
    const selects = Array.from({ length: MYSQL_STATEMENTS - 1 }, (_, k) => k + 1).filter(
      (i) => i % 5 !== 0 && i % insert === 0,
    ).length;
    expect(found).toMatchObject({
      // Over TCP, and the administrator's over the Unix socket.
      'CONNECT OK': 2,
      'create table t(id int, name varchar(?)) OK': 1,
      'select * from nowhere where id = ? 42S02': fifth,
      'select * from t where id in (?) OK': selects,
      'insert into t values (?) OK': MYSQL_STATEMENTS - 1 - fifth - selects,
    });
  });

  it('lost nothing', async () => {
    await collector.stop();
    const health = batches.flatMap((batch) => (batch.type === 'health' ? batch.records : []));
    expect(health.flatMap((record) => Object.entries(record.lost)).filter(([, count]) => count !== 0)).toEqual([]);
  });
});
