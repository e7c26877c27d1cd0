/** Two hosts, one collector each, no naming file: what one calls is what the other serves, also behind a destination NAT. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Collector } from '../collector/collector.ts';
import { runCollector } from '../collector/collector.ts';
import { createIngest } from '../src/ingest/index.ts';
import type { AnyBatch } from '../src/model/records.ts';
import type { ClosedWindow } from '../src/model/window.ts';
import type { Machine } from './collector/namespaces.ts';
import { TwoMachines } from './collector/namespaces.ts';

const FIXTURES = join(import.meta.dirname, 'collector', 'fixtures');
const PORT = 9100;
/** What a cluster's services have: an address that is nobody's, sent on by the caller's host. */
const VIRTUAL = '10.39.96.12';

/** Two threads, each with one connection that stays. */
const CLIENT = `
import http.client, sys, threading, time
def ask(host, port, path):
    c = http.client.HTTPConnection(host, port)
    while True:
        c.request("GET", path); c.getresponse().read(); time.sleep(0.02)
for host, port, path in ((sys.argv[1], int(sys.argv[2]), "/direct"), (sys.argv[3], 80, "/virtual")):
    threading.Thread(target=ask, args=(host, port, path)).start()
`;

let machines: TwoMachines;
const collectors: Collector[] = [];
const batches: AnyBatch[] = [];

async function collect(machine: Machine, name: string): Promise<void> {
  const collector = await runCollector({
    name,
    environment: 'test',
    netns: [machine.inode],
    windowMs: 1000,
    publish: async (batch) => {
      batches.push(batch);
    },
  });
  collectors.push(collector);
}

beforeAll(async () => {
  machines = new TwoMachines();
  const { client, server } = machines;
  machines.start(server, [process.execPath, join(FIXTURES, 'slow-server.mjs'), '0.0.0.0', String(PORT)]);
  await machines.listening(server, PORT);
  machines.run(client, ['ip', 'route', 'add', `${VIRTUAL}/32`, 'via', server.address]);
  const to = ['-j', 'DNAT', '--to-destination', `${server.address}:${PORT}`];
  machines.run(client, ['iptables', '-t', 'nat', '-A', 'OUTPUT', '-p', 'tcp', '-d', VIRTUAL, '--dport', '80', ...to]);
  await collect(client, 'host-a');
  await collect(server, 'host-b');
  machines.start(client, ['python3', '-c', CLIENT, server.address, String(PORT), VIRTUAL]);
});

afterAll(async () => {
  await machines?.close();
  for (const collector of collectors) await collector.stop();
});

/** `side operation: caller(instance@machine) > callee(instance@machine)` of a window, sorted, each once. */
function callsOf({ names, callDirectory: { keys, width }, calls }: ClosedWindow): string[] {
  const texts = Array.from(calls.leaf, (leaf) => {
    const key = (i: number): number => keys[leaf * width + i]!;
    const [caller, callee, callerInstance, calleeInstance, callerMachine, calleeMachine] = [0, 1, 2, 3, 4, 5].map((i) =>
      names.name(key(i)),
    );
    const side = key(6) === 0 ? 'client' : 'server';
    return `${side} ${names.name(key(8))}: ${caller}(${callerInstance}@${callerMachine}) > ${callee}(${calleeInstance}@${calleeMachine})`;
  });
  return [...new Set(texts)].sort();
}

function lastWindow(): ClosedWindow | undefined {
  const ingest = createIngest();
  const windows = [...batches].flatMap((batch) => ingest.push(batch).closed);
  return windows[windows.length - 1];
}

describe('two hosts', () => {
  it('are one system: both sides of a call name the same ends', async () => {
    const edge = 'python(python@host-a@host-a) > slow-server(slow-server@host-b@host-b)';
    await vi.waitFor(
      () => {
        const window = lastWindow();
        expect(window === undefined ? [] : callsOf(window)).toEqual([
          `client GET /direct: ${edge}`,
          `client GET /virtual: ${edge}`,
          `server GET /direct: ${edge}`,
          `server GET /virtual: ${edge}`,
        ]);
        expect(window!.topology.filter(([relation]) => relation === 'calls')).toEqual([
          ['calls', 'python', 'slow-server'],
        ]);
      },
      { timeout: 20_000, interval: 500 },
    );
  });

  it('told addresses: the names are not the collectors’', () => {
    const callees = new Set(
      batches.flatMap((b) => (b.type === 'call' && b.collector === 'host-a' ? b.records.map((r) => r.callee) : [])),
    );
    expect([...callees].sort()).toEqual([`${VIRTUAL}:80`, `${machines.server.address}:${PORT}`].sort());
  });
});
