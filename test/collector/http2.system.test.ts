/**
 * A prime number of HTTP/2 and gRPC calls over one connection, eight at a time, counted exactly at both ends on the real
 * kernel: some fail, some are given up by the client; and a connection that is older than the collector.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Collector } from '../../collector/collector.ts';
import { runCollector } from '../../collector/collector.ts';
import type { AnyBatch, CallRecord, HealthRecord } from '../../src/model/records.ts';
import { Pair, wait } from './loader-support.ts';

const TOTAL = 1009;
const CONCURRENCY = 8;
const PORT = 9080;

const SERVER = `
import { createServer } from 'node:http2';
const server = createServer();
server.on('stream', (stream, headers) => {
  const path = headers[':path'];
  stream.on('error', () => undefined).resume();
  if (path.startsWith('/hang')) return;
  if (headers['content-type'] === 'application/grpc') {
    const [, code] = /(\\d+)$/.exec(path);
    setTimeout(() => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': code }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 65, 66]));
    }, 3);
    return;
  }
  setTimeout(() => {
    stream.respond({ ':status': path.startsWith('/fail') ? 500 : 200, 'x-served': path });
    stream.end('x'.repeat(60));
  }, 3);
});
server.listen(${PORT}, '0.0.0.0');`;

const CLIENT = `
import { connect, constants } from 'node:http2';
const [address, total, concurrency, pauseMs, route] = process.argv.slice(2);
const session = connect('http://' + address + ':${PORT}');
const told = {};
const kinds = (i) => i % 17 === 5 ? '/hang' : i % 10 === 3 ? '/fail/' + i : i % 4 === 1 ? '/shop.Cart/Code' + [0, 5, 14][i % 3] : '/items/' + i;
const ask = (i) => new Promise((done) => {
  const path = route ?? kinds(i);
  const isGrpc = path.startsWith('/shop');
  const stream = session.request({
    ':method': isGrpc ? 'POST' : 'GET', ':path': path, traceparent: '00-' + String(i).padStart(32, '0') + '-01',
    ...(isGrpc ? { 'content-type': 'application/grpc', te: 'trailers' } : {}),
  });
  let answer = '';
  stream.on('response', (headers) => { answer = String(headers[':status']); });
  stream.on('trailers', (headers) => { answer = headers['grpc-status']; });
  stream.on('error', () => undefined);
  stream.on('close', () => {
    const key = path.replace(/\\/\\d+$/, '/{id}') + ' ' + (answer || 'none');
    told[key] = (told[key] ?? 0) + 1;
    done();
  });
  stream.resume();
  if (path === '/hang') setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), 20);
  stream.end(isGrpc ? Buffer.from([0, 0, 0, 0, 1, 65]) : undefined);
});
let next = 0;
const worker = async () => {
  while (next < Number(total)) {
    await ask(next++);
    if (Number(pauseMs) > 0) await new Promise((done) => setTimeout(done, Number(pauseMs)));
  }
};
await Promise.all(Array.from({ length: Number(concurrency) }, worker));
await new Promise((done) => session.close(done));
console.log(JSON.stringify(told));`;

const CODES: Readonly<Record<string, string>> = { '0': 'OK', '5': 'NOT_FOUND', '14': 'UNAVAILABLE' };

let pair: Pair;
let collector: Collector;
let sent: Record<string, number> = {};
const batches: AnyBatch[] = [];

const calls = (side: 'client' | 'server'): CallRecord[] =>
  batches
    .flatMap((batch) => (batch.type === 'call' ? batch.records : []))
    .filter((record) => record.side === side && record.callee === 'shop');

/** `protocol operation status` -> count. */
function counted(records: readonly CallRecord[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { protocol, operation, status, count } of records) {
    const key = `${protocol} ${operation} ${status}`;
    sums[key] = (sums[key] ?? 0) + count;
  }
  return sums;
}

const isOld = ({ operation }: CallRecord): boolean => operation === 'GET /old' || operation === '*';

/** What the client told of a path and its outcome, as a call. */
function asCall(key: string): string {
  const [path = '', answer = ''] = key.split(' ');
  return path.startsWith('/shop') ? `grpc ${path.slice(1)} ${CODES[answer]}` : `http GET ${path} ${answer}`;
}

beforeAll(async () => {
  pair = new Pair();
  pair.start(pair.server, process.execPath, pair.file('shop.mjs', SERVER));
  await pair.listening(pair.server, PORT);
  const target = pair.server.address;
  const old = pair.node(pair.client, CLIENT, target, '60', '1', '100', '/old');
  await wait(1_000);
  collector = await runCollector({
    environment: 'test',
    name: 'host',
    netns: [pair.client.inode, pair.server.inode],
    publish: async (batch) => {
      batches.push(batch);
    },
  });
  sent = JSON.parse(
    await pair.node(pair.client, CLIENT, target, String(TOTAL), String(CONCURRENCY), '0'),
  ) as typeof sent;
  await old;
  await wait(1_500);
  await collector.stop();
}, 120_000);

afterAll(async () => {
  await collector?.stop();
  await pair?.close();
});

describe(`${TOTAL} calls over one HTTP/2 connection`, () => {
  it('were made', () => {
    expect(Object.values(sent).reduce((sum, count) => sum + count, 0)).toBe(TOTAL);
    expect(Object.keys(sent)).toHaveLength(6);
  });

  it.each(['client', 'server'] as const)('are counted exactly at the %s', (side) => {
    const expected = Object.fromEntries(Object.entries(sent).map(([key, count]) => [asCall(key), count]));
    expect(counted(calls(side).filter((record) => !isOld(record)))).toEqual(expected);
  });

  it('tell failures and what the client gave up', () => {
    for (const record of calls('server').filter((each) => !isOld(each))) {
      const { status, errors, count, errorType } = record;
      const isFailed = ['500', 'UNAVAILABLE', 'none'].includes(status);
      expect(errors, status).toBe(isFailed ? count : 0);
      if (status === 'none') expect(errorType).toBe('connection_closed');
      if (status === 'UNAVAILABLE') expect(errorType).toBe('UNAVAILABLE');
    }
  });

  it('take as long as the server takes', () => {
    const mean = (side: 'client' | 'server'): number => {
      const records = calls(side).filter((each) => each.status === '200' || each.status === 'OK');
      const sum = records.reduce((total, each) => total + (each.durationSumUs ?? 0), 0);
      return sum / records.reduce((total, each) => total + each.count, 0);
    };
    expect(mean('server')).toBeGreaterThan(2_000);
    expect(mean('client')).toBeGreaterThan(mean('server'));
    expect(mean('client')).toBeLessThan(60_000);
  });

  it('go on where the connection is older than the collector', () => {
    const [client, server] = (['client', 'server'] as const).map((side) =>
      calls(side)
        .filter(isOld)
        .reduce((sum, { count }) => sum + count, 0),
    );
    expect(client).toBeGreaterThan(20);
    expect(Math.abs(client! - server!)).toBeLessThanOrEqual(1);
    for (const { protocol, status } of calls('client').filter(isOld))
      expect([protocol, status]).toEqual(['http', '200']);
  });

  it('lose nothing', () => {
    const health: HealthRecord[] = batches.flatMap((batch) => (batch.type === 'health' ? batch.records : []));
    const lost = health.flatMap((record) => Object.entries(record.lost)).filter(([, count]) => count !== 0);
    expect(lost.filter(([name]) => name !== 'responses')).toEqual([]);
  });
});
