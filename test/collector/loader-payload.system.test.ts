/** Payload heads of every kind of call, protocols of real servers, and what must not be told. */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildCollector } from '../../collector/build.ts';
import type { DataFrame } from '../../collector/frames/types.ts';
import { contiguousBytes, head, Pair, until, Watch } from './loader-support.ts';

/** Sends and receives in the ways the first argument names, both ends in one process; prints bytes moved each way. */
const CALLS = `
import ctypes, os, socket, sys, tempfile, threading
server = socket.create_server(('10.77.0.2', 7000))
out = socket.create_connection(('10.77.0.2', 7000))
inn, _ = server.accept()
libc = ctypes.CDLL(None, use_errno=True)
class Iovec(ctypes.Structure): _fields_ = [('base', ctypes.c_char_p), ('len', ctypes.c_size_t)]
class Msg(ctypes.Structure): _fields_ = [('name', ctypes.c_void_p), ('namelen', ctypes.c_uint), ('iov', ctypes.POINTER(Iovec)), ('iovlen', ctypes.c_size_t), ('control', ctypes.c_void_p), ('controllen', ctypes.c_size_t), ('flags', ctypes.c_int)]
class MMsg(ctypes.Structure): _fields_ = [('hdr', Msg), ('len', ctypes.c_uint)]
def sendmmsg(parts):
    iovs = [Iovec(p, len(p)) for p in parts]
    msgs = (MMsg * len(parts))()
    for m, iov in zip(msgs, iovs): m.hdr.iov, m.hdr.iovlen = ctypes.pointer(iov), 1
    assert libc.sendmmsg(out.fileno(), msgs, len(parts), 0) == len(parts)
    return sum(map(len, parts))
def sendfile(body):
    with tempfile.TemporaryFile() as f:
        f.write(body); f.flush()
        assert os.sendfile(out.fileno(), f.fileno(), 0, len(body)) == len(body)
def splice(body):
    r, w = os.pipe(); os.write(w, body)
    assert os.splice(r, out.fileno(), len(body)) == len(body)
H = b'POST /calls HTTP/1.1\\r\\nhost: a\\r\\ncontent-length: '
sent = 0
def one(send, recv):
    global sent
    n = send(); sent += n
    got = 0
    while got < n: got += recv(n - got)
read = lambda n: len(os.read(inn.fileno(), n))
def readv(n):
    a, b = bytearray(7), bytearray(n)
    return os.readv(inn.fileno(), [a, b])
def recvmsg_into(n): return inn.recvmsg_into([bytearray(5), bytearray(n)])[0]
def peek(n):
    inn.recv(3, socket.MSG_PEEK)
    return len(inn.recv(n))
one(lambda: os.write(out.fileno(), H + b'0\\r\\nx-op: write\\r\\n\\r\\n'), read)
one(lambda: os.writev(out.fileno(), [H + b'0\\r\\n', b'x-op: wr', b'', b'itev\\r\\n\\r\\n']), readv)
one(lambda: out.send(H + b'0\\r\\nx-op: sendto\\r\\n\\r\\n'), peek)
one(lambda: out.sendmsg([H, b'0\\r\\nx-op: sendmsg\\r\\n\\r\\n']), recvmsg_into)
one(lambda: sendmmsg([H + b'0\\r\\nx-op: sendmmsg\\r\\n\\r\\n', H + b'0\\r\\n\\r\\n']), read)
one(lambda: os.write(out.fileno(), H + b'3000\\r\\nx-op: sendfile\\r\\n\\r\\n'), read)
one(lambda: (sendfile(b'f' * 3000), 3000)[1], read)
one(lambda: os.write(out.fileno(), H + b'2000\\r\\nx-op: splice\\r\\n\\r\\n'), read)
one(lambda: (splice(b's' * 2000), 2000)[1], read)
def split():
    text = b'GET /split HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n'
    for byte in text: os.write(out.fileno(), bytes([byte]))
    return len(text)
one(split, read)
one(lambda: out.send(b'GET /pipe HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n' * 100), read)
big = b'x' * 5000000
sender = threading.Thread(target=out.sendall, args=(big,)); sender.start()
got = 0
while got < len(big): got += len(inn.recv(65536))
sender.join()
print(sent + len(big))`;

const wirePids = (frames: readonly DataFrame[]): Set<number> => new Set(frames.map((frame) => frame.pid));

describe('system calls', () => {
  let pair: Pair;
  beforeAll(async () => {
    await buildCollector({ log: () => undefined });
    pair = new Pair();
  });
  afterAll(async () => {
    await pair?.close();
  });

  it('follows both streams without a gap through every call there is', async () => {
    const watch = await Watch.start([pair.server], { captureBytes: 256 });
    const script = pair.file('calls.py', CALLS);
    const moved = Number(pair.run(pair.server, 'python3', script));
    await watch.stop();
    const data = watch.of('data');
    const sent = data.filter((frame) => frame.direction === 'send');
    const received = data.filter((frame) => frame.direction === 'recv');
    expect(contiguousBytes(sent)).toBe(moved);
    expect(contiguousBytes(received)).toBe(moved);
    expect(wirePids(data).size).toBe(1);
    expect(watch.lost()).toBe(0);
    expect(watch.process.health().tick?.faults).toBe(0);

    // Each way of sending shows its head, gathered over its pieces.
    const ops = sent.map((frame) => /x-op: (\w+)\r\n/.exec(head(frame))?.[1] ?? '');
    expect(ops.filter((op) => op !== '')).toEqual([
      'write',
      'writev',
      'sendto',
      'sendmsg',
      'sendmmsg',
      'sendfile',
      'splice',
    ]);
    expect(received.map((frame) => /x-op: (\w+)\r\n/.exec(head(frame))?.[1] ?? '').filter((op) => op !== '')).toEqual(
      ops.filter((op) => op !== ''),
    );
    const bodies = sent.filter((frame) => frame.noPayload);
    expect(bodies.map((frame) => [frame.fullLength, frame.head.length])).toEqual([
      [3000, 0],
      [2000, 0],
    ]);
    // A head in pieces of one byte is told piece by piece.
    const pieces = sent.filter((frame) => frame.fullLength === 1).map(head);
    expect(pieces.join('')).toBe('GET /split HTTP/1.1\r\nhost: a\r\n\r\n');
    // What is longer than the capture is cut, with its full length.
    const pipelined = sent.find((frame) => head(frame).startsWith('GET /pipe'));
    expect(pipelined?.head.length).toBe(256);
    expect(pipelined?.fullLength).toBe(3100);
    expect(sent.every((frame) => frame.head.length <= 256)).toBe(true);
  });

  it('infers a protocol whose first bytes come one by one, and tells them all', async () => {
    const watch = await Watch.start([pair.server]);
    const script = `
import socket, time
server = socket.create_server(('10.77.0.2', 7001))
out = socket.create_connection(('10.77.0.2', 7001))
inn, _ = server.accept()
for byte in b'DELETE /a HTTP/1.1\\r\\n\\r\\n':
    out.send(bytes([byte])); assert len(inn.recv(1)) == 1`;
    pair.run(pair.server, 'python3', pair.file('slow.py', script));
    await watch.stop();
    for (const direction of ['send', 'recv'] as const) {
      const frames = watch.of('data').filter((frame) => frame.direction === direction);
      expect(frames.map(head).join('')).toBe('DELETE /a HTTP/1.1\r\n\r\n');
      expect(frames[0]?.protocol).toBe('undetermined');
      expect(frames.at(-1)?.protocol).toBe('http1');
    }
  });

  it('tells nothing of unknown protocols and TLS but counts them', async () => {
    const watch = await Watch.start([pair.server]);
    const script = `
import socket
for first in (b'\\x16\\x03\\x01\\x02\\x00\\x01' + b'h' * 300, b'unknown protocol, line one\\n', b'SSH-2.0-OpenSSH_9.2\\r\\n'):
    server = socket.create_server(('10.77.0.2', 7002), reuse_port=True)
    out = socket.create_connection(('10.77.0.2', 7002))
    inn, _ = server.accept()
    server.close()
    for i in range(20):
        out.sendall(first); got = 0
        while got < len(first): got += len(inn.recv(len(first) - got))
    out.close(); inn.close()`;
    pair.run(pair.server, 'python3', pair.file('unknown.py', script));
    await watch.stop();
    expect(watch.of('data')).toEqual([]);
    const closed = watch.of('conn').filter((frame) => frame.kind === 'closed');
    expect(closed.map((frame) => frame.protocol).sort()).toEqual(['other', 'other', 'other', 'other', 'tls', 'tls']);
    const { tick } = watch.process.health();
    expect(tick?.unknownCalls).toBeGreaterThanOrEqual(6 * 19);
    expect(closed.every((frame) => frame.totals.unknownBytes > 0)).toBe(true);
    expect(tick?.unknownBytes).toBe(closed.reduce((sum, frame) => sum + frame.totals.unknownBytes, 0));
  });

  it('leaves excluded processes and ports alone', async () => {
    const script = (port: number): string => `
import socket, os, time, sys
server = socket.create_server(('10.77.0.2', ${port}))
print(os.getpid(), flush=True)
while not os.path.exists(sys.argv[1]): time.sleep(0.02)
out = socket.create_connection(('10.77.0.2', ${port}))
inn, _ = server.accept()
out.send(b'GET / HTTP/1.1\\r\\n\\r\\n'); inn.recv(100)`;
    const go = `${pair.dir}/go`;
    const children = [7003, 7004, 7005].map((port) =>
      pair.start(pair.server, 'python3', pair.file(`excluded-${port}.py`, script(port)), go),
    );
    const pids = await Promise.all(
      children.map((child) => new Promise<number>((done) => child.stdout?.once('data', (line) => done(Number(line))))),
    );
    const watch = await Watch.start([pair.server], { excludePids: [pids[0] ?? 0], excludePorts: [7004] });
    pair.file('go', '');
    await Promise.all(children.map((child) => child.exitCode ?? new Promise((done) => child.once('exit', done))));
    await watch.stop();
    expect(wirePids(watch.of('data'))).toEqual(new Set([pids[2]]));
    const conns = new Set(watch.of('conn').map((frame) => `${frame.pid} ${frame.protocol}`));
    expect([...conns].some((each) => each.startsWith(`${pids[0]} `))).toBe(false);
    expect(conns.has(`${pids[1]} excluded`)).toBe(true);
  });

  it('tells processes that start and end, with code and signal, and its own listeners', async () => {
    const watch = await Watch.start([pair.server]);
    const script = `
import os, signal, socket, subprocess
subprocess.run(['/bin/sh', '-c', 'exit 23'])
child = subprocess.Popen(['/bin/cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
# Its echo proves that exec is over: a signal in the middle of one ends it untold.
os.write(child.stdin.fileno(), b'x'); os.read(child.stdout.fileno(), 1)
child.send_signal(signal.SIGTERM); child.wait()
socket.create_server(('10.77.0.2', 7006)).close()
# As every JVM does that is told to listen at an IPv4 address.
both = socket.socket(socket.AF_INET6); both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
both.bind(('::ffff:10.77.0.2', 7007)); both.listen()`;
    pair.run(pair.server, 'python3', pair.file('process.py', script));
    await watch.stop();
    const processes = watch.of('process');
    expect(processes.find((frame) => frame.kind === 'exec' && frame.path === '/bin/cat')).toBeDefined();
    const exits = processes.filter((frame) => frame.kind === 'exit');
    expect(exits.find((frame) => frame.comm === 'sh')).toMatchObject({ exitCode: 23, signal: 0 });
    expect(exits.find((frame) => frame.comm === 'cat')).toMatchObject({ exitCode: 0, signal: 15 });
    expect(
      watch
        .of('listener')
        .filter((frame) => frame.tuple.localPort === 7006)
        .map((frame) => frame.kind),
    ).toEqual(['opened', 'closed']);
    expect(watch.of('listener').find((frame) => frame.tuple.localPort === 7007)?.tuple).toMatchObject({
      family: 4,
      localAddress: '10.77.0.2',
    });
  });

  it.runIf(existsSync('/sys/fs/cgroup/memory/memory.limit_in_bytes'))('tells whom the OOM killer chose', async () => {
    const group = `/sys/fs/cgroup/memory/rootwalk-oom-${process.pid}`;
    mkdirSync(group);
    try {
      writeFileSync(`${group}/memory.limit_in_bytes`, String(24 << 20));
      const watch = await Watch.start([pair.server]);
      const go = `${pair.dir}/oom`;
      const hog = pair.start(
        pair.server,
        'sh',
        '-c',
        `while ! test -e ${go}; do sleep 0.02; done; exec python3 -c "x = b'x' * (200 << 20)"`,
      );
      // From here: `ip netns exec` has its own /sys.
      writeFileSync(`${group}/cgroup.procs`, String(hog.pid));
      pair.file('oom', '');
      await until('the kill', () => hog.signalCode !== null || hog.exitCode !== null);
      await watch.stop();
      const kill = watch.of('process').find((frame) => frame.kind === 'oom_kill' && frame.pid === hog.pid);
      expect(kill).toBeDefined();
      const exit = watch.of('process').find((frame) => frame.kind === 'exit' && frame.pid === hog.pid);
      expect(exit).toMatchObject({ signal: 9, comm: 'python3' });
      expect(exit?.startMs).toBeLessThan(exit?.atMs ?? 0);
    } finally {
      rmdirSync(group);
    }
  });
});

describe('protocols of real servers', () => {
  let pair: Pair;
  beforeEach(() => {
    pair = new Pair();
  });
  afterEach(async () => {
    await pair.close();
  });

  it('knows Redis', async () => {
    pair.start(
      pair.server,
      'redis-server',
      '--bind',
      '10.77.0.2',
      '--port',
      '6379',
      '--protected-mode',
      'no',
      '--save',
      '',
      '--dir',
      pair.dir,
    );
    await pair.listening(pair.server, 6379);
    const watch = await Watch.start([pair.client, pair.server]);
    pair.run(pair.client, 'redis-cli', '-h', '10.77.0.2', 'set', 'rw', '1');
    await watch.stop();
    expect(new Set(watch.of('data').map((frame) => frame.protocol))).toEqual(new Set(['redis']));
    const received = watch
      .of('data')
      .filter((frame) => frame.netns === pair.server.inode && frame.direction === 'recv');
    expect(received.map(head)).toContain('*3\r\n$3\r\nset\r\n$2\r\nrw\r\n$1\r\n1\r\n');
  });

  it('knows PostgreSQL, from the start and in mid-life', async () => {
    const bin = '/usr/lib/postgresql/15/bin';
    const data = `${pair.dir}/pg`;
    pair.run(pair.server, 'sh', '-c', `mkdir ${data} && chmod 755 ${pair.dir} && chown postgres ${data}`);
    const as = (command: string): readonly string[] => ['su', 'postgres', '-s', '/bin/sh', '-c', command];
    pair.run(pair.server, ...(as(`${bin}/initdb -D ${data} -A trust -N >/dev/null`) as [string]));
    pair.run(pair.server, 'sh', '-c', `echo "host all all 10.77.0.0/24 trust" >> ${data}/pg_hba.conf`);
    pair.start(
      pair.server,
      ...(as(`exec ${bin}/postgres -D ${data} -h 10.77.0.2 -k ${data} -F`) as [string, ...string[]]),
    );
    await pair.listening(pair.server, 5432);
    await until('PostgreSQL', () => {
      try {
        return pair.run(pair.server, `${bin}/pg_isready`, '-h', '10.77.0.2').includes('accepting');
      } catch {
        return false;
      }
    });
    const go = `${pair.dir}/go`;
    const late = pair.start(
      pair.client,
      'sh',
      '-c',
      `(echo 'select 1;'; while ! test -e ${go}; do sleep 0.05; done; echo "select 'late';") | psql -qAt -h 10.77.0.2 -U postgres`,
    );
    await new Promise<void>((done) => late.stdout?.once('data', () => done()));
    const watch = await Watch.start([pair.client, pair.server]);
    pair.run(pair.client, 'psql', '-qAt', '-h', '10.77.0.2', '-U', 'postgres', '-c', "select 'fresh'");
    pair.file('go', '');
    await until('the late client ended', () => late.exitCode !== null);
    await watch.stop();
    for (const netns of [pair.client.inode, pair.server.inode]) {
      const frames = watch.of('data').filter((frame) => frame.netns === netns);
      const direction = netns === pair.client.inode ? 'send' : 'recv';
      for (const word of ['fresh', 'late']) {
        const found = frames.filter(
          (frame) => frame.direction === direction && head(frame).includes(`select '${word}'`),
        );
        expect(found).toHaveLength(1);
        expect(found[0]).toMatchObject({ protocol: 'postgresql', role: direction === 'send' ? 'client' : 'server' });
      }
    }
  });

  it('knows MySQL, from the greeting and in mid-life', async () => {
    const data = `${pair.dir}/my`;
    pair.run(pair.server, 'sh', '-c', `mkdir ${data} && chmod 755 ${pair.dir} && chown mysql ${data}`);
    pair.run(pair.server, 'mariadb-install-db', '--no-defaults', '--user=mysql', `--datadir=${data}`, '--skip-test-db');
    pair.start(
      pair.server,
      'mariadbd',
      ...['--no-defaults', '--user=mysql', `--datadir=${data}`, `--socket=${data}/s`, `--pid-file=${data}/p`],
      ...['--bind-address=10.77.0.2', '--port=3306', '--skip-grant-tables', '--skip-name-resolve'],
    );
    await pair.listening(pair.server, 3306);
    const client = ['mariadb', '--no-defaults', '--skip-ssl', '-N', '-h', '10.77.0.2', '-u', 'root'] as const;
    const go = `${pair.dir}/go`;
    const late = pair.start(
      pair.client,
      'sh',
      '-c',
      `(echo 'select 1;'; while ! test -e ${go}; do sleep 0.05; done; echo "select 'late';") | ${client.join(' ')} -n`,
    );
    await new Promise<void>((done) => late.stdout?.once('data', () => done()));
    const watch = await Watch.start([pair.client, pair.server]);
    pair.run(pair.client, ...client, '-e', "select 'fresh'");
    pair.file('go', '');
    await until('the late client ended', () => late.exitCode !== null);
    await watch.stop();
    for (const [netns, direction, role] of [
      [pair.client.inode, 'send', 'client'],
      [pair.server.inode, 'recv', 'server'],
    ] as const) {
      for (const word of ['fresh', 'late']) {
        const found = watch
          .of('data')
          .filter((frame) => frame.netns === netns && frame.direction === direction)
          .filter((frame) => head(frame).includes(`select '${word}'`));
        expect(found).toMatchObject([{ protocol: 'mysql', role }]);
      }
    }
  });
});
