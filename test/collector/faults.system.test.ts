/** What the collector says when things go wrong, on the real kernel: who gave up, who was killed, what was refused. */
import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Collector } from '../../collector/collector.ts';
import { runCollector } from '../../collector/collector.ts';
import type { AnyBatch, CallRecord, ChangeRecord, ResourceRecord, TcpRecord } from '../../src/model/records.ts';
import { sleep, TwoMachines } from './namespaces.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');
const PORT = 9100;
const CGROUP = `/sys/fs/cgroup/cpu/rootwalk-test-${process.pid}`;

let machines: TwoMachines;
let collector: Collector;
let server: ChildProcess;
let early: ChildProcess;
let dir = '';
const batches: AnyBatch[] = [];

const calls = (): CallRecord[] => batches.flatMap((batch) => (batch.type === 'call' ? batch.records : []));
const tcp = (): TcpRecord[] => batches.flatMap((batch) => (batch.type === 'tcp' ? batch.records : []));
const changes = (): ChangeRecord[] => batches.flatMap((batch) => (batch.type === 'change' ? batch.records : []));
const resources = (): ResourceRecord[] => batches.flatMap((batch) => (batch.type === 'resource' ? batch.records : []));

/** side, status, errorType, count of the calls of one operation. */
function outcome(operation: string): string[] {
  const sums = new Map<string, number>();
  for (const call of calls()) {
    if (call.operation !== operation) continue;
    const key = `${call.side} ${call.status} ${call.errorType ?? '-'}`;
    sums.set(key, (sums.get(key) ?? 0) + call.count);
  }
  return [...sums].map(([key, count]) => `${key} ×${count}`).sort();
}

/** All connect failures by reason. */
function failures(): Record<string, number> {
  const reasons: Record<string, number> = {};
  for (const record of tcp()) {
    for (const [reason, count] of Object.entries(record.connectFailures ?? {})) {
      reasons[reason] = (reasons[reason] ?? 0) + count;
    }
  }
  return reasons;
}

/** A window has to end and be flushed first; on a busy machine that takes a while. */
const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 10_000, interval: 100 });

function python(code: string): Promise<string> {
  return machines.runAsync(machines.client, ['python3', '-c', code, machines.server.address, String(PORT)]);
}

/** Pid of the process behind `ip netns exec` (it executes in place). */
const pidOf = (child: ChildProcess): number => child.pid ?? 0;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'rootwalk-faults-'));
  machines = new TwoMachines();
  const { client, server: machine } = machines;
  server = machines.start(machine, [
    process.execPath,
    join(FIXTURES, 'slow-server.mjs'),
    machine.address,
    String(PORT),
  ]);
  await machines.listening(machine, PORT);
  // A connection that is older than the collector, and goes on.
  early = spawn('ip', ['netns', 'exec', client.name, 'python3', '-c', EARLY, machine.address, String(PORT)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => early.stdout?.once('data', resolve));
  writeFileSync(
    join(dir, 'naming.json'),
    JSON.stringify({
      version: 1,
      machines: [client, machine].map(({ name, address, inode }) => ({
        name,
        netns: name,
        netnsInode: inode,
        addresses: [address],
      })),
      endpoints: [{ address: machine.address, port: PORT, service: 'shop', instance: 'shop-1', machine: machine.name }],
      processes: [
        { pid: pidOf(server), service: 'shop', instance: 'shop-1', machine: machine.name },
        { pid: pidOf(early), service: 'early', instance: 'early-1', machine: client.name },
      ],
    }),
  );
  collector = await runCollector({
    environment: 'test',
    namingFile: join(dir, 'naming.json'),
    netns: [client.inode, machine.inode],
    windowMs: 1000,
    publish: async (batch) => {
      batches.push(batch);
    },
  });
});

afterAll(async () => {
  early?.kill();
  await machines?.close();
  await collector?.stop();
  rmSync(dir, { recursive: true, force: true });
  if (existsSync(CGROUP)) rmdirSync(CGROUP);
});

const EARLY = `
import http.client, sys
c = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]))
def ask():
    c.request("GET", "/early"); c.getresponse().read()
ask()
print("ready", flush=True)
for line in sys.stdin:
    for i in range(17): ask()
    print("done", flush=True)
`;

describe('faults', () => {
  it('counts the calls of a connection that was open before, with its role', async () => {
    early.stdin?.write('go\n');
    await new Promise((resolve) => early.stdout?.once('data', resolve));
    await eventually(() => expect(outcome('GET /early')).toEqual(['client 200 - ×17', 'server 200 - ×17']));
    for (const call of calls())
      expect(call).toMatchObject({
        caller: 'early',
        callerInstance: 'early-1',
        callee: 'shop',
        calleeInstance: 'shop-1',
      });
  });

  it('tells a client that gave up from a server that went away', async () => {
    const tookS = await python(`
import http.client, sys, time
took = 0
for i in range(3):
    c = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=0.3)
    start = time.monotonic()
    c.request("GET", "/hang/3000")
    try: c.getresponse()
    except TimeoutError: c.close()
    took += time.monotonic() - start
print(took)
`);
    const expected = ['client none timeout ×3', 'server none connection_closed ×3'];
    await eventually(() => expect(outcome('GET /hang/{id}')).toEqual(expected));
    const failed = calls().find((call) => call.side === 'client' && call.status === 'none');
    expect((failed?.durationSumUs ?? 0) / (failed?.count ?? 1)).toBeGreaterThan(290_000);
    // Until it closed its end, not until the server's kernel said that it knows.
    expect(failed?.durationSumUs).toBeLessThan(Number(tookS) * 1e6);
    expect(failed?.errors).toBe(failed?.count);
  });

  it('joins both sides through a destination NAT', async () => {
    const { client, server: machine } = machines;
    const virtual = machine.address.replace(/\d+$/, '100');
    machines.run(client, [
      'iptables',
      '-t',
      'nat',
      '-A',
      'OUTPUT',
      '-d',
      virtual,
      '-p',
      'tcp',
      '--dport',
      '80',
      '-j',
      'DNAT',
      '--to-destination',
      `${machine.address}:${PORT}`,
    ]);
    await machines.runAsync(client, [
      'python3',
      '-c',
      `
import http.client, sys
c = http.client.HTTPConnection(sys.argv[1], 80)
for i in range(5):
    c.request("GET", "/nat"); c.getresponse().read()
`,
      virtual,
    ]);
    await eventually(() => expect(outcome('GET /nat')).toEqual(['client 200 - ×5', 'server 200 - ×5']));
    for (const call of calls().filter((found) => found.operation === 'GET /nat')) {
      expect(call).toMatchObject({
        caller: 'python',
        callee: 'shop',
        calleeInstance: 'shop-1',
        callerMachine: client.name,
      });
    }
  });

  it.skipIf(!existsSync('/sys/fs/cgroup/cpu/cpu.shares'))('sees a quota come and the throttling it makes', async () => {
    mkdirSync(CGROUP);
    writeFileSync(join(CGROUP, 'cgroup.procs'), String(pidOf(server)));
    await sleep(2_200);
    writeFileSync(join(CGROUP, 'cpu.cfs_quota_us'), '10000');
    await python(`
import http.client, sys
c = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]))
for i in range(8):
    c.request("GET", "/burn/30"); c.getresponse().read()
`);
    await sleep(2_200);
    expect(changes().find((change) => change.change === 'limit_changed')).toMatchObject({
      entity: 'shop-1',
      service: 'shop',
      detail: { limit: 'cpuLimit', from: 'none', to: '0.1' },
    });
    const throttled = resources().filter((record) => record.entity === 'shop-1' && (record.cpuThrottledUs ?? 0) > 0);
    expect(throttled.length).toBeGreaterThan(0);
    const stat = readFileSync(join(CGROUP, 'cpu.stat'), 'utf8');
    const total = Number(/throttled_time (\d+)/.exec(stat)?.[1]) / 1000;
    const reported = throttled.reduce((sum, record) => sum + (record.cpuThrottledUs ?? 0), 0);
    expect(reported).toBeGreaterThan(total * 0.9);
    expect(reported).toBeLessThanOrEqual(total * 1.001);
    const seen = throttled.find((record) => record.cpuLimitUs !== undefined);
    expect(seen?.cpuLimitUs).toBeGreaterThan(80_000);
    expect(seen?.cpuLimitUs).toBeLessThan(150_000);
    writeFileSync('/sys/fs/cgroup/cpu/cgroup.procs', String(pidOf(server)));
  });

  it('sees a kill, what it cut off, and the refusals after it', async () => {
    const waiting = python(`
import http.client, socket, sys, time
c = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]))
c.request("GET", "/hang/8888")
try: c.getresponse()
except (http.client.RemoteDisconnected, ConnectionResetError): pass
# The dying process closes its connections before its listener.
time.sleep(0.3)
for i in range(7):
    try: socket.create_connection((sys.argv[1], int(sys.argv[2])))
    except ConnectionRefusedError: pass
`);
    await sleep(1_000);
    const before = outcome('GET /hang/{id}').length;
    execFileSync('kill', ['-9', String(pidOf(server))]);
    await waiting;
    await sleep(2_000);
    expect(before).toBe(2);
    expect(
      outcome('GET /hang/{id}').filter((line) => /^client none connection_(closed|reset) ×1$/.test(line)),
    ).toHaveLength(1);
    expect(
      changes()
        .filter((change) => change.entity === 'shop-1')
        .map((change) => change.change),
    ).toEqual(expect.arrayContaining(['process_exit', 'listener_closed']));
    expect(changes().find((change) => change.change === 'process_exit' && change.entity === 'shop-1')?.signal).toBe(9);
    await eventually(() => expect(failures()).toEqual({ refused: 7 }));
    expect(tcp().find((record) => record.connectFailures?.refused)).toMatchObject({
      callee: 'shop',
      calleeInstance: 'shop-1',
      calleePort: PORT,
      side: 'client',
    });
  });
});
