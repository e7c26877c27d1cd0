/** TCP counters against the kernel's own: retransmits, drops by reason, resets, and why connects fail. */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildCollector } from '../../collector/build.ts';
import type { ConnFrame, FlowFrame, TcpTotals } from '../../collector/frames/types.ts';
import type { Namespace } from './loader-support.ts';
import { Pair, until, Watch, wait } from './loader-support.ts';

const SINK = `
import net from 'node:net';
const port = Number(process.argv[2]);
net.createServer((socket) => { socket.resume(); socket.on('error', () => {}); socket.on('end', () => socket.end('done')); })
  .listen(port, '10.77.0.2');`;

/** Sends bytes over some connections and waits until each is answered at its end. */
const SENDER = `
import net from 'node:net';
const [port, connections, bytes] = process.argv.slice(2).map(Number);
await Promise.all(Array.from({ length: connections }, () => new Promise((done, fail) => {
  const socket = net.connect({ port, host: '10.77.0.2', allowHalfOpen: true });
  socket.on('error', fail);
  socket.on('data', () => {});
  socket.on('end', done);
  socket.end(Buffer.alloc(bytes, 'GET / HTTP/1.1 '));
})));`;

/** Tries to connect; prints the error code or "connected". */
const CONNECT = `
import net from 'node:net';
const [host, port, giveUpMs] = process.argv.slice(2);
const socket = net.connect(Number(port), host);
const end = (text) => { console.log(text); socket.destroy(); };
if (giveUpMs) setTimeout(() => end('gave up'), Number(giveUpMs));
socket.on('connect', () => { console.log('connected'); socket.resume(); socket.end(); });
socket.on('error', (error) => end(error.code));`;

let pair: Pair;
beforeAll(async () => {
  await buildCollector({ log: () => undefined });
});
beforeEach(() => {
  pair = new Pair();
});
afterEach(async () => {
  await pair.close();
});

function iptables(where: Namespace, ...args: readonly string[]): void {
  pair.run(where, 'iptables', '-w', ...args);
}

/** Packets counted by the first rule of a chain. */
function ruleCount(where: Namespace, chain: string, table = 'filter'): number {
  const rule = pair.run(where, 'iptables', '-w', '-t', table, '-nvxL', chain).split('\n')[2] ?? '';
  return Number(rule.trim().split(/\s+/)[0]);
}

/** The last totals of every connection of a namespace. */
function totals(watch: Watch, where: Namespace): TcpTotals[] {
  const last = new Map<number, TcpTotals>();
  for (const frame of watch.frames) {
    if ((frame.type === 'conn' || frame.type === 'connStats') && frame.netns === where.inode) {
      last.set(frame.connId, frame.totals);
    }
  }
  return [...last.values()];
}

/** Until no connection is under way: a lost FIN is sent again for seconds after the program has ended. */
async function settled(): Promise<void> {
  const open = (where: Namespace): string =>
    pair.run(where, 'ss', '-Htan', 'state', 'connected', 'exclude', 'time-wait').trim();
  await until('all connections ended', () => open(pair.client) + open(pair.server) === '', 60_000);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const flows = (watch: Watch, where: Namespace, kind: FlowFrame['kind'], reason = ''): FlowFrame[] =>
  watch.of('flow').filter((frame) => frame.netns === where.inode && frame.kind === kind && frame.reason === reason);
const counts = (frames: readonly FlowFrame[]): number => sum(frames.map((frame) => frame.count));

describe('retransmits and drops', () => {
  it('adds up to TcpRetransSegs and to the counters of iptables under loss', async () => {
    pair.start(pair.server, process.execPath, pair.file('sink.mjs', SINK), '9000');
    await pair.listening(pair.server, 9000);
    // Loss both ways: data and SYN towards the server, acknowledgements, SYN-ACK and answers towards the client.
    const lossy = ['-m', 'statistic', '--mode', 'nth', '--every', '19', '--packet', '0', '-j', 'DROP'] as const;
    iptables(pair.server, '-A', 'INPUT', '-p', 'tcp', '--dport', '9000', ...lossy);
    iptables(pair.client, '-A', 'INPUT', '-p', 'tcp', '--sport', '9000', ...lossy);
    const watch = await Watch.start([pair.client, pair.server]);
    await pair.node(pair.client, SENDER, '9000', '31', '200000');
    await settled();
    await wait(300);
    await watch.stop();

    for (const where of [pair.client, pair.server]) {
      const expected = pair.snmp(where, 'RetransSegs');
      const synacks = counts(flows(watch, where, 'synack_retransmit'));
      const own = totals(watch, where);
      expect(sum(own.map((each) => each.retransmits)) + synacks).toBe(expected);
      // The kernel's own count takes over what the handshake needed.
      expect(sum(own.map((each) => each.totalRetransmits))).toBe(expected);
    }
    expect(pair.snmp(pair.client, 'RetransSegs')).toBeGreaterThan(31);
    const dropped = flows(watch, pair.server, 'drop', 'NETFILTER_DROP');
    expect(counts(dropped)).toBe(ruleCount(pair.server, 'INPUT'));
    expect(counts(dropped)).toBeGreaterThan(0);
    expect(dropped.every((frame) => frame.tuple.remotePort === 9000)).toBe(true);
    expect(dropped.every((frame) => frame.tuple.localAddress === '10.77.0.1')).toBe(true);
    expect(counts(flows(watch, pair.client, 'drop', 'NETFILTER_DROP'))).toBe(ruleCount(pair.client, 'INPUT'));
    expect(watch.lost()).toBe(0);
  });

  it("counts what a firewall drops on the way out, in the sender's namespace", async () => {
    pair.start(pair.server, process.execPath, pair.file('sink.mjs', SINK), '9000');
    await pair.listening(pair.server, 9000);
    const lossy = ['-m', 'statistic', '--mode', 'nth', '--every', '11', '--packet', '0', '-j', 'DROP'] as const;
    iptables(pair.client, '-A', 'OUTPUT', '-p', 'tcp', ...lossy);
    const watch = await Watch.start([pair.client, pair.server]);
    await pair.node(pair.client, SENDER, '9000', '13', '100000');
    await settled();
    await wait(300);
    await watch.stop();
    const dropped = counts(flows(watch, pair.client, 'drop', 'NETFILTER_DROP'));
    expect(dropped).toBe(ruleCount(pair.client, 'OUTPUT'));
    expect(dropped).toBeGreaterThan(5);
    expect(flows(watch, pair.server, 'drop', 'NETFILTER_DROP')).toEqual([]);
    const own = totals(watch, pair.client);
    expect(sum(own.map((each) => each.totalRetransmits))).toBe(pair.snmp(pair.client, 'RetransSegs'));
    expect(sum(own.map((each) => each.retransmits))).toBe(pair.snmp(pair.client, 'RetransSegs'));
  });

  it('tells no drop and no retransmit when all is well', async () => {
    pair.start(pair.server, process.execPath, pair.file('sink.mjs', SINK), '9000');
    await pair.listening(pair.server, 9000);
    const watch = await Watch.start([pair.client, pair.server]);
    await pair.node(pair.client, SENDER, '9000', '31', '50000');
    await wait(300);
    await watch.stop();
    expect(watch.of('flow')).toEqual([]);
    for (const where of [pair.client, pair.server]) {
      const own = totals(watch, where);
      expect(own).toHaveLength(31);
      expect(sum(own.map((each) => each.totalRetransmits))).toBe(0);
      expect(own.every((each) => (each.srttUs ?? 0) > 0 && (each.lastRttUs ?? 0) > 0)).toBe(true);
    }
    expect(sum(totals(watch, pair.client).map((each) => each.bytesSent))).toBe(31 * 50_000);
    expect(sum(totals(watch, pair.server).map((each) => each.bytesReceived))).toBe(31 * 50_000);
  });
});

describe('connects that fail', () => {
  const failures = (watch: Watch): ConnFrame[] => watch.of('conn').filter((frame) => frame.kind === 'failed');

  async function attempt(...args: readonly string[]): Promise<{ said: string; failed: ConnFrame[]; watch: Watch }> {
    const watch = await Watch.start([pair.client, pair.server]);
    const said = (await pair.node(pair.client, CONNECT, ...args)).trim();
    await wait(250);
    await watch.stop();
    return { said, failed: failures(watch), watch };
  }

  it('refused: RST to the SYN, from a port where nobody listens', async () => {
    const { said, failed, watch } = await attempt('10.77.0.2', '9');
    expect(said).toBe('ECONNREFUSED');
    expect(failed).toHaveLength(1);
    expect(failed[0]).toMatchObject({ reason: 'refused', errno: 111, role: 'client', netns: pair.client.inode });
    expect(failed[0]?.tuple).toMatchObject({ remoteAddress: '10.77.0.2', remotePort: 9, localAddress: '10.77.0.1' });
    expect(failed[0]?.tuple.localPort).toBeGreaterThan(1023);
    expect(failed[0]?.totals.resetsReceived).toBe(1);
    expect(failed[0]?.pid).toBeGreaterThan(0);
    expect(flows(watch, pair.server, 'reset_sent')).toMatchObject([{ count: 1, tuple: { localPort: 9 } }]);
    expect(watch.of('conn').filter((frame) => frame.kind !== 'failed')).toEqual([]);
  });

  it('timed out: SYNs without an answer, dropped by a firewall', async () => {
    pair.run(pair.client, 'sysctl', '-qw', 'net.ipv4.tcp_syn_retries=1');
    iptables(pair.server, '-A', 'INPUT', '-p', 'tcp', '--dport', '10', '-j', 'DROP');
    const { said, failed, watch } = await attempt('10.77.0.2', '10');
    expect(said).toBe('ETIMEDOUT');
    expect(failed).toHaveLength(1);
    expect(failed[0]).toMatchObject({ reason: 'timed_out', errno: 110 });
    // How many depends on the kernel (tcp_syn_linear_timeouts); it says so itself.
    expect(failed[0]?.synRetransmits).toBe(pair.snmp(pair.client, 'RetransSegs'));
    expect(failed[0]?.synRetransmits).toBeGreaterThan(0);
    expect(failed[0]?.connectNs).toBeGreaterThan(2.5e9);
    expect(counts(flows(watch, pair.server, 'drop', 'NETFILTER_DROP'))).toBe(1 + (failed[0]?.synRetransmits ?? 0));
  });

  it('aborted: the application gave up before the SYN was answered', async () => {
    iptables(pair.server, '-A', 'INPUT', '-p', 'tcp', '--dport', '10', '-j', 'DROP');
    const { said, failed } = await attempt('10.77.0.2', '10', '1300');
    expect(said).toBe('gave up');
    expect(failed).toHaveLength(1);
    expect(failed[0]).toMatchObject({ reason: 'aborted', errno: 0, synRetransmits: 1 });
    expect(failed[0]?.connectNs).toBeGreaterThan(1.2e9);
  });

  it('unreachable: no route, or an ICMP answer', async () => {
    const noRoute = await attempt('192.0.2.1', '80');
    expect(noRoute.said).toBe('ENETUNREACH');
    expect(noRoute.failed).toMatchObject([
      { reason: 'unreachable', errno: 101, tuple: { remoteAddress: '192.0.2.1' } },
    ]);
    iptables(
      pair.server,
      '-A',
      'INPUT',
      '-p',
      'tcp',
      '--dport',
      '11',
      '-j',
      'REJECT',
      '--reject-with',
      'icmp-host-unreachable',
    );
    pair.run(pair.client, 'sysctl', '-qw', 'net.ipv4.tcp_syn_retries=1');
    const icmp = await attempt('10.77.0.2', '11');
    expect(icmp.said).toBe('EHOSTUNREACH');
    expect(icmp.failed).toMatchObject([{ reason: 'unreachable', errno: 113 }]);
  });

  it('no port: every ephemeral port is taken', async () => {
    pair.start(pair.server, process.execPath, pair.file('sink.mjs', SINK), '9000');
    await pair.listening(pair.server, 9000);
    pair.run(pair.client, 'sysctl', '-qw', 'net.ipv4.ip_local_port_range=40000 40001');
    const holder = pair.start(
      pair.client,
      process.execPath,
      pair.file(
        'hold.mjs',
        `import net from 'node:net'; for (let i = 0; i < 2; i++) net.connect(9000, '10.77.0.2'); setTimeout(() => {}, 60000);`,
      ),
    );
    await until(
      'two connections',
      () => pair.run(pair.client, 'ss', '-Htn', 'state', 'established').trim().split('\n').length === 2,
    );
    const { said, failed } = await attempt('10.77.0.2', '9000');
    holder.kill();
    expect(said).toBe('EADDRNOTAVAIL');
    expect(failed).toMatchObject([{ reason: 'no_port', errno: 99, tuple: { remotePort: 9000 } }]);
  });

  it('tells no failure of a connect that works', async () => {
    pair.start(pair.server, process.execPath, pair.file('sink.mjs', SINK), '9000');
    await pair.listening(pair.server, 9000);
    const { said, failed, watch } = await attempt('10.77.0.2', '9000');
    expect(said).toBe('connected');
    expect(failed).toEqual([]);
    expect(
      watch
        .of('conn')
        .filter((frame) => frame.kind === 'closed')
        .map((frame) => frame.reason),
    ).toEqual(['none', 'none']);
  });
});

describe('resets', () => {
  it('tells a connection that was reset, from both ends', async () => {
    const server = `import net from 'node:net';
      net.createServer((socket) => { socket.on('error', () => {}); socket.once('data', () => socket.resetAndDestroy()); }).listen(9001, '10.77.0.2');`;
    pair.start(pair.server, process.execPath, pair.file('reset.mjs', server));
    await pair.listening(pair.server, 9001);
    const watch = await Watch.start([pair.client, pair.server]);
    await pair.node(
      pair.client,
      `import net from 'node:net';
      await Promise.all(Array.from({ length: 5 }, () => new Promise((done) => {
        const socket = net.connect(9001, '10.77.0.2', () => socket.write('GET / HTTP/1.1\\r\\n\\r\\n'));
        socket.on('error', () => {});
        socket.on('close', done);
      })));`,
    );
    await watch.stop();
    const closed = watch.of('conn').filter((frame) => frame.kind === 'closed');
    const client = closed.filter((frame) => frame.netns === pair.client.inode);
    const server2 = closed.filter((frame) => frame.netns === pair.server.inode);
    expect(client.map((frame) => frame.reason)).toEqual(Array(5).fill('reset'));
    expect(sum(client.map((frame) => frame.totals.resetsReceived))).toBe(5);
    expect(sum(server2.map((frame) => frame.totals.resetsSent))).toBe(5);
    expect(pair.snmp(pair.server, 'OutRsts')).toBe(5);
  });
});
