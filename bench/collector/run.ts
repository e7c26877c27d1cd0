/**
 * What the collector costs a host: nginx at fixed request rates, rounds with and without the collector interleaved on
 * the same machine in the same run. Prints a table and one JSON object.
 *
 *   npm run bench:collector -- [--rates 2000,5000,10000] [--seconds 8] [--rounds 3]
 */
import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { flags } from '../../eval/flags.ts';

const values = flags(import.meta.url, {
  rates: { type: 'string', default: '2000,5000,10000' },
  seconds: { type: 'string', default: '8' },
  rounds: { type: 'string', default: '3' },
  json: { type: 'string' },
});
const root = fileURLToPath(new URL('../..', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'rootwalk-bench-'));
const port = 18_080;
const tickUs = 1e6 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

interface Load {
  readonly done: number;
  readonly failed: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

interface Cost {
  readonly loaderCores: number;
  readonly typescriptCores: number;
  readonly bpfCores: number;
  readonly lost: number;
  readonly counted: number;
}

function build(): string {
  const binary = join(dir, 'load');
  const source = fileURLToPath(new URL('load.c', import.meta.url));
  execFileSync('gcc', ['-D_GNU_SOURCE', '-O2', '-o', binary, source], { stdio: 'inherit' });
  return binary;
}

function startNginx(): ChildProcess {
  const file = join(dir, 'nginx.conf');
  writeFileSync(
    file,
    `worker_processes 1; daemon off; pid ${dir}/nginx.pid; error_log ${dir}/error.log;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 100000000;
  server { listen 127.0.0.1:${port}; location / { return 200 "hello world hello world\\n"; } } }`,
  );
  return spawn('nginx', ['-c', file], { stdio: 'ignore' });
}

/** utime + stime of a process in microseconds. */
function cpuUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * tickUs;
}

function descendants(pid: number): { pid: number; command: string }[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
        const command = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
        return parent === pid ? [{ pid: Number(name), command }] : [];
      } catch {
        return [];
      }
    });
  return children.flatMap((child) => [child, ...descendants(child.pid)]);
}

/** Run time of all programs the kernel accounts, in ns; needs kernel.bpf_stats_enabled. */
function bpfRunNs(): number {
  const out = spawnSync('bpftool', ['prog', 'show', '--json'], { encoding: 'utf8', maxBuffer: 1 << 26 });
  const programs = JSON.parse(out.stdout || '[]') as { run_time_ns?: number }[];
  return programs.reduce((sum, program) => sum + (program.run_time_ns ?? 0), 0);
}

function load(binary: string, rate: number, seconds: number): Load {
  const out = spawnSync(binary, target('/items/42', rate, seconds), { encoding: 'utf8' });
  return JSON.parse(out.stdout) as Load;
}

/** As `load`, with the event loop free. */
function loadBeside(binary: string, path: string, rate: number, seconds: number): Promise<Load> {
  return new Promise((resolve) => {
    const run = spawn(binary, target(path, rate, seconds));
    let out = '';
    run.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString('utf8');
    });
    run.on('exit', () => resolve(JSON.parse(out) as Load));
  });
}

function target(path: string, rate: number, seconds: number): string[] {
  return ['127.0.0.1', String(port), path, String(rate), '32', String(seconds)];
}

async function withCollector(binary: string, rate: number, seconds: number): Promise<{ load: Load; cost: Cost }> {
  // To a file: a bench that reads what the collector prints takes a processor from the servers it measures.
  const file = join(dir, 'records.jsonl');
  const output = openSync(file, 'w');
  const child = spawn(
    process.execPath,
    [join(root, 'src/cli.ts'), 'collect', '--print', 'jsonl', '--environment', 'bench'],
    {
      stdio: ['ignore', output, 'inherit'],
    },
  );
  await sleep(3_000);
  const loader = descendants(child.pid ?? 0).find(
    (process) => process.command.includes('loader') || process.command.includes('rootwalk'),
  );
  if (loader === undefined) throw new Error('the loader did not start; run "rootwalk doctor"');
  // A collector runs for weeks: what its first two windows cost (code that is compiled) is not what it costs.
  await loadBeside(binary, '/warm/42', rate, 10);
  const before = {
    loader: cpuUs(loader.pid),
    typescript: cpuUs(child.pid ?? 0),
    bpf: bpfRunNs(),
    at: process.hrtime.bigint(),
  };
  const result = await loadBeside(binary, '/items/42', rate, seconds);
  const elapsedUs = Number(process.hrtime.bigint() - before.at) / 1e3;
  const cost = {
    loaderCores: (cpuUs(loader.pid) - before.loader) / elapsedUs,
    typescriptCores: (cpuUs(child.pid ?? 0) - before.typescript) / elapsedUs,
    bpfCores: (bpfRunNs() - before.bpf) / 1e3 / elapsedUs,
  };
  await sleep(7_000);
  child.kill('SIGINT');
  await new Promise((resolve) => child.on('exit', resolve));
  closeSync(output);
  return { load: result, cost: { ...cost, ...fromRecords(readFileSync(file, 'utf8')) } };
}

/** Server-side calls to the bench's nginx and losses, summed over the printed batches. */
function fromRecords(text: string): { lost: number; counted: number } {
  let lost = 0;
  let counted = 0;
  for (const line of text.split('\n').filter((candidate) => candidate.startsWith('{'))) {
    const batch = JSON.parse(line) as { type: string; records: Record<string, unknown>[] };
    for (const record of batch.records) {
      if (batch.type === 'call' && record['side'] === 'server' && record['operation'] === 'GET /items/{id}')
        counted += Number(record['count']);
      if (batch.type === 'health') {
        for (const value of Object.values(record['lost'] as Record<string, number>)) lost += value;
      }
    }
  }
  return { lost, counted };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const binary = build();
const nginx = startNginx();
const previousStats = readFileSync('/proc/sys/kernel/bpf_stats_enabled', 'utf8').trim();
writeFileSync('/proc/sys/kernel/bpf_stats_enabled', '1');
try {
  await sleep(500);
  const seconds = Number(values.seconds);
  const rows = [];
  for (const rate of values.rates.split(',').map(Number)) {
    load(binary, rate, 2);
    const without: Load[] = [];
    const having: { load: Load; cost: Cost }[] = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      process.stderr.write(`rate ${rate}/s, round ${round + 1} of ${values.rounds}\n`);
      without.push(load(binary, rate, seconds));
      having.push(await withCollector(binary, rate, seconds));
    }
    const p50 = median(having.map((r) => r.load.p50Us)) - median(without.map((r) => r.p50Us));
    const p99 = median(having.map((r) => r.load.p99Us)) - median(without.map((r) => r.p99Us));
    rows.push({
      ratePerS: rate,
      baseP50Us: median(without.map((r) => r.p50Us)),
      addedP50Us: p50,
      baseP99Us: median(without.map((r) => r.p99Us)),
      addedP99Us: p99,
      loaderCores: median(having.map((r) => r.cost.loaderCores)),
      typescriptCores: median(having.map((r) => r.cost.typescriptCores)),
      bpfCores: median(having.map((r) => r.cost.bpfCores)),
      requests: having.reduce((sum, r) => sum + r.load.done, 0),
      counted: having.reduce((sum, r) => sum + r.cost.counted, 0),
      lost: having.reduce((sum, r) => sum + r.cost.lost, 0),
    });
  }
  console.table(
    rows.map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, Number(value.toFixed(3))]))),
  );
  const result = {
    kernel: execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim(),
    node: process.version,
    seconds,
    rows,
  };
  console.log(JSON.stringify(result));
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(result, null, 2));
} finally {
  writeFileSync('/proc/sys/kernel/bpf_stats_enabled', previousStats);
  nginx.kill('SIGTERM');
  rmSync(dir, { recursive: true, force: true });
}
