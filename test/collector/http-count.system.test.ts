/**
 * A prime number of HTTP requests, counted exactly on both sides, per route and status: client → nginx (static file by
 * sendfile, proxied content re-framed) → Node server; over keep-alive, pipelined and short-lived connections.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Collector } from '../../collector/collector.ts';
import { runCollector } from '../../collector/collector.ts';
import { decodeMessage, encodeBatch } from '../../src/codec/index.ts';
import type { AnyBatch, CallRecord, HealthRecord } from '../../src/model/records.ts';
import { sleep, TwoMachines } from './namespaces.ts';

const KEEP_ALIVE = 613;
const PYTHON = 199;
const PIPELINED = 197;
/** 1009, a prime. */
const TOTAL = KEEP_ALIVE + PYTHON + PIPELINED;
const FIXTURES = join(import.meta.dirname, 'fixtures');

let machines: TwoMachines;
let collector: Collector;
let dir = '';
const batches: AnyBatch[] = [];
const sent = new Map<string, number>();

const calls = (side: 'client' | 'server', callee: string): CallRecord[] =>
  batches
    .flatMap((batch) => (batch.type === 'call' ? batch.records : []))
    .filter((record) => record.side === side && record.callee === callee);

/** `operation status` -> count. */
function counted(records: readonly CallRecord[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { operation, status, count } of records) {
    sums.set(`${operation} ${status}`, (sums.get(`${operation} ${status}`) ?? 0) + count);
  }
  return new Map([...sums].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const total = (map: ReadonlyMap<string, number>): number => [...map.values()].reduce((a, b) => a + b, 0);

function remember(output: string): void {
  for (const line of output.trim().split('\n')) {
    const [, key = '', count] = /^(.*) (\d+)$/.exec(line) ?? [];
    sent.set(key, (sent.get(key) ?? 0) + Number(count));
  }
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'rootwalk-http-'));
  machines = new TwoMachines();
  const { client, server } = machines;
  writeFileSync(join(dir, 'big.bin'), 'z'.repeat(300_000));
  writeFileSync(
    join(dir, 'nginx.conf'),
    `daemon off; master_process on; worker_processes 2; error_log stderr error; pid ${dir}/nginx.pid; user root;
     events { worker_connections 256; }
     http {
       access_log off; sendfile on; keepalive_requests 100000;
       client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy;
       fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
       upstream node { server ${server.address}:9001; keepalive 4; }
       server {
         listen ${server.address}:9000;
         location = /big.bin { root ${dir}; }
         location /nothing/ { return 404; }
         location / { proxy_pass http://node; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }
       }
     }`,
  );
  const naming = join(dir, 'naming.json');
  writeFileSync(
    naming,
    JSON.stringify({
      version: 1,
      machines: [client, server].map(({ name, address, inode }) => ({
        name,
        netns: name,
        netnsInode: inode,
        addresses: [address],
      })),
      endpoints: [
        { address: server.address, port: 9000, service: 'gateway', instance: 'gateway-1', machine: server.name },
        { address: server.address, port: 9001, service: 'shop', instance: 'shop-1', machine: server.name },
      ],
    }),
  );
  collector = await runCollector({
    environment: 'test',
    namingFile: naming,
    netns: [client.inode, server.inode],
    captureBytes: 2048,
    publish: async (batch) => {
      batches.push(batch);
    },
  });
  machines.start(server, [process.execPath, join(FIXTURES, 'upstream.mjs'), server.address, '9001']);
  machines.start(server, ['nginx', '-e', 'stderr', '-c', join(dir, 'nginx.conf')]);
  await machines.listening(server, 9000);
  await machines.listening(server, 9001);
  const target = [server.address, '9000'];
  remember(
    await machines.runAsync(client, [
      process.execPath,
      join(FIXTURES, 'keep-alive-client.mjs'),
      ...target,
      String(KEEP_ALIVE),
    ]),
  );
  remember(
    await machines.runAsync(client, [
      'python3',
      join(FIXTURES, 'client.py'),
      ...target,
      String(PYTHON),
      String(PIPELINED),
    ]),
  );
  await sleep(500);
  await collector.stop();
});

afterAll(async () => {
  await collector?.stop();
  await machines?.close();
  rmSync(dir, { recursive: true, force: true });
});

describe(`${TOTAL} requests`, () => {
  it('were sent', () => expect(total(sent)).toBe(TOTAL));

  it('are counted exactly at the server, per route and status', () => {
    const found = counted(calls('server', 'gateway'));
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries([...sent].sort(([a], [b]) => (a < b ? -1 : 1))));
    expect(total(found)).toBe(TOTAL);
  });

  it('are counted exactly at the clients, per route and status', () => {
    const found = counted(calls('client', 'gateway'));
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries([...sent].sort(([a], [b]) => (a < b ? -1 : 1))));
  });

  it('are counted exactly on both sides of the next hop', () => {
    const proxied = [...sent].filter(([key]) => !key.includes('/big.bin') && !key.includes('/nothing/'));
    const expected = proxied.reduce((sum, [, count]) => sum + count, 0);
    expect(total(counted(calls('client', 'shop')))).toBe(expected);
    expect(Object.fromEntries(counted(calls('server', 'shop')))).toEqual(
      Object.fromEntries(counted(calls('client', 'shop'))),
    );
  });

  it('join both sides by name', () => {
    for (const record of [...calls('client', 'shop'), ...calls('server', 'shop')]) {
      expect(record).toMatchObject({
        caller: 'gateway',
        callerInstance: 'gateway-1',
        calleeInstance: 'shop-1',
        calleeMachine: machines.server.name,
      });
    }
    const callers = new Set(
      [...calls('client', 'gateway'), ...calls('server', 'gateway')].map((record) => record.caller),
    );
    expect([...callers].sort()).toEqual(['client', 'keep-alive-client']);
  });

  it('take longer at the client than at the server', () => {
    const sum = (records: readonly CallRecord[]): number =>
      records.reduce((total, record) => total + (record.durationSumUs ?? 0), 0);
    const client = sum(calls('client', 'gateway'));
    const server = sum(calls('server', 'gateway'));
    expect(server).toBeGreaterThan(0);
    expect(client).toBeGreaterThan(server);
    expect(
      calls('server', 'gateway')
        .filter((record) => record.status === '500')
        .every((record) => record.errors === record.count),
    ).toBe(true);
  });

  it('make batches that any reader accepts, in both encodings', () => {
    const refused = batches.flatMap((batch) =>
      (['protobuf', 'json'] as const).flatMap((encoding) =>
        encodeBatch(batch, encoding)
          .map((message) => decodeMessage(message.value, message.headers))
          .filter((result) => !result.ok),
      ),
    );
    expect(refused).toEqual([]);
    expect(new Set(batches.map((batch) => batch.type))).toEqual(
      new Set(['call', 'tcp', 'topology', 'resource', 'change', 'health']),
    );
  });

  it('cost no event', () => {
    const health: HealthRecord[] = batches.flatMap((batch) => (batch.type === 'health' ? batch.records : []));
    const lost = health.flatMap((record) => Object.entries(record.lost)).filter(([, count]) => count !== 0);
    expect(lost).toEqual([]);
    expect(health.reduce((sum, record) => sum + (record.eventsReceived ?? 0), 0)).toBeGreaterThan(TOTAL * 4);
  });
});
