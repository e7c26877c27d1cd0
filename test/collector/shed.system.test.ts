/** Under overload the kernel side stops looking at payload and says how much went by; the rest goes on. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildCollector } from '../../collector/build.ts';
import { Pair, until, Watch } from './loader-support.ts';

const REQUESTS = 41;

const SERVER = `
import http from 'node:http';
http.createServer((request, response) => response.end('ok')).listen(8085, '10.77.0.2');`;

const CLIENT = `
import http from 'node:http';
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const one = () => new Promise((done, fail) => {
  http.get({ host: '10.77.0.2', port: 8085, agent }, (response) => {
    response.resume();
    response.on('end', done);
  }).on('error', fail);
});
for (let i = 0; i < ${REQUESTS}; i++) await one();
agent.destroy();`;

let pair: Pair;
beforeAll(async () => {
  await buildCollector({ log: () => undefined });
  pair = new Pair();
  pair.start(pair.server, process.execPath, pair.file('server.mjs', SERVER));
  await pair.listening(pair.server, 8085);
});
afterAll(async () => {
  await pair?.close();
});

const ticks = (watch: Watch): number => watch.of('tick').length;
/** Commands arrive at once; what is under way is told with the next interval. */
async function settled(watch: Watch): Promise<void> {
  const seen = ticks(watch);
  await until('two intervals', () => ticks(watch) >= seen + 2);
}
const shed = (watch: Watch): number => watch.of('tick').at(-1)?.shedCalls ?? Number.NaN;

describe('shedding', () => {
  it('leaves payload alone while paused, goes on with connections, and looks again after', async () => {
    const watch = await Watch.start([pair.client, pair.server]);
    const load = async (): Promise<number> => {
      const before = watch.of('data').length;
      await pair.node(pair.client, CLIENT);
      await settled(watch);
      return watch.of('data').length - before;
    };
    const all = await load();
    expect(all).toBe(REQUESTS * 4);
    expect(shed(watch)).toBe(0);

    watch.process.pauseCapture(true);
    await settled(watch);
    const openedBefore = watch.of('conn').filter((frame) => frame.kind === 'opened' && frame.pid !== 0).length;
    expect(await load()).toBe(0);
    // Each call with payload, and those that only found that there is nothing (yet) to read.
    expect(shed(watch)).toBeGreaterThanOrEqual(REQUESTS * 4);
    const shedAfter = shed(watch);
    // Both ends of the connection were told, with their owners and their bytes.
    expect(watch.of('conn').filter((frame) => frame.kind === 'opened' && frame.pid !== 0).length).toBe(
      openedBefore + 2,
    );
    const closed = watch.of('conn').filter((frame) => frame.kind === 'closed');
    expect(closed.slice(-2).every((frame) => frame.totals.bytesSent > REQUESTS * 20)).toBe(true);

    watch.process.pauseCapture(false);
    await settled(watch);
    expect(await load()).toBe(REQUESTS * 4);
    expect(shed(watch)).toBe(shedAfter);
    await watch.stop();
    expect(watch.lost()).toBe(0);
  });

  it('knows the protocol of a connection that began while it was paused', async () => {
    const watch = await Watch.start([pair.client, pair.server]);
    watch.process.pauseCapture(true);
    await settled(watch);
    const client = pair.start(
      pair.client,
      process.execPath,
      pair.file(
        'slow.mjs',
        `${CLIENT.replace('await one();', '{ await one(); await new Promise((d) => setTimeout(d, 60)); }')}`,
      ),
    );
    await until('a connection', () => watch.of('conn').some((frame) => frame.kind === 'opened'));
    await settled(watch);
    expect(watch.of('data')).toEqual([]);
    watch.process.pauseCapture(false);
    await until('payload', () => watch.of('data').length > 20);
    expect(new Set(watch.of('data').map((frame) => frame.protocol))).toEqual(new Set(['http1']));
    await new Promise((done) => client.once('exit', done));
    await watch.stop();
  });

  it('tells a loader that starts again', async () => {
    const watch = await Watch.start([pair.client, pair.server], { restart: true });
    watch.process.pauseCapture(true);
    process.kill(watch.process.health().pid ?? 0, 'SIGKILL');
    await until('a restart', () => watch.process.health().restarts === 1 && watch.process.health().state === 'running');
    expect(readFileSync(`/proc/${watch.process.health().pid}/comm`, 'utf8').trim()).toBe('rootwalk-loader');
    await settled(watch);
    await pair.node(pair.client, CLIENT);
    await settled(watch);
    expect(watch.of('data')).toEqual([]);
    expect(shed(watch)).toBeGreaterThanOrEqual(REQUESTS * 4);
    await watch.stop();
  });
});
