/**
 * A prime number of requests through a real nginx to a real PHP-FPM, counted exactly at both ends of FastCGI, per route
 * and status: connections kept and not kept, params and answers longer than the capture, bodies, words on STDERR.
 */
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Collector } from '../../collector/collector.ts';
import { runCollector } from '../../collector/collector.ts';
import type { AnyBatch, CallRecord } from '../../src/model/records.ts';
import { sleep, TwoMachines } from './namespaces.ts';

const KEPT = 103;
const CLOSED = 108;
/** 211, a prime. */
const TOTAL = KEPT + CLOSED;
const FIXTURES = join(import.meta.dirname, 'fixtures');
/** The Debian name has the version: php-fpm8.2. */
const PHP_FPM = readdirSync('/usr/sbin').find((name) => name.startsWith('php-fpm')) ?? 'php-fpm';

let machines: TwoMachines;
let dir = '';

interface Observed {
  readonly collector: Collector;
  readonly batches: AnyBatch[];
}

async function observe(): Promise<Observed> {
  const batches: AnyBatch[] = [];
  const collector = await runCollector({
    environment: 'test',
    netns: [machines.client.inode, machines.server.inode],
    windowMs: 1000,
    publish: async (batch) => {
      batches.push(batch);
    },
  });
  return { collector, batches };
}

function calls({ batches }: Observed, side: 'client' | 'server'): CallRecord[] {
  return batches
    .flatMap((batch) => (batch.type === 'call' ? batch.records : []))
    .filter((record) => record.protocol === 'fastcgi' && record.side === side);
}

/** `operation status` -> count, of calls that ended. */
function counted(records: readonly CallRecord[]): Record<string, number> {
  const sums = new Map<string, number>();
  for (const { operation, status, count } of records) {
    if (status === 'active') continue;
    sums.set(`${operation} ${status}`, (sums.get(`${operation} ${status}`) ?? 0) + count);
  }
  return Object.fromEntries([...sums].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);

/** Mean duration in milliseconds of an operation's calls. */
function meanMs(records: readonly CallRecord[], operation: string): number {
  const of = records.filter((record) => record.operation === operation && record.status !== 'active');
  const us = of.reduce((total, record) => total + (record.durationSumUs ?? 0), 0);
  return us / 1000 / of.reduce((total, record) => total + record.count, 0);
}

/** Sends requests through nginx, of all kinds or of one operation. */
async function send(port: number, count: number, only: readonly string[] = []): Promise<Record<string, number>> {
  const { client } = machines;
  const script = join(FIXTURES, 'fastcgi-client.mjs');
  const what = [client.address, String(port), String(count), ...only];
  const out = await machines.runAsync(client, [process.execPath, script, ...what]);
  const lines = out.trim().split('\n');
  return Object.fromEntries(lines.map((line) => [line.replace(/ \d+$/, ''), Number(/\d+$/.exec(line)?.[0])]));
}

function merged(...all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums = new Map<string, number>();
  for (const [key, n] of all.flatMap((each) => Object.entries(each))) sums.set(key, (sums.get(key) ?? 0) + n);
  return Object.fromEntries([...sums].sort(([a], [b]) => (a < b ? -1 : 1)));
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'rootwalk-fastcgi-'));
  chmodSync(dir, 0o755);
  copyFileSync(join(FIXTURES, 'front.php'), join(dir, 'front.php'));
  machines = new TwoMachines();
  const { client, server } = machines;
  writeFileSync(
    join(dir, 'fpm.conf'),
    [
      '[global]',
      `error_log = ${dir}/fpm.log`,
      'daemonize = no',
      '[www]',
      `listen = ${server.address}:9071`,
      'user = nobody',
      'group = nogroup',
      'pm = static',
      'pm.max_children = 2',
      'php_admin_flag[display_errors] = off',
      'php_admin_flag[log_errors] = on',
    ].join('\n'),
  );
  writeFileSync(
    join(dir, 'nginx.conf'),
    `daemon off; master_process on; worker_processes 1; error_log /dev/null; pid ${dir}/nginx.pid; user root;
     events { worker_connections 64; }
     http {
       access_log off; keepalive_requests 100000; client_max_body_size 1m;
       client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u;
       scgi_temp_path ${dir}/s;
       upstream php { server ${server.address}:9071; keepalive 1; }
       server {
         listen ${client.address}:9000;
         include /etc/nginx/fastcgi_params;
         fastcgi_param SCRIPT_FILENAME ${dir}/front.php;
         location / { fastcgi_keep_conn on; fastcgi_pass php; }
       }
       server {
         listen ${client.address}:9001;
         fastcgi_param SCRIPT_FILENAME ${dir}/front.php;
         include /etc/nginx/fastcgi_params;
         location / { fastcgi_pass ${server.address}:9071; }
       }
     }`,
  );
  machines.start(server, [PHP_FPM, '-n', '-F', '-y', join(dir, 'fpm.conf')]);
  await machines.listening(server, 9071);
  machines.start(client, ['nginx', '-e', '/dev/null', '-c', join(dir, 'nginx.conf')]);
  await machines.listening(client, 9000);
});

afterAll(async () => {
  await machines?.close();
  rmSync(dir, { recursive: true, force: true });
});

describe(`${TOTAL} requests to PHP-FPM`, () => {
  let observed: Observed;
  let sent: Record<string, number> = {};

  beforeAll(async () => {
    observed = await observe();
    sent = merged(await send(9000, KEPT), await send(9001, CLOSED));
    await sleep(1_000);
    await observed.collector.stop();
  });

  it('were sent, with every outcome', () => {
    expect(sum(sent)).toBe(TOTAL);
    expect(Object.keys(sent).map((key) => key.split(' ').at(-1))).toEqual(
      expect.arrayContaining(['200', '302', '404', '500', '503']),
    );
  });

  it.each(['client', 'server'] as const)('are counted exactly at the %s, per route and status', (side) => {
    expect(counted(calls(observed, side))).toEqual(sent);
  });

  it('are told by name, with errors where they failed', () => {
    for (const record of [...calls(observed, 'client'), ...calls(observed, 'server')]) {
      expect(record).toMatchObject({ caller: 'nginx', callee: 'php-fpm' });
      expect(record.errors).toBe(record.status >= '500' ? record.count : 0);
    }
  });

  it('take the time of the script at both ends, whenever it reads the body', () => {
    for (const operation of ['GET /slow', 'PUT /items/{id}']) {
      const [client, server] = [
        meanMs(calls(observed, 'client'), operation),
        meanMs(calls(observed, 'server'), operation),
      ];
      expect(server).toBeGreaterThan(29);
      expect(client).toBeGreaterThan(server);
      expect(client).toBeLessThan(server + 20);
    }
    expect(meanMs(calls(observed, 'server'), 'GET /parts')).toBeGreaterThan(19);
  });

  it('cost no event', () => {
    const health = observed.batches.flatMap((batch) => (batch.type === 'health' ? batch.records : []));
    expect(health.flatMap((record) => Object.entries(record.lost)).filter(([, count]) => count !== 0)).toEqual([]);
  });
});

describe('PHP-FPM otherwise', () => {
  it.each([[[]], [['POST /upload']]])(
    'is recognised on connections that are older than the collector: %j',
    async (only) => {
      await send(9000, 14, only);
      const observed = await observe();
      const sent = await send(9000, 56, only);
      await sleep(1_000);
      await observed.collector.stop();
      expect(counted(calls(observed, 'client'))).toEqual(merged(sent));
      // PHP reads a record in two pieces: it takes a request or two until one is recognised.
      const server = sum(counted(calls(observed, 'server')));
      expect(server).toBeGreaterThanOrEqual(53);
      expect(server).toBeLessThanOrEqual(56);
    },
  );

  it('is told while it hangs, with params that were not captured to their end', async () => {
    const observed = await observe();
    await send(9001, 1, ['GET /hang']);
    await sleep(1_000);
    await observed.collector.stop();
    for (const side of ['client', 'server'] as const) {
      const active = calls(observed, side).filter((record) => record.status === 'active');
      expect(active[0]).toMatchObject({ operation: 'GET /hang', count: 1 });
      expect(counted(calls(observed, side))).toEqual({ 'GET /hang 200': 1 });
    }
  });

  it('fails where a fatal error says more than was captured', async () => {
    const observed = await observe();
    expect(await send(9001, 1, ['GET /trace'])).toEqual({ 'GET /trace 500': 1 });
    await sleep(1_000);
    await observed.collector.stop();
    for (const side of ['client', 'server'] as const) {
      expect(calls(observed, side)).toMatchObject([{ operation: 'GET /trace', status: 'unknown', errors: 1 }]);
    }
  });
});
