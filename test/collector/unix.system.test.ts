/**
 * Services that speak over Unix sockets, seen from both ends on the real kernel: new connections and one that is older
 * than the collector, by path and by abstract name, across network namespaces; a server that was killed; a full queue.
 */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Collector } from '../../collector/collector.ts';
import { runCollector } from '../../collector/collector.ts';
import type { AnyBatch, CallRecord, ChangeRecord, TcpRecord } from '../../src/model/records.ts';
import { Pair, until, wait } from './loader-support.ts';

const KEPT = 211;
const SHORT = 97;
const REFUSED = 13;
const WAITING = 12;

const SERVER = `
import { createServer } from 'node:http';
const server = createServer((request, response) => setTimeout(() => response.end('x'.repeat(2000)), 2));
server.listen({ path: process.argv[2].replace('@', '\\0'), backlog: 2 }, () => console.log('listening'));`;

const CLIENT = `
import { Agent, request } from 'node:http';
const [path, route, count, kept, pauseMs] = process.argv.slice(2);
const agent = new Agent({ keepAlive: kept === 'kept', maxSockets: 1 });
const ask = () => new Promise((done) => {
  const asked = request({ socketPath: path.replace('@', '\\0'), path: route, agent, timeout: 1500 }, (response) =>
    response.resume().on('end', () => done('ok')));
  asked.on('error', (error) => done(error.code)).on('timeout', () => asked.destroy()).end();
});
const told = [];
for (let i = 0; i < Number(count); i++) {
  told.push(await ask());
  if (Number(pauseMs) > 0) await new Promise((done) => setTimeout(done, Number(pauseMs)));
}
agent.destroy();
console.log(JSON.stringify(Object.fromEntries([...new Set(told)].map((one) => [one, told.filter((t) => t === one).length]))));`;

const BURST = `
import { connect } from 'node:net';
const told = await Promise.all(Array.from({ length: ${WAITING} }, () => new Promise((done) => {
  const socket = connect({ path: process.argv[2] });
  socket.on('error', (error) => done(error.code));
  setTimeout(() => { socket.destroy(); done('waits'); }, 800);
})));
console.log(told.filter((one) => one === 'EAGAIN').length);`;

/** Two requests that are given up while their connections wait to be accepted. */
const GIVES_UP = `
import { request } from 'node:http';
for (let i = 0; i < 2; i++) {
  const asked = request({ socketPath: process.argv[2], path: '/given-up', agent: false });
  asked.on('error', () => {}).end();
  setTimeout(() => asked.destroy(), 200);
}
setTimeout(() => {}, 2500);`;

let pair: Pair;
let collector: Collector;
const batches: AnyBatch[] = [];
let refused: Record<string, number> = {};
let nobody: Record<string, number> = {};
let overflows = 0;

const calls = (side: 'client' | 'server', operation: string): CallRecord[] =>
  batches
    .flatMap((batch) => (batch.type === 'call' ? batch.records : []))
    .filter((record) => record.side === side && record.operation === operation && record.status === '200');
const count = (records: readonly CallRecord[]): number => records.reduce((sum, record) => sum + record.count, 0);
const changes = (): ChangeRecord[] => batches.flatMap((batch) => (batch.type === 'change' ? batch.records : []));
const tcp = (): TcpRecord[] => batches.flatMap((batch) => (batch.type === 'tcp' ? batch.records : []));

async function serve(path: string): Promise<ChildProcess> {
  const child = pair.start(pair.server, process.execPath, pair.file('catalog.mjs', SERVER), path);
  let out = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  await until('the server listens', () => out.includes('listening'));
  return child;
}

const ask = (path: string, ...args: readonly string[]): Promise<string> =>
  pair.node(pair.client, CLIENT, path, ...args);

beforeAll(async () => {
  pair = new Pair();
  const path = join(pair.dir, 'catalog.sock');
  const server = await serve(path);
  const abstract = `@rootwalk-${process.pid}`;
  const other = await serve(abstract);
  const old = ask(path, '/old', '60', 'kept', '100');
  await wait(500);
  collector = await runCollector({
    environment: 'test',
    name: 'host',
    netns: [pair.client.inode, pair.server.inode],
    publish: async (batch) => {
      batches.push(batch);
    },
  });
  await ask(path, '/kept', String(KEPT), 'kept', '0');
  await ask(path, '/short', String(SHORT), 'short', '0');
  // Abstract names are a network namespace's own, paths are not.
  await pair.node(pair.server, CLIENT, abstract, '/abstract', String(KEPT), 'kept', '0');
  nobody = JSON.parse(
    await pair.node(pair.server, CLIENT, `${abstract}-no`, '/no', '5', 'short', '0'),
  ) as typeof nobody;
  await old;
  const late = join(pair.dir, 'late.sock');
  const third = await serve(late);
  await ask(late, '/late', '5', 'kept', '0');
  third.kill('SIGTERM');
  server.kill('SIGSTOP');
  const givesUp = pair.node(pair.client, GIVES_UP, path);
  await wait(1_500);
  server.kill('SIGCONT');
  await givesUp;
  server.kill('SIGSTOP');
  overflows = Number(await pair.node(pair.client, BURST, path));
  server.kill('SIGKILL');
  await until('the server is gone', () => server.exitCode !== null || server.signalCode !== null);
  refused = JSON.parse(await ask(path, '/kept', String(REFUSED), 'short', '0')) as Record<string, number>;
  other.kill('SIGKILL');
  await wait(1_500);
  await collector.stop();
}, 120_000);

afterAll(async () => {
  await collector?.stop();
  pair?.close();
});

describe('Unix stream sockets', () => {
  it.each([
    ['GET /kept', KEPT],
    ['GET /short', SHORT],
    ['GET /abstract', KEPT],
  ])('counts %s at both ends', (operation, expected) => {
    expect([count(calls('client', operation)), count(calls('server', operation))]).toEqual([expected, expected]);
  });

  it('names both ends, and knows how long calls took', () => {
    for (const record of [...calls('client', 'GET /short'), ...calls('server', 'GET /kept')]) {
      expect(record.callee).toBe('catalog');
      expect(record.caller).toMatch(/^script-/);
      expect((record.durationSumUs ?? 0) / record.count).toBeGreaterThan(1_500);
      expect((record.responseBytes ?? 0) / record.count).toBeGreaterThan(2_000);
    }
  });

  it('goes on with a connection that was there before', () => {
    const [client, server] = [count(calls('client', 'GET /old')), count(calls('server', 'GET /old'))];
    expect(client).toBeGreaterThan(20);
    expect(Math.abs(client - server)).toBeLessThanOrEqual(1);
    expect(calls('client', 'GET /old')[0]?.callee).toBe('catalog');
  });

  it('counts connections and their bytes', () => {
    const client = tcp().filter((record) => record.side === 'client' && record.callee === 'catalog');
    // Each short request has its own; the kept ones had two, one of them by an abstract name.
    expect(client.reduce((sum, record) => sum + (record.connects ?? 0), 0)).toBeGreaterThanOrEqual(SHORT + 2);
    expect(client.reduce((sum, record) => sum + (record.bytesIn ?? 0), 0)).toBeGreaterThan((KEPT * 2 + SHORT) * 2_000);
  });

  it('knows who gave up before the server accepted', () => {
    const told = batches
      .flatMap((batch) => (batch.type === 'call' ? batch.records : []))
      .filter(({ side, operation }) => side === 'server' && operation === 'GET /given-up');
    expect(told.map(({ status, callee }) => [status, callee])).toContainEqual(['none', 'catalog']);
    expect(count(told)).toBe(2);
    for (const { caller } of told) expect(caller).toMatch(/^script-/);
  });

  it('tells the start of a server with its first call', () => {
    expect(count(calls('client', 'GET /late'))).toBe(5);
    expect(
      changes()
        .filter(({ change }) => change === 'process_start')
        .map(({ service }) => service),
    ).toEqual(['catalog']);
  });

  it('tells that a killed server refuses, and that it ended', () => {
    expect(refused['ECONNREFUSED']).toBe(REFUSED);
    // An abstract name at which nobody ever answered is not that of another one.
    expect(nobody).toEqual({ ECONNREFUSED: 5 });
    const told = tcp().reduce((sum, record) => sum + (record.connectFailures?.['refused'] ?? 0), 0);
    expect(told).toBe(REFUSED);
    const changes = batches.flatMap((batch): readonly ChangeRecord[] => (batch.type === 'change' ? batch.records : []));
    expect(
      changes.some(({ change, service, signal }) => change === 'process_exit' && service === 'catalog' && signal === 9),
    ).toBe(true);
  });

  it('tells who is turned away by a full queue', () => {
    expect(overflows).toBeGreaterThan(WAITING / 2);
    const told = tcp()
      .filter(({ side }) => side === 'server')
      .reduce((sum, record) => sum + (record.acceptQueueOverflows ?? 0), 0);
    expect(told).toBe(overflows);
  });
});
