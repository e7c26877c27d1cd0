import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sampleReport } from './report/fixtures.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rules-command-'));
  cpSync(join(ROOT, 'rules'), dir, { recursive: true });
});
afterEach(() => rmSync(dir, { recursive: true }));

function rootwalk(...args: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'bin/rootwalk.mjs'), 'rules', ...args], {
    encoding: 'utf8',
  });
  return { code: status, out: stdout, err: stderr };
}

function edit(file: string, change: (text: string) => string): void {
  writeFileSync(join(dir, file), change(readFileSync(join(dir, file), 'utf8')));
}

describe('rootwalk rules', () => {
  it('check: good rules are counted; every bad one is named with file, path and mend, exit code 1', () => {
    expect(rootwalk('check', dir)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/\d+ rules in 8 families, 32 classes.*good/),
    });
    edit('network.json', (text) => text.replaceAll('edge.rtt_min_ratio', 'edge.rtt_mn_ratio'));
    edit('traffic.json', (text) => text.replace('"lessThan"', '"lesThan"'));
    const { code, err } = rootwalk('check', dir);
    expect(code).toBe(1);
    expect(err).toMatch(
      /network\.json \$\.rules\[\d+\]\.supports\[1\]\.when\.fact: there is no fact.*\n {4}mend: did you mean "edge\.rtt_min_ratio"/,
    );
    expect(err).toMatch(/traffic\.json .*no operator "lesThan"\n {4}mend: did you mean "lessThan"/);
    expect(err).toContain('3 problems');
  });

  it('test: a changed number breaks the truth table that depends on it', () => {
    expect(rootwalk('test', dir)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/(\d+) of \1 cases hold, 0 rules untested/),
    });
    edit('compute.json', (text) => text.replaceAll(/"value": 0\.1\b/g, '"value": 0.9'));
    const { code, err } = rootwalk('test', dir);
    expect(code).toBe(1);
    expect(err).toContain('expected cpu_throttling');
  });

  it('explain: what other rules say of a stored report', async () => {
    const file = join(dir, 'remedies', 'report.json');
    writeFileSync(file, JSON.stringify(await sampleReport()));
    expect(rootwalk('explain', file).out).toMatch(/these rules: packet_loss \(packet-loss\)/);
    edit('network.json', (text) => text.replace('"value": 0.002', '"value": 0.5'));
    const { out } = rootwalk('explain', file, '--rules', dir);
    expect(out).toMatch(/reported: {4}packet_loss/);
    expect(out).toMatch(/these rules: unknown/);
    expect(out).toContain('no  rise of the retransmit ratio: 4.48 % (needs > 50 %)');
  });

  it('explain: says what is no report, and which causes a report has', async () => {
    const other = rootwalk('explain', join(ROOT, 'package.json'));
    expect(other).toMatchObject({ code: 1, err: expect.stringMatching(/package\.json is no report: expected/) });
    const file = join(dir, 'remedies', 'report.json');
    writeFileSync(file, JSON.stringify(await sampleReport()));
    expect(rootwalk('explain', file, '--cause', '9').err).toMatch(/no cause 9; its causes: 1/);
  });
});
