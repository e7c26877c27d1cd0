/**
 * Lookups of real resolvers, seen at both ends on the real kernel: glibc (two questions in one sendmmsg), c-ares, sockets that
 * are not connected; a name that is removed, a server that never answers, one that is not there, one that asks another.
 */
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Collector } from '../../collector/collector.ts';
import { runCollector } from '../../collector/collector.ts';
import { findCommand } from '../../collector/toolchain.ts';
import type { AnyBatch, CallRecord, HealthRecord, TcpRecord } from '../../src/model/records.ts';
import { DEFAULT_WINDOW_MS } from '../../src/model/units.ts';
import type { Namespace } from './loader-support.ts';
import { finished, Pair, until, wait } from './loader-support.ts';

const ROUNDS = 23;
const SILENT = '127.0.0.9';

const QUESTION = `b'\\x01\\x00\\0\\1\\0\\0\\0\\0\\0\\0\\x07catalog\\x04shop\\0\\0\\1\\0\\1'`;
const SENDTO = `
import socket, struct
for i in range(${ROUNDS}):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for id in (2 * i, 2 * i + 1):
        s.sendto(struct.pack('>H', id) + ${QUESTION}, ('10.77.0.2', 53))
        assert s.recvfrom(512)[0][:2] == struct.pack('>H', id)
`;
const SENDMSG = `
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(('::', 0))
for id in range(${ROUNDS}):
    s.sendmsg([struct.pack('>H', id) + ${QUESTION}], [], 0, ('::ffff:10.77.0.2', 53))
    assert s.recvmsg(512)[0][:2] == struct.pack('>H', id)
`;
const GETADDRINFO = `
import socket
for i in range(${ROUNDS}):
    socket.getaddrinfo('catalog.shop', 80)
`;
const CARES = `
import { Resolver } from 'node:dns/promises';
const resolver = new Resolver();
resolver.setServers(['10.77.0.2']);
for (let i = 0; i < ${ROUNDS}; i++) await resolver.resolve4('catalog.shop');
await new Promise((done) => setTimeout(done, 300));`;
/** Who is gone when its calls are told has no name but its command's. */
const STAY = 'import time; time.sleep(0.3)\n';
/** Reads, never answers. */
const SILENCE = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('ADDRESS', 53))
print('bound', flush=True)
while True: s.recvfrom(512)
`;
const IMPATIENT = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(('${SILENT}', 53))
s.send(b'\\0\\7' + ${QUESTION})
s.settimeout(8)
try: s.recv(512)
except TimeoutError: pass
`;
const NOBODY = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(('127.0.0.10', 53))
s.send(b'\\0\\7' + ${QUESTION})
try: s.recv(512)
except ConnectionRefusedError: pass
`;

let pair: Pair;
let collector: Collector;
const batches: AnyBatch[] = [];

const calls = (): readonly CallRecord[] => batches.flatMap((batch) => (batch.type === 'call' ? batch.records : []));

/** `operation status errorType` -> [count, errors] of an edge at a side, what is in flight left out. */
function counted(side: 'client' | 'server', caller: string, callee: string): Record<string, readonly number[]> {
  const sums: Record<string, readonly number[]> = {};
  for (const call of calls()) {
    if (call.side !== side || call.caller !== caller || call.callee !== callee || call.status === 'active') continue;
    const key = [call.operation, call.status, ...(call.errorType === undefined ? [] : [call.errorType])].join(' ');
    const [count = 0, errors = 0] = sums[key] ?? [];
    sums[key] = [count + call.count, errors + call.errors];
  }
  return sums;
}

const both = (caller: string, callee = 'dnsmasq'): readonly unknown[] =>
  (['client', 'server'] as const).map((side) => counted(side, caller, callee));

/** With a resolv.conf of its own: `ip netns exec` gives each program its own mounts. */
function resolving(where: Namespace, command: string, ...args: readonly string[]): Promise<string> {
  const config = pair.file('resolv.conf', 'nameserver 10.77.0.2\n');
  return finished(
    pair.start(where, 'sh', '-c', `mount --bind ${config} /etc/resolv.conf && exec "$@"`, 'sh', command, ...args),
  );
}

const python = (where: Namespace, name: string, script: string, ...args: readonly string[]): Promise<string> =>
  resolving(where, 'python3', pair.file(`${name}.py`, script + STAY), ...args);

async function silent(where: Namespace, name: string, address: string): Promise<void> {
  const child = pair.start(where, 'python3', pair.file(`${name}.py`, SILENCE.replace('ADDRESS', address)));
  await new Promise((resolve) => child.stdout?.once('data', resolve));
}

beforeAll(async () => {
  expect(findCommand('dnsmasq'), 'dnsmasq (Debian: dnsmasq-base)').toBeDefined();
  pair = new Pair();
  const { client, server } = pair;
  collector = await runCollector({
    environment: 'test',
    name: 'host',
    netns: [client.inode, server.inode],
    publish: async (batch) => {
      batches.push(batch);
    },
  });
  const hosts = pair.file('hosts', '10.77.0.9 catalog.shop\n10.77.0.8 gone.shop\n');
  const options = [
    '-k',
    '-C',
    '/dev/null',
    '--user=root',
    '--pid-file=',
    '--no-resolv',
    '--no-hosts',
    '--local=/shop/',
  ];
  const dnsmasq = pair.start(server, 'dnsmasq', ...options, `--addn-hosts=${hosts}`, '--server=/far.test/10.77.0.1');
  await silent(client, 'silent', SILENT);
  await silent(client, 'upstream', '10.77.0.1');
  await pair.listening(server, 53);

  for (let i = 0; i < ROUNDS; i++) await resolving(client, 'getent', 'ahosts', 'catalog.shop');
  await resolving(client, 'getent', 'ahosts', 'gone.shop');
  await resolving(client, 'getent', 'ahosts', 'nowhere.shop').catch(() => undefined);
  writeFileSync(hosts, '10.77.0.9 catalog.shop\n');
  dnsmasq.kill('SIGHUP');
  await until('the name is gone', async () => {
    const found = await resolving(client, 'getent', 'ahostsv4', 'gone.shop').catch(() => '');
    return found === '';
  });
  await python(client, 'sendto', SENDTO);
  await python(client, 'sendmsg', SENDMSG);
  await python(client, 'lookup', GETADDRINFO);
  await resolving(client, process.execPath, pair.file('cares.mjs', CARES));
  await python(client, 'nobody', NOBODY);
  // A window ends while they wait.
  await until('a window has begun', () => Date.now() % DEFAULT_WINDOW_MS < DEFAULT_WINDOW_MS / 2);
  const far = resolving(client, 'getent', 'ahostsv4', 'cart.far.test').catch(() => undefined);
  await python(client, 'impatient', IMPATIENT);
  await far;
  await wait(1_500);
  await collector.stop();
}, 120_000);

afterAll(async () => {
  await collector?.stop();
  await pair?.close();
});

describe('lookups', () => {
  it('of glibc are two calls each: both questions of one system call', () => {
    for (const seen of both('getent'))
      expect(seen).toMatchObject({
        'A catalog.shop NOERROR': [ROUNDS, 0],
        'AAAA catalog.shop NOERROR': [ROUNDS, 0],
      });
    for (const seen of both('lookup'))
      expect(seen).toEqual({ 'A catalog.shop NOERROR': [ROUNDS, 0], 'AAAA catalog.shop NOERROR': [ROUNDS, 0] });
  });

  it('over sockets that are not connected are counted exactly at both ends', () => {
    for (const seen of both('sendto')) expect(seen).toEqual({ 'A catalog.shop NOERROR': [2 * ROUNDS, 0] });
    for (const seen of both('sendmsg')) expect(seen).toEqual({ 'A catalog.shop NOERROR': [ROUNDS, 0] });
  });

  it('of c-ares too', () => {
    for (const seen of both('cares')) expect(seen).toEqual({ 'A catalog.shop NOERROR': [ROUNDS, 0] });
  });

  it('take longer for who asks than for who answers', () => {
    const mean = (side: 'client' | 'server'): number => {
      const records = calls().filter((call) => call.side === side && call.caller === 'sendto');
      return records.reduce((sum, call) => sum + (call.durationSumUs ?? 0), 0) / (2 * ROUNDS);
    };
    expect(mean('server')).toBeGreaterThan(0);
    expect(mean('client')).toBeGreaterThan(mean('server'));
    expect(mean('client')).toBeLessThan(100_000);
  });

  it('fail where a name is gone, not where it never was', () => {
    for (const seen of both('getent')) {
      const { 'A gone.shop NXDOMAIN NXDOMAIN': gone, 'A nowhere.shop NXDOMAIN': never } = seen as Record<
        string,
        readonly number[]
      >;
      expect(gone?.[0]).toBeGreaterThan(0);
      expect(gone?.[1]).toBe(gone?.[0]);
      expect(never).toEqual([1, 0]);
    }
  });

  it('fail after 5 s where nobody answers, are in flight until then, and end at once where nobody is', () => {
    for (const seen of both('impatient', 'silent')) expect(seen).toEqual({ 'A catalog.shop none timeout': [1, 1] });
    const waiting = calls().filter((call) => call.caller === 'impatient' && call.status === 'active');
    expect(waiting.length).toBeGreaterThan(0);
    expect(counted('client', 'nobody', '127.0.0.10:53')).toEqual({ 'A catalog.shop none connection_refused': [1, 1] });
  });

  it('of a resolver at its own are calls of the resolver', () => {
    const { 'A cart.far.test none timeout': failed } = counted('client', 'dnsmasq', 'upstream');
    expect(failed?.[0]).toBeGreaterThan(0);
    expect(failed?.[1]).toBe(failed?.[0]);
  });

  it('are no TCP but for the end that joins two hosts, and lose nothing', () => {
    const records: TcpRecord[] = batches.flatMap((batch) => (batch.type === 'tcp' ? batch.records : []));
    for (const { calleePort, clientEndpoints, ...record } of records) {
      expect([calleePort, clientEndpoints?.length]).toEqual([53, 1]);
      expect(Object.values(record).filter((value) => typeof value === 'number' && value !== 0)).toEqual([]);
    }
    expect(records.map((record) => record.callee)).toEqual(['127.0.0.10:53']);
    const health: HealthRecord[] = batches.flatMap((batch) => (batch.type === 'health' ? batch.records : []));
    expect(health.flatMap((record) => Object.entries(record.lost)).filter(([, count]) => count !== 0)).toEqual([]);
  });
});
