import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaBroker } from '../../lab/kafka.ts';
import { residentBytes, startKafka } from '../../lab/kafka.ts';
import { brokersKnown } from '../../lab/kafka-probe.ts';

async function until(condition: () => boolean, ms: number): Promise<boolean> {
  for (const end = Date.now() + ms; Date.now() < end; await new Promise((r) => setTimeout(r, 50))) {
    if (condition()) return true;
  }
  return condition();
}

describe('startKafka', () => {
  let broker: KafkaBroker;

  beforeAll(async () => {
    broker = await startKafka();
  });
  afterAll(() => broker.stop());

  it('answers metadata with one broker and stays under 350 MB', async () => {
    const [host = '', port = ''] = broker.brokers[0]?.split(':') ?? [];
    expect(await brokersKnown(host, Number(port), 2_000)).toBe(1);
    expect(residentBytes(broker.pid)).toBeLessThan(350e6);
  });

  it('two brokers run side by side; stop leaves neither process nor directory', async () => {
    const other = await startKafka();
    expect(other.brokers[0]).not.toBe(broker.brokers[0]);
    await Promise.all([other.stop(), other.stop()]);
    expect(existsSync(`/proc/${other.pid}`)).toBe(false);
    expect(existsSync(other.dir)).toBe(false);
    expect(existsSync(broker.dir)).toBe(true);
  });

  it('does not outlive a starter that is killed, and leaves a directory only until the next start', async () => {
    const script = `
      const { startKafka } = await import(${JSON.stringify(fileURLToPath(new URL('../../lab/kafka.ts', import.meta.url)))});
      const { pid, dir } = await startKafka();
      console.log(JSON.stringify({ pid, dir }));`;
    const starter = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const { pid, dir } = await new Promise<Pick<KafkaBroker, 'pid' | 'dir'>>((resolve) => {
      starter.stdout.on('data', (piece: Buffer) => resolve(JSON.parse(piece.toString())));
    });
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    starter.kill('SIGKILL');
    expect(await until(() => !existsSync(`/proc/${pid}`), 5_000)).toBe(true);
    const next = await startKafka();
    try {
      expect(existsSync(dir)).toBe(false);
    } finally {
      await next.stop();
    }
  });
});
