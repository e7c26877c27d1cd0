/**
 * The stranger's path: a Kafka cluster, kcat with the example file, the engine as a process, a webhook receiver that
 * checks signatures with the public library; then kill -9 in the middle, and one number of a rule changed.
 */
import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startKafka } from '../lab/kafka.ts';
import type { WebhookReceiver } from '../lab/webhook-receiver.ts';
import { startWebhookReceiver } from '../lab/webhook-receiver.ts';
import type { Report } from '../src/model/report.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'rootwalk-stranger-'));
const secret = `whsec_${Buffer.from('a secret of thirty-two bytes, ok').toString('base64')}`;
let kafka: Awaited<ReturnType<typeof startKafka>>;
let receiver: WebhookReceiver;
const engines: ChildProcess[] = [];

function startEngine(name: string, rules: string): ChildProcess {
  const file = join(dir, `${name}.json`);
  const config = {
    bus: { kind: 'kafka', brokers: kafka.brokers, group: name },
    engine: { output: join(dir, name), database: join(dir, `${name}.db`), rules },
    webhooks: [{ name: 'on-call', url: `${receiver.url}/${name}`, secrets: [secret], allowPrivateAddresses: true }],
  };
  writeFileSync(file, JSON.stringify(config));
  const child = spawn(process.execPath, [join(root, 'src/cli.ts'), 'engine', '--config', file], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  engines.push(child);
  return child;
}

const produce = (lines: readonly string[]): void => {
  execFileSync('kcat', ['-P', '-b', kafka.brokers[0] ?? '', '-t', 'rootwalk.calls'], {
    input: `${lines.join('\n')}\n`,
  });
};

const reportsFor = (name: string): Report[] =>
  receiver
    .accepted()
    .filter(({ path }) => path.endsWith(`/${name}`))
    .map(({ body }) => (body as { data: Report }).data);

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.on('exit', resolve));
  child.kill(signal);
  await ended;
}

/** Reasons on the dead-letter topic, once there are enough of them. */
async function deadLetters(enough: number, ms: number): Promise<string[]> {
  const end = Date.now() + ms;
  for (;;) {
    const out = spawnSync('kcat', ['-C', '-b', kafka.brokers[0] ?? '', '-t', 'rootwalk.dead-letter', '-e', '-q'], {
      encoding: 'utf8',
    });
    const reasons =
      out.status === 0
        ? out.stdout
            .trim()
            .split('\n')
            .filter(Boolean)
            .map((line) => (JSON.parse(line) as { reason: string }).reason)
        : [];
    if (reasons.length >= enough || Date.now() > end) return reasons;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

beforeAll(async () => {
  kafka = await startKafka();
  receiver = await startWebhookReceiver({ secrets: [secret] });
});
afterAll(async () => {
  for (const engine of engines) await stop(engine, 'SIGKILL');
  await receiver.stop();
  await kafka.stop();
  rmSync(dir, { recursive: true, force: true });
});

const lines = readFileSync(join(root, 'examples/shop-with-fault.jsonl'), 'utf8').trim().split('\n');

describe("the stranger's path", () => {
  it('kcat, engine, signed webhook: one incident with the right cause; garbage goes to the dead-letter topic', async () => {
    const half = Math.floor(lines.length * 0.85);
    produce([
      ...lines.slice(0, half),
      'not json at all',
      '{"type":"call","environment":"shop","windowStartMs":5,"records":[]}',
    ]);
    const first = startEngine('one', join(root, 'rules'));
    expect(await receiver.waitFor(() => reportsFor('one').length >= 1, 60_000)).toBe(true);
    // In the middle of the incident, without warning.
    await stop(first, 'SIGKILL');
    const before = reportsFor('one').map(({ id }) => id);
    produce(lines.slice(half));
    const second = startEngine('one', join(root, 'rules'));
    // The dead engine's session has to end before the broker hands its partitions to the next one.
    await deadLetters(2, 40_000);
    await stop(second, 'SIGINT');

    const deliveries = receiver.received.filter(({ path }) => path.endsWith('/one'));
    expect(deliveries.every(({ verified }) => verified)).toBe(true);
    const ids = reportsFor('one').map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.slice(0, before.length)).toEqual(before);
    const incidents = new Set(reportsFor('one').map(({ incidentId }) => incidentId));
    expect(incidents.size).toBe(1);
    expect(reportsFor('one').at(-1)?.causes[0]).toMatchObject({
      entity: { kind: 'edge', from: 'order', to: 'stock' },
      faultClass: 'packet_loss',
    });
    expect(readdirSync(join(dir, 'one')).sort()).toEqual([...incidents].flatMap((id) => [`${id}.json`, `${id}.md`]));

    const reasons = await deadLetters(2, 1_000);
    expect([...new Set(reasons)].sort()).toEqual(['bad_encoding', 'bad_window']);
  });

  it('one number of a rule changed: another verdict', async () => {
    const rules = join(dir, 'rules');
    cpSync(join(root, 'rules'), rules, { recursive: true });
    const file = join(rules, 'network.json');
    const text = readFileSync(file, 'utf8');
    const changed = text.replace(
      /("fact":\s*"edge\.retransmits_rise_sigma",\s*"operator":\s*"greaterThan",\s*"value":\s*)4/,
      '$14000',
    );
    expect(changed).not.toBe(text);
    writeFileSync(file, changed);
    const engine = startEngine('two', rules);
    expect(await receiver.waitFor(() => reportsFor('two').length >= 1, 60_000)).toBe(true);
    await stop(engine, 'SIGINT');
    expect(reportsFor('two')[0]?.causes[0]?.entity).toMatchObject({ from: 'order', to: 'stock' });
    expect(reportsFor('two')[0]?.causes[0]?.faultClass).not.toBe('packet_loss');
  });
});
