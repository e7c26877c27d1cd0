/** A listener whose accept queue is full: what it loses stands on the edge to it, as many as the kernel counts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Collector } from '../../collector/collector.ts';
import { runCollector } from '../../collector/collector.ts';
import type { AnyBatch, ResourceRecord, TcpRecord } from '../../src/model/records.ts';
import { sleep, TwoMachines } from './namespaces.ts';

const STUCK_PORT = 9300;
const FREE_PORT = 9301;

/** Two listeners of one machine: a service that does not accept, with backlog 1, and one that does. */
const STUCK = `
import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2]))); s.listen(1)
time.sleep(600)
`;
const FREE = `
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2]))); s.listen(128)
while True:
    c, _ = s.accept(); c.sendall(b"x"); c.close()
`;
/** Once told (by a file), many connects at once; after three seconds all are closed. */
const CROWD = `
import os, socket, sys, time
while not os.path.exists(sys.argv[4]): time.sleep(0.02)
waiting = []
for i in range(int(sys.argv[3])):
    s = socket.socket(); s.setblocking(False); s.connect_ex((sys.argv[1], int(sys.argv[2]))); waiting.append(s)
time.sleep(3)
for s in waiting: s.close()
time.sleep(600)
`;
const VISITOR = `
import socket, sys, time
while True:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2]))); s.recv(1); s.close(); time.sleep(0.05)
`;

let machines: TwoMachines;
let collector: Collector;
let dir = '';
const batches: AnyBatch[] = [];
const tcp = (): TcpRecord[] => batches.flatMap((batch) => (batch.type === 'tcp' ? batch.records : []));
const resources = (): ResourceRecord[] => batches.flatMap((batch) => (batch.type === 'resource' ? batch.records : []));

/** A TcpExt counter of the server's namespace. */
function counter(name: string): number {
  const lines = machines.run(machines.server, ['cat', '/proc/net/netstat']).split('\n');
  const [names = '', values = ''] = lines.filter((line) => line.startsWith('TcpExt:'));
  return Number(values.split(' ')[names.split(' ').indexOf(name)]);
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'rootwalk-overflow-'));
  machines = new TwoMachines();
  const { client, server } = machines;
  const python = (machine: typeof client, code: string, port: number, ...more: readonly (number | string)[]) =>
    machines.start(machine, ['python3', '-c', code, server.address, String(port), ...more.map(String)]).pid;
  const stuck = python(server, STUCK, STUCK_PORT);
  const free = python(server, FREE, FREE_PORT);
  await machines.listening(server, STUCK_PORT);
  await machines.listening(server, FREE_PORT);
  collector = await runCollector({
    environment: 'test',
    namingFile: join(dir, 'naming.json'),
    netns: [client.inode, server.inode],
    windowMs: 1000,
    publish: async (batch) => {
      batches.push(batch);
    },
  });
  const named = [
    { pid: stuck, service: 'stuck', machine: server.name },
    { pid: free, service: 'free', machine: server.name },
    { pid: python(client, CROWD, STUCK_PORT, 7, join(dir, 'go')), service: 'crowd', machine: client.name },
    { pid: python(client, CROWD, STUCK_PORT, 3, join(dir, 'go')), service: 'few', machine: client.name },
    { pid: python(client, VISITOR, FREE_PORT), service: 'visitor', machine: client.name },
  ];
  const list = [client, server].map(({ name, address, inode }) => ({
    ...{ name, netns: name, netnsInode: inode, addresses: [address] },
  }));
  writeFileSync(
    join(dir, 'naming.json'),
    JSON.stringify({ version: 1, machines: list, endpoints: [], processes: named }),
  );
});

afterAll(async () => {
  await machines?.close();
  await collector?.stop();
  rmSync(dir, { recursive: true, force: true });
});

describe('a full accept queue', () => {
  it('stands on the edges of those that wait for it, and on no other', async () => {
    // The machine's counters are differences: the first sample under its name must have been taken.
    const machineRecords = () =>
      resources().filter((record) => record.entity === machines.server.name && record.entityKind === 'machine');
    await vi.waitFor(() => expect(machineRecords().some((record) => record.listenOverflows === 0)).toBe(true), {
      timeout: 20_000,
    });
    writeFileSync(join(dir, 'go'), '');
    await sleep(7_000);
    const [drops, overflows] = [counter('ListenDrops'), counter('ListenOverflows')];
    const byEdge = new Map<string, number>();
    for (const record of tcp()) {
      if (record.acceptQueueOverflows === undefined) continue;
      const edge = `${record.side} ${record.caller}>${record.callee}:${record.calleePort}`;
      byEdge.set(edge, (byEdge.get(edge) ?? 0) + record.acceptQueueOverflows);
    }
    const crowd = byEdge.get(`server crowd>stuck:${STUCK_PORT}`) ?? 0;
    const few = byEdge.get(`server few>stuck:${STUCK_PORT}`) ?? 0;
    // Two fit into the queue; the others send their SYN again after one second.
    expect(overflows).toBeGreaterThanOrEqual(16);
    expect(drops).toBe(overflows);
    expect(crowd + few).toBe(overflows);
    expect(crowd).toBeGreaterThan(few);
    expect(Object.fromEntries([...byEdge].filter(([, count]) => count > 0))).toEqual({
      [`server crowd>stuck:${STUCK_PORT}`]: crowd,
      ...(few > 0 ? { [`server few>stuck:${STUCK_PORT}`]: few } : {}),
    });
    expect(byEdge.get(`server visitor>free:${FREE_PORT}`)).toBe(0);
    // Only the server's side knows.
    expect([...byEdge.keys()].filter((edge) => edge.startsWith('client'))).toEqual([]);
    const machine = machineRecords().reduce((sum, record) => sum + (record.listenOverflows ?? 0), 0);
    // Without a gap in between, which would make a new start.
    const known = machineRecords().map((record) => record.listenOverflows !== undefined);
    expect(known.slice(known.indexOf(true))).not.toContain(false);
    expect(machine).toBe(overflows);
  });
});
