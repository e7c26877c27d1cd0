/** The loader on the real kernel: every probe loads and attaches, requests are counted exactly, nothing stays behind. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildCollector, LOADER_PATH } from '../../collector/build.ts';
import type { DataFrame, Frame } from '../../collector/frames/types.ts';
import { FrameDecoder } from '../../collector/frames/wire.ts';
import { contiguousBytes, finished, head, Pair, run, until, Watch } from './loader-support.ts';

const REQUESTS = 997;

const NODE_SERVER = `
import http from 'node:http';
http.createServer((request, response) => {
  response.writeHead(request.url.endsWith('7') ? 404 : 200, { 'content-type': 'text/plain' });
  response.end('n'.repeat(100));
}).listen(8081, '10.77.0.2');`;

const NODE_CLIENT = `
import http from 'node:http';
const [port, count] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true, maxSockets: 7 });
const one = (n) => new Promise((done, fail) => {
  http.get({ host: '10.77.0.2', port, agent, path: '/r' + n }, (response) => {
    response.resume();
    response.on('end', done);
  }).on('error', fail);
});
let next = 0;
await Promise.all(Array.from({ length: 7 }, async () => { while (next < count) await one(next++); }));
agent.destroy();`;

const nginxConfig = (dir: string): string => `
daemon off; master_process off; pid ${dir}/nginx.pid; error_log ${dir}/error.log;
events { worker_connections 128; }
http { access_log off; keepalive_requests 100000; client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p;
  fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
  server { listen 10.77.0.2:8080; location / { return 200 "hello from nginx"; } } }`;

let pair: Pair;
beforeAll(async () => {
  await buildCollector({ log: () => undefined });
  pair = new Pair();
});
afterAll(async () => {
  await pair?.close();
});

/** Numbers in the request lines of frames that begin a request. */
function requestNumbers(frames: readonly DataFrame[]): number[] {
  return frames.flatMap((frame) => {
    const match = /^GET \/r(\d+) HTTP\/1\.1\r\n/.exec(head(frame));
    return match === null ? [] : [Number(match[1])];
  });
}

describe('loader', () => {
  it('loads and attaches every probe, and every fallback passes the verifier', async () => {
    const watch = await Watch.start([pair.client]);
    const { probes, hello } = watch.process.health();
    await watch.stop();
    expect(probes.filter((probe) => probe.state === 'missing')).toEqual([]);
    expect(probes.map((probe) => probe.name).sort()).toEqual([
      'inet_sk_error_report',
      'inet_sock_set_state',
      'kfree_skb',
      'list_conns',
      'list_listeners',
      'list_sockets',
      'mark_victim',
      'sched_process_exec',
      'sched_process_exit',
      'sys_enter',
      'sys_exit',
      'tcp_destroy_sock',
      'tcp_receive_reset',
      'tcp_retransmit_skb',
      'tcp_retransmit_synack',
      'tcp_send_reset',
    ]);
    expect(hello?.kernelRelease).toBe(run('uname', '-r').trim());

    const verified: Frame[] = [];
    const result = spawnSync(LOADER_PATH, ['--verify'], { input: '', maxBuffer: 1 << 24 });
    new FrameDecoder().push(result.stdout, (frame) => verified.push(frame));
    const fallbacks = verified.filter((frame) => frame.type === 'probe' && frame.name.startsWith('kprobe_'));
    expect(fallbacks).toHaveLength(2);
    expect(verified.filter((frame) => frame.type === 'probe' && !frame.attached)).toEqual([]);
  });

  it('names a missing probe with its reason and goes on without it', async () => {
    const watch = await Watch.start([pair.client], { disable: ['kfree_skb', 'tcp_send_reset'] });
    await until('a tick', () => watch.of('tick').length > 0);
    const { probes, state } = watch.process.health();
    await watch.stop();
    expect(state).toBe('running');
    const missing = probes.filter((probe) => probe.state === 'missing').map((probe) => probe.name);
    // The fallback of kfree_skb is tried, and told where it cannot be attached.
    expect(missing.filter((name) => name !== 'kprobe_tcp_drop').sort()).toEqual(['kfree_skb', 'tcp_send_reset']);
    expect(probes.every((probe) => probe.state === 'attached' || (probe.reason ?? '') !== '')).toBe(true);
    expect(probes.find((probe) => probe.name === 'inet_sock_set_state')?.state).toBe('attached');
  });

  it(`sees ${REQUESTS} requests of a Node client to nginx and to Node on both sides, none lost`, async () => {
    const config = pair.file('nginx.conf', nginxConfig(pair.dir));
    pair.start(pair.server, 'nginx', '-p', pair.dir, '-c', config);
    pair.start(pair.server, process.execPath, pair.file('server.mjs', NODE_SERVER));
    await Promise.all([pair.listening(pair.server, 8080), pair.listening(pair.server, 8081)]);
    const watch = await Watch.start([pair.client, pair.server]);
    for (const port of [8080, 8081]) await pair.node(pair.client, NODE_CLIENT, String(port), String(REQUESTS));
    await watch.stop();

    const all = watch.of('data');
    const conns = new Map(watch.of('conn').map((frame) => [frame.connId, frame]));
    const everyNumber = Array.from({ length: REQUESTS }, (_, index) => index);
    for (const port of [8080, 8081]) {
      const of = (netns: number): DataFrame[] =>
        all.filter((frame) => {
          const tuple = conns.get(frame.connId)?.tuple;
          return frame.netns === netns && (tuple?.localPort === port || tuple?.remotePort === port);
        });
      for (const [where, role, requests, responses] of [
        [pair.client.inode, 'client', 'send', 'recv'],
        [pair.server.inode, 'server', 'recv', 'send'],
      ] as const) {
        const frames = of(where);
        const numbers = requestNumbers(frames.filter((frame) => frame.direction === requests));
        expect(numbers.sort((a, b) => a - b)).toEqual(everyNumber);
        const answers = frames.filter(
          (frame) => frame.direction === responses && /^HTTP\/1\.1 (200|404) /.test(head(frame)),
        );
        expect(answers).toHaveLength(REQUESTS);
        expect(new Set(frames.map((frame) => frame.protocol))).toEqual(new Set(['http1']));
        expect(new Set(frames.map((frame) => frame.role))).toEqual(new Set([role]));
        // Both streams of every connection are whole, and as long as TCP says.
        for (const connId of new Set(frames.map((frame) => frame.connId))) {
          const own = frames.filter((frame) => frame.connId === connId);
          const closed = watch.of('conn').find((frame) => frame.connId === connId && frame.kind === 'closed');
          expect(closed).toBeDefined();
          expect(contiguousBytes(own.filter((frame) => frame.direction === 'send'))).toBe(closed?.totals.bytesSent);
          expect(contiguousBytes(own.filter((frame) => frame.direction === 'recv'))).toBe(closed?.totals.bytesReceived);
        }
      }
    }
    expect(watch.lost()).toBe(0);
    expect(watch.process.health().tick).toMatchObject({ faults: 0, final: true, dataEvents: all.length });
  });

  it('tells every connection once, from both ends, with owners, before its data', async () => {
    pair.start(pair.server, process.execPath, pair.file('server2.mjs', NODE_SERVER.replace('8081', '8082')));
    await pair.listening(pair.server, 8082);
    const watch = await Watch.start([pair.client, pair.server]);
    await pair.node(pair.client, NODE_CLIENT, '8082', '101');
    await watch.stop();

    const opened = watch.of('conn').filter((frame) => frame.kind === 'opened');
    expect(opened.filter((frame) => frame.role === 'client')).toHaveLength(7);
    expect(opened.filter((frame) => frame.role === 'server')).toHaveLength(7);
    for (const frame of opened) {
      expect(frame.pid).toBeGreaterThan(0);
      expect(frame.comm).not.toBe('');
      expect(frame.connectNs).toBeGreaterThan(0);
      const other = opened.find(
        (each) =>
          each.role !== frame.role &&
          each.tuple.localPort === frame.tuple.remotePort &&
          each.tuple.remotePort === frame.tuple.localPort,
      );
      expect(other?.tuple.localAddress).toBe(frame.tuple.remoteAddress);
    }
    expect(watch.of('conn').filter((frame) => frame.kind === 'closed')).toHaveLength(14);
    const known = new Set<number>();
    for (const frame of watch.frames) {
      if (frame.type === 'conn') known.add(frame.connId);
      if (frame.type === 'data' || frame.type === 'connStats') expect(known.has(frame.connId)).toBe(true);
    }
    expect(watch.of('listener').find((frame) => frame.tuple.localPort === 8082)?.kind).toBe('discovered');
  });

  it('sees connections and listeners that were there before', async () => {
    pair.start(pair.server, process.execPath, pair.file('server3.mjs', NODE_SERVER.replace('8081', '8083')));
    await pair.listening(pair.server, 8083);
    const client = pair.start(
      pair.client,
      process.execPath,
      pair.file(
        'late.mjs',
        `import net from 'node:net';
        const socket = net.connect(8083, '10.77.0.2');
        let n = 0;
        const send = () => socket.write('GET /r' + n++ + ' HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n');
        socket.on('data', () => { if (n === 1) { console.log('connected'); setTimeout(send, 1500); } else if (n < 24) send(); else socket.end(); });
        send();`,
      ),
    );
    await new Promise<void>((done) => client.stdout?.once('data', () => done()));
    // What servers in Go listen on.
    const listen = `import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
s.bind(('10.77.0.2', 8084))
s.listen()
time.sleep(60)
`;
    pair.start(pair.server, 'python3', pair.file('multipath.py', listen));
    await pair.listening(pair.server, 8084);
    const watch = await Watch.start([pair.client, pair.server]);
    await finished(client);
    await watch.stop();

    expect(watch.of('listener').find((frame) => frame.tuple.localPort === 8084)).toMatchObject({ kind: 'discovered' });
    const discovered = watch.of('conn').filter((frame) => frame.kind === 'discovered');
    expect(discovered.map((frame) => frame.pid > 0)).toEqual([true, true]);
    for (const direction of ['send', 'recv'] as const) {
      const numbers = requestNumbers(watch.of('data').filter((frame) => frame.direction === direction));
      expect(numbers).toEqual(Array.from({ length: 23 }, (_, index) => index + 1));
    }
    const roles = new Set(watch.of('data').map((frame) => `${frame.netns}:${frame.role}`));
    expect(roles).toEqual(new Set([`${pair.client.inode}:client`, `${pair.server.inode}:server`]));
  });

  it('counts what it loses when its reader does not read, and goes on', async () => {
    pair.start(pair.server, process.execPath, pair.file('server4.mjs', NODE_SERVER.replace('8081', '8084')));
    await pair.listening(pair.server, 8084);
    const watch = await Watch.start([pair.server], { dataRingBytes: 4096, pollMs: 1000 });
    await pair.node(pair.client, NODE_CLIENT, '8084', '499');
    await watch.stop();
    const { tick, lost } = watch.process.health();
    const seen = watch.of('data').length;
    expect(lost.data_ring).toBeGreaterThan(0);
    expect(lost.control_ring).toBe(0);
    // 499 requests received and 499 answers sent, each one call: told or counted as lost.
    expect(seen + (lost.data_ring ?? 0)).toBe(998);
    expect(tick?.dataEvents).toBe(seen);
  });

  it('leaves no loader when its parent is killed', async () => {
    const script = pair.file(
      'parent.mts',
      `import { LoaderProcess } from '${new URL('../../collector/frames/loader-process.ts', import.meta.url).pathname}';
      const loader = new LoaderProcess({ loader: '${LOADER_PATH}', netns: [${pair.client.inode}] }, () => undefined);
      await loader.start();
      console.log(loader.health().pid);`,
    );
    const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = Number(await new Promise<Buffer>((done) => parent.stdout.once('data', done)));
    expect(readFileSync(`/proc/${pid}/comm`, 'utf8').trim()).toBe('rootwalk-loader');
    parent.kill('SIGKILL');
    await until('the loader is gone', () => !existsSync(`/proc/${pid}`), 3_000);
  });

  it('starts again after a crash, and keeps what was lost before', async () => {
    const watch = await Watch.start([pair.client], { restart: true });
    const first = watch.process.health().pid ?? 0;
    process.kill(first, 'SIGKILL');
    await until('a restart', () => watch.process.health().restarts === 1 && watch.process.health().state === 'running');
    expect(watch.process.health().pid).not.toBe(first);
    expect(watch.of('hello')).toHaveLength(2);
    await watch.stop();
    expect(watch.process.health().state).toBe('stopped');
  });

  it('says what is wrong when it cannot start', async () => {
    await expect(Watch.start([pair.client], { captureBytes: 9999 })).rejects.toThrow(
      /--capture: expected a number from 64 to 4096, found "9999"/,
    );
  });
});
